"""stepgauge's own splitters, likelihood backends, claim extractors, retrievers, judges and chain metrics.

They are registered like any plugin's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .chain import ChainMetric
from .columns import ALWAYS
from .hookspecs import hookimpl
from .knowledge.arithmetic.extractor import ARITHMETIC
from .knowledge.arithmetic.judge import ExactJudge
from .knowledge.base import ClaimExtractor, Judge, Retriever, Surroundings
from .knowledge.claims.citations import NAME as CITATIONS
from .knowledge.claims.citations import make as make_citations
from .knowledge.claims.figures import FIGURES
from .knowledge.claims.llm import make as make_llm_claims
from .knowledge.claims.sentence import SENTENCES_AS_CLAIMS
from .knowledge.claims.step import STEPS_AS_CLAIMS
from .knowledge.judges.lm import LmJudge
from .knowledge.judges.nli import make as make_nli_judge
from .knowledge.judges.openai import make as make_openai_judge
from .knowledge.judges.prm import make as make_prm_judge
from .knowledge.judges.quote import QuoteJudge
from .knowledge.judges.table import TableJudge
from .likelihood import LikelihoodBackend
from .lm_steps.splitter import LLM
from .models.in_memory import ModelInMemory
from .retrieval.retrievers import BUILTIN_RETRIEVERS
from .segment import BUILTIN_SPLITTERS, Splitter


@hookimpl
def register_splitters(register: Callable[[Splitter], None]) -> None:
    for splitter in (*BUILTIN_SPLITTERS.values(), LLM):
        register(splitter)


@hookimpl
def register_likelihood_backends(register: Callable[[str, Callable[..., LikelihoodBackend]], None]) -> None:
    register(HuggingFace.name, HuggingFace())
    for name in ("vllm", "sglang"):
        register(name, _Served(name))


@hookimpl
def register_chain_metrics(register: Callable[[ChainMetric], None]) -> None:
    for metric in ALWAYS:
        register(metric)


@hookimpl
def register_claim_extractors(register: Callable[[str, Callable[..., ClaimExtractor]], None]) -> None:
    for extractor in (ARITHMETIC, SENTENCES_AS_CLAIMS, STEPS_AS_CLAIMS, FIGURES):
        register(extractor.name, _as_it_is(extractor))
    register(CITATIONS, make_citations)
    register("llm", make_llm_claims)


@hookimpl
def register_retrievers(register: Callable[[str, Callable[..., Retriever]], None]) -> None:
    for retriever in BUILTIN_RETRIEVERS:
        register(retriever.name, retriever)


@hookimpl
def register_judges(register: Callable[[str, Callable[..., Judge]], None]) -> None:
    register(ExactJudge.name, _exact)
    register(TableJudge.name, _table)
    register("lm", LmJudge)
    register("nli", make_nli_judge)
    register("openai", make_openai_judge)
    register("prm", make_prm_judge)
    register(QuoteJudge.name, QuoteJudge)


class HuggingFace:
    """Factory of the `hf` backend. torch and transformers take seconds to import; only a run that scores needs them.

    Args:
        there: an actor of Ray that has loaded the scorer, or will (`actors.backend.make_actor`), to be asked in the
            place of a model in this process.
    """

    name = "hf"

    def __init__(self, there: Any = None) -> None:
        self._there = there

    def __call__(
        self,
        scorer: str | ModelInMemory,
        *,
        device: str | Sequence[str] = "auto",
        base_url: str | None = None,
        server: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> LikelihoodBackend:
        from .actors.quiet_ray import check_ray
        from .models.devices import device_names
        from .served.server_options import refuse_server

        refuse_server("likelihood backend 'hf'", base_url, server)
        there = self._there
        devices = ["auto"] if there is not None else device_names(device)
        if (len(devices) > 1 or there is not None) and not isinstance(scorer, ModelInMemory):
            check_ray(f"device {device!r}")
            from .actors.backend import ActorsBackend

            return ActorsBackend(scorer, devices=devices, there=there, **options)
        from .engine.huggingface import HuggingFaceBackend

        return HuggingFaceBackend(scorer, device=devices[0], **options)

    def check(
        self,
        scorer: str | ModelInMemory,
        *,
        device: str | Sequence[str] = "auto",
        base_url: str | None = None,
        server: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Raises ScorerError where loading is bound to fail, without loading the weights."""
        from .actors.quiet_ray import check_ray
        from .models.devices import device_names
        from .models.loading import read_texts
        from .served.server_options import refuse_server

        refuse_server("likelihood backend 'hf'", base_url, server)
        if isinstance(scorer, ModelInMemory):
            scorer.check()
            return
        if len(device_names(device)) > 1:
            check_ray(f"device {device!r}")
        read_texts(scorer, device=device, **options)

    def fitted_on(self, scorer: str | ModelInMemory, **options: Any) -> frozenset[str]:
        """Hashes of the questions that had a part in its fit. Raises ScorerError where its card cannot be read."""
        if not isinstance(scorer, ModelInMemory):
            return _fitted_on(scorer, options.get("revision"))
        return frozenset() if scorer.source is None else _fitted_on(scorer.source, scorer.revision)


class _Served:
    """Factory of a backend that asks a server; see `served/factory.py`, which loads transformers for its tokenizer."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, scorer: str, **options: Any) -> LikelihoodBackend:
        from .served.factory import make

        return make(self._name, scorer, **options)

    def check(self, scorer: str, **options: Any) -> None:
        """Raises ScorerError where the scorer's files are not found, or the server does not run it."""
        from .served.factory import check

        check(self._name, scorer, **options)

    def fitted_on(self, scorer: str, **options: Any) -> frozenset[str]:
        """Hashes of the questions that had a part in its fit. Raises ScorerError where its card cannot be read."""
        return _fitted_on(scorer, options.get("revision"))


def _fitted_on(scorer: str, revision: str | None) -> frozenset[str]:
    from .contamination.card import seen_questions
    from .contamination.overlap import scorer_card
    from .models.loading import resolve

    card = scorer_card(resolve(scorer), revision)
    return frozenset(seen_questions(card) if card else ())


def _as_it_is(extractor: ClaimExtractor) -> Callable[[Surroundings], ClaimExtractor]:
    """The factory of an extractor that takes no options and needs nothing around it."""

    def make(around: Surroundings) -> ClaimExtractor:
        del around
        return extractor

    return make


def _exact(around: Surroundings) -> Judge:
    del around
    return ExactJudge()


def _table(around: Surroundings) -> Any:  # a judge that is shown the traces, too
    del around
    return TableJudge()
