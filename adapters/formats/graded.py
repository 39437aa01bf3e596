"""`Graded`: what an lm-eval run's own metrics say of one response, and the answer that they saw."""

from __future__ import annotations

from typing import Any, NamedTuple

_NOTHING_FOUND = "[invalid]"  # what lm-eval's filters put in the place of an answer


class Graded(NamedTuple):
    """One response: its metrics, and the answer that they saw; None where the run's filter found none."""

    metrics: dict[str, float]
    answer: str | None


def answer_in(filtered: Any) -> str | None:
    """The answer in what a filter left of one response; None where it found none."""
    while isinstance(filtered, list | tuple) and len(filtered) == 1:
        filtered = filtered[0]
    return filtered if isinstance(filtered, str) and filtered.strip() and filtered != _NOTHING_FOUND else None
