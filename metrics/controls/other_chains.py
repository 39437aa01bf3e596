"""Steps of other questions' chains, chosen by rendezvous hashing.

Each chain ranks all others by a hash of its own hash and theirs. So the choice does not depend on the order of the
chains, adding a chain affects only those that rank it high, and all chains are used about equally often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..answers.matching import AnswerMatcher
from ..chain import SourceChain
from ..trace import Step, Trace

# Bounds the cost when nearly every available step states the gold answer.
_MOST_CHAINS = 1000
_FIRST_RANKS = 32


@dataclass(frozen=True)
class _Source:
    chain: SourceChain
    question: str
    steps: Sequence[str]


class ForeignSteps:
    """The pool of foreign steps: all steps of the given chains except those that only announce an answer."""

    def __init__(self, chains: Sequence[tuple[Trace, Sequence[Step]]]) -> None:
        sources: dict[str, _Source] = {}
        # Sorted, so that among equal traces the same one is always named, whatever their order.
        for trace, steps in sorted(chains, key=lambda chain: chain[0].id or ""):
            texts = [step.text for step in steps if step.kind != "final_answer"]
            if texts:
                chain = SourceChain(trace.id, trace.hash)
                sources.setdefault(chain.trace_hash, _Source(chain, _question(trace), texts))
        self._sources = [sources[key] for key in sorted(sources)]
        self._hashes = np.array([int(key, 16) for key in sorted(sources)], dtype=np.uint64)

    def draw(self, trace: Trace, matcher: AnswerMatcher, count: int) -> tuple[list[str], list[SourceChain]]:
        """Up to `count` steps that do not state this question's gold answer, and the chains they come from.

        Takes the steps of the best-ranked chain in order, then those of the next until there are enough.

        Args:
            matcher: knows the gold answer of `trace`.
        """
        question = _question(trace)
        texts: list[str] = []
        chains: list[SourceChain] = []
        for looked_at, index in enumerate(self._ranked(trace.hash)):
            if len(texts) == count or looked_at == _MOST_CHAINS:
                break
            source = self._sources[index]
            if source.question == question:
                continue
            before = len(texts)
            for text in source.steps:
                if len(texts) < count and not matcher.states(text):
                    texts.append(text)
            if len(texts) > before:
                chains.append(source.chain)
        return texts, chains

    def _ranked(self, trace_hash: str) -> Iterator[int]:
        """Indices of all sources, best rank first; lower ranks are sorted only when needed."""
        own = _mixed(np.array([int(trace_hash, 16)], dtype=np.uint64))
        ranks = _mixed(self._hashes ^ own)
        near = min(_FIRST_RANKS, len(ranks))
        order = np.argpartition(ranks, near - 1) if 0 < near < len(ranks) else np.arange(len(ranks))
        for part in (order[:near], order[near:]):
            yield from part[np.argsort(ranks[part], kind="stable")].tolist()


def _question(trace: Trace) -> str:
    return " ".join(trace.question.split()).casefold()


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A one-to-one scrambling of 64-bit numbers (splitmix64's; public domain)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
