"""A wrapper around a judge that counts claims and measures time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..knowledge.base import Judge
from ..knowledge.types import Claim, Passage, Verdict


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


class Timed:
    """Passes everything through to the wrapped part, except what a subclass times."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.clock = Clock()
        self.claims = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


class TimedJudge(Timed):
    """A judge whose calls are timed."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], *traces: Any
    ) -> list[Verdict | None]:
        self.claims += len(claims)
        with self.clock:
            return self._part.judge(claims, evidence, *traces)
