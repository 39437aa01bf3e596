"""A likelihood backend that costs nothing: numbers follow from the text alone. For tests and benchmarks of the rest.

The folder needs no installing: on PYTHONPATH, its `.dist-info` announces the plugin. STEPGAUGE_CHEAP_SECONDS makes it
sleep that long per chain. A text that holds "CANNOT BE SCORED" raises.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from stepgauge.metrics.hookspecs import hookimpl
from stepgauge.metrics.likelihood import Group, Request, Result, SpanScore


class CheapBackend:
    computes_elsewhere = True

    def __init__(self, scorer: str, **_: Any) -> None:
        self._scorer = scorer

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        out: list[Result] = []
        for group in groups:
            time.sleep(float(os.environ.get("STEPGAUGE_CHEAP_SECONDS", "0")))
            if any("CANNOT BE SCORED" in request.text for request in group):
                raise RuntimeError("this text cannot be scored")
            out.append([self._one(request) for request in group])
            done(1)
        return out

    def _one(self, request: Request) -> SpanScore:
        noise = zlib.crc32(request.text.encode("utf-8", "replace")) % 1000
        return SpanScore(-1 - noise / 100, len(request.text[request.start :].split()) or 1, request.start)

    def too_long(self, request: Request) -> str | None:
        del request
        return None

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return "\n".join(message["content"] for message in messages)

    def describe(self) -> dict[str, Any]:
        return {"scorer": self._scorer, "revision": None, "dtype": "none"}

    def close(self) -> None:
        pass


@hookimpl
def register_likelihood_backends(register):
    register("cheap", CheapBackend)
