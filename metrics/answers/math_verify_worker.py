"""The process that compares formulas with math-verify. It may hang or swallow memory: the client then ends it.

Reads lines of JSON, [gold, other]; answers "1" where they are equal, "0" where not, "late" where `SECONDS` of computing
did not tell, and "failed" with the name of an error. "ready" is its first line.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from functools import lru_cache
from typing import IO, Any

SECONDS = 2.0  # of CPU time, so that a busy machine finds the same as an idle one
_MEMORY = 2 << 30  # bytes of address space
_CLOSE = 1e-5


class _Late(BaseException):
    """The time is up. No Exception, which sympy and math-verify would catch."""


def main() -> None:
    """Answer until nobody asks any more."""
    requests, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        _say(answers, "ready")
        for line in requests:
            _say(answers, _answer(*json.loads(line)))


def _answer(gold: str, other: str) -> str:
    try:
        _limit(SECONDS)
        try:
            return str(int(_equal(gold, other)))
        finally:
            _limit(0)
    except _Late:
        return "late"
    except Exception as error:  # neither this text nor sympy can be trusted to fail in a known way
        return f"failed {type(error).__name__}"


def _limit(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # not on Windows: there the asking process ends this one
        signal.signal(signal.SIGPROF, _late)
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _late(*_: Any) -> None:
    raise _Late


def _equal(gold: str, other: str) -> bool:
    from math_verify import verify

    first, second = _parsed(gold), _parsed(other)
    return bool(verify(first, second, timeout_seconds=None)) and not _far(first, second)


def _far(first: list[Any], second: list[Any]) -> bool:
    """Whether two small numbers differ: math-verify rounds to six decimals, to which 1.6e-19 is 1.7e-19."""
    numbers = [next((one for one in parsed if getattr(one, "is_number", False)), None) for parsed in (first, second)]
    if None in numbers:
        return False
    a, b = (complex(number) for number in numbers)  # type: ignore[arg-type]
    return abs(a - b) > _CLOSE * max(abs(a), abs(b))


@lru_cache(maxsize=4_096)
def _parsed(latex: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    return parse(f"${latex}$", [LatexExtractionConfig()], parsing_timeout=None)  # type: ignore[arg-type]


def _say(stream: IO[str], text: str) -> None:
    stream.write(text + "\n")
    stream.flush()
