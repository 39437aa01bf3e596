"""What the parts that ask a chat model on a server will cost: calls, tokens and money, before anything is sent.

Messages are made as in the run, of chains cut here by rule; what only the run can tell (the claims that an LM finds,
the passages that are found for them) is taken at its most.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...metrics import Gauge, Trace
from ...metrics.knowledge.base import Surroundings
from ...metrics.knowledge.chat.prompts import read_prompt
from ...metrics.lm_steps.asking import message_of
from ...metrics.lm_steps.splitter import windows_of
from ...metrics.plugins import registry
from ...metrics.presets import without_preset
from ...metrics.retrieval.corpus import Corpus
from ...metrics.segment import Segmentation, segment
from ...metrics.segment.sentences import split_sentences
from ...metrics.trace import Step
from ..formats.sources import Source
from ..formats.windows import WINDOW, windows

CHARACTERS_A_TOKEN = 4.0  # of English in the vocabularies in use; other languages take more tokens
_PASSAGE = 1_000  # characters; MedRAG's snippets have at most that many
_PASSAGES = 5
_SAMPLE = 200  # chunks whose lengths are looked at
_CLAIM, _CLAIM_TOKENS, _VERDICT_TOKENS, _NUMBER_TOKENS = 150, 60, 60, 3


@dataclass
class Part:
    """One part that asks a server.

    Attributes:
        model: which it asks.
        prices: per million prompt and completion tokens; None: not given.
    """

    name: str
    model: str
    prices: tuple[float, float] | None
    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    def ask(self, characters: int, completion: float) -> None:
        self.calls += 1
        self.prompt_tokens += characters / CHARACTERS_A_TOKEN
        self.completion_tokens += completion

    @property
    def cost(self) -> float:
        """In the currency of the prices; nan without them."""
        if self.prices is None:
            return math.nan
        return (self.prompt_tokens * self.prices[0] + self.completion_tokens * self.prices[1]) / 1e6


@dataclass
class Asked:
    """What some chains will have servers do; `claims` is the most there can be."""

    parts: list[Part] = field(default_factory=list)
    chains: int = 0
    steps: int = 0
    claims: int = 0


def asked_servers(sources: Sequence[Source], options: Mapping[str, Any], limit: int | None) -> Asked:
    """Read all chains; asks nobody.

    Args:
        options: those of `Gauge`, its preset not yet written out.
    """
    defaults = {name: one.default for name, one in inspect.signature(Gauge).parameters.items()}
    given: dict[str, Any] = {**defaults, **without_preset(options, defaults)}
    splitter = _server(given["splitter"], "splitter", "llm")
    extractors = [_server(one, "claims", "llm") for one in _list(given["claims"])]
    judges = [_server(one, "judges", "openai") for one in _list(given["judges"])]
    asked = Asked([part for part in (splitter, *extractors, *judges) if part is not None])
    if not asked.parts:
        return asked
    cutting: Any = given["splitter"]
    cut_by = "auto" if isinstance(cutting, Mapping) or cutting == "llm" else cutting
    passages = _passages(given["retriever"], given["corpus"])
    for window in windows(sources, WINDOW, limit):
        traces = [entry.trace for entry in window.entries]
        found = segment(traces, cut_by, {**registry().splitters})
        asked.chains += len(traces)
        asked.steps += sum(len(one.steps) for one in found)
        if splitter is not None:
            _cut(splitter, cutting, traces)
        claims = 0
        for one, part in zip(_list(given["claims"]), extractors, strict=True):
            claims += _of_rule(one, traces, found) if part is None else _extracted(part, one, traces, found)
        asked.claims += claims
        for one, part in zip(_list(given["judges"]), judges, strict=True):
            if part is not None:
                prompt = _system("openai", one, "two_way" if one.get("two_way") else "default")
                for _ in range(claims):
                    part.ask(prompt + _CLAIM + passages, _VERDICT_TOKENS)
    return asked


def _server(given: Any, sort: str, name: str) -> Part | None:
    """A part that asks a server, which its options name."""
    if not isinstance(given, Mapping) or given.get("name") != name or not given.get("base_url"):
        return None
    prices = (given.get("prompt_price"), given.get("completion_price"))
    known = None if prices[0] is None or prices[1] is None else (float(prices[0]), float(prices[1]))
    return Part({"claims": "extractor", "judges": "judge"}.get(sort, sort), str(given.get("model")), known)


def _list(given: Any) -> list[Any]:
    return [given] if isinstance(given, str | Mapping) else list(given)


def _system(kind: str, given: Mapping[str, Any], default: str) -> int:
    named = given.get("prompt") or default
    return len(read_prompt(kind, default if named == "default" else named, ()).text)


def _cut(part: Part, given: Any, traces: Iterable[Trace]) -> None:
    system = _system("steps", given, "openai")
    for trace in traces:
        for window in windows_of(trace.response, split_sentences(trace.response)):
            part.ask(system + len(message_of(window)), _NUMBER_TOKENS * len(window.pieces))


def _extracted(part: Part, given: Mapping[str, Any], traces: Sequence[Trace], found: Sequence[Segmentation]) -> int:
    system, most = _system("claims", given, "openai"), int(given.get("max_claims", 3))
    half = int(given.get("context_characters", 3_000)) // 2
    claims = 0
    for trace, cut in zip(traces, found, strict=True):
        for step in cut.steps:
            if step.kind != "final_answer":
                shown = min(half, len(trace.question)) + min(half, step.start) + len(step.text)
                part.ask(system + shown, most * _CLAIM_TOKENS)
                claims += most
    return claims


def _of_rule(given: Any, traces: Sequence[Trace], found: Sequence[Segmentation]) -> int:
    """The sentences that a rule finds; 0 for an extractor that would ask the scoring LM, or for other kinds."""
    name = given if isinstance(given, str) else given.get("name")
    if name != "sentence":
        return 0
    extractor = registry().extractors[name](Surroundings(likelihoods=_nobody))
    steps: list[Sequence[Step]] = [cut.steps for cut in found]
    return sum(len(claims) for claims in extractor.extract(traces, steps))


def _nobody() -> Any:
    raise AssertionError("an estimate asks nobody")


def _passages(retriever: Any, corpus: str | None) -> int:
    """Characters of the passages that a claim is shown with."""
    if retriever is None:
        return 0
    options = retriever if isinstance(retriever, Mapping) else {}
    k = int(options.get("k") or _PASSAGES)
    return k * (_PASSAGE if corpus is None else _mean_passage(corpus))


def _mean_passage(folder: str) -> int:
    """Characters of a chunk, of a sample. Raises CorpusError where there is no corpus."""
    corpus = Corpus(folder)
    step = max(1, len(corpus) // _SAMPLE)
    found = corpus.passages([(number, 0.0) for number in range(0, len(corpus), step)])
    return round(sum(len(one.title) + len(one.text) for one in found) / max(1, len(found))) or _PASSAGE
