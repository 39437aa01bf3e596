"""A likelihood backend that takes a set time per chain and no core of this machine, as an accelerator does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stepgauge.metrics.likelihood import Group, Request, Result, SpanScore
from stepgauge.metrics.plugins import registry

NAME = "timed"


class TimedBackend:
    """Sleeps, which does not hold the interpreter; its numbers follow from the place of a request in its group.

    Attributes:
        seconds: per chain.
    """

    computes_elsewhere = True
    seconds = 0.0

    def __init__(self, scorer: str, **_: Any) -> None:
        self._scorer = scorer

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        out: list[Result] = []
        began = time.monotonic()
        for number, group in enumerate(groups, 1):
            # As a device that has its passes queued: late to look at one result is not late for the next.
            time.sleep(max(0.0, began + number * self.seconds - time.monotonic()))
            out.append([SpanScore(-1 - i % 7 / 8, 3, 100 + i) for i in range(len(group))])
            done(1)
        return out

    def too_long(self, request: Request) -> str | None:
        del request
        return None

    def render_chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        return "\n".join(message["content"] for message in messages)

    def describe(self) -> dict[str, Any]:
        return {"scorer": self._scorer, "revision": None, "dtype": "none"}

    def close(self) -> None:
        pass


def register_timed(seconds: float) -> None:
    """Make the backend known to this process by its name."""
    TimedBackend.seconds = seconds
    registry().backends[NAME] = TimedBackend
