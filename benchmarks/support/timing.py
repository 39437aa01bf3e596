"""Wrappers around a judge and a retriever that count calls and measure time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from stepgauge.metrics.knowledge.base import Judge, Retriever
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.trace import Trace


class Clock:
    """Adds up wall-clock seconds and the CPU seconds of all threads.

    On a shared machine wall-clock time includes waiting for other work; CPU seconds do not.
    """

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0

    def __enter__(self) -> Clock:
        self._started = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._started[0]
        self.cpu += time.process_time() - self._started[1]


class _Timed:
    """Passes everything through to the wrapped part, except what a subclass times."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.clock = Clock()
        self.claims = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


class TimedJudge(_Timed):
    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], *traces: Any
    ) -> list[Verdict | None]:
        self.claims += len(claims)
        with self.clock:
            return self._part.judge(claims, evidence, *traces)


class TimedRetriever(_Timed):
    def __init__(self, retriever: Retriever) -> None:
        super().__init__(retriever)

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        self.claims += len(claims)
        with self.clock:
            return self._part.retrieve(claims, traces)
