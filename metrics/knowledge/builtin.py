"""stepgauge's own claim extractors, retrievers and judges, registered like any plugin's."""

from __future__ import annotations

from collections.abc import Callable

from ..hookspecs import hookimpl
from ..retrieval.retrievers import BUILTIN_RETRIEVERS
from .arithmetic.extractor import ARITHMETIC
from .base import ClaimExtractor, Judge, Retriever, Surroundings
from .arithmetic.judge import ExactJudge
from .claims.llm import make as make_llm_claims
from .judges.lm import LmJudge
from .judges.nli import make as make_nli_judge
from .judges.openai import make as make_openai_judge
from .claims.sentence import SENTENCES_AS_CLAIMS


@hookimpl
def register_claim_extractors(register: Callable[[str, Callable[..., ClaimExtractor]], None]) -> None:
    for extractor in (ARITHMETIC, SENTENCES_AS_CLAIMS):
        register(extractor.name, _as_it_is(extractor))
    register("llm", make_llm_claims)


@hookimpl
def register_retrievers(register: Callable[[str, Callable[..., Retriever]], None]) -> None:
    for retriever in BUILTIN_RETRIEVERS:
        register(retriever.name, retriever)


@hookimpl
def register_judges(register: Callable[[str, Callable[..., Judge]], None]) -> None:
    register(ExactJudge.name, _exact)
    register("lm", LmJudge)
    register("nli", make_nli_judge)
    register("openai", make_openai_judge)


def _as_it_is(extractor: ClaimExtractor) -> Callable[[Surroundings], ClaimExtractor]:
    """The factory of an extractor that takes no options and needs nothing around it."""

    def make(around: Surroundings) -> ClaimExtractor:
        del around
        return extractor

    return make


def _exact(around: Surroundings) -> Judge:
    del around
    return ExactJudge()
