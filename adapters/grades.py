"""What a framework says of an answer, as a number: the accuracy beside which our scores stand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .scored import is_chain

if TYPE_CHECKING:
    from inspect_ai.log import EvalSample
    from inspect_ai.scorer import Score

_LARGEST = 1e100
# What Inspect's own metrics take its grades for.
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def number(value: object) -> float | None:
    """`value` as a number; None for anything else, what is not finite and what is too large to compute with."""
    return float(value) if isinstance(value, bool | int | float) and abs(value) <= _LARGEST else None


def accuracy_of(sample: EvalSample) -> dict[str, float]:
    """Of an Inspect sample, other scorers' numbers by scorer, and by key where a scorer has several."""
    return {name: graded for name, _, graded in _grades(sample)}


def read_answers(sample: EvalSample) -> dict[str, str]:
    """The answers that those scorers saw, by the same names; only those that a scorer recorded."""
    return {name: score.answer for name, score, _ in _grades(sample) if isinstance(score.answer, str)}


def _grades(sample: EvalSample) -> Iterator[tuple[str, Score, float]]:
    for name, score in (sample.scores or {}).items():
        if is_chain(score.metadata):
            continue  # one of ours
        values = score.value if isinstance(score.value, Mapping) else {None: score.value}
        for key, value in values.items():
            graded = _grade(value)
            if graded is not None:
                yield name if key is None else f"{name}/{key}", score, graded


def _grade(value: Any) -> float | None:
    if isinstance(value, str):
        return _GRADES.get(value)
    return None if isinstance(value, float) and math.isnan(value) else number(value)
