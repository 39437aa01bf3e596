"""Wrappers around a judge and a retriever that count calls and measure time; the judge's is that of `judge-check`."""

from __future__ import annotations

from collections.abc import Sequence

from stepgauge.metrics.judge_check.timed import Clock, Timed, TimedJudge
from stepgauge.metrics.knowledge.base import Retriever
from stepgauge.metrics.knowledge.types import Claim, Passage
from stepgauge.metrics.trace import Trace

__all__ = ["Clock", "TimedJudge", "TimedRetriever"]


class TimedRetriever(Timed):
    def __init__(self, retriever: Retriever) -> None:
        super().__init__(retriever)

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        self.claims += len(claims)
        with self.clock:
            return self._part.retrieve(claims, traces)
