"""How per-document numbers become a row of lm-eval's table, with missing numbers left out instead of counted as 0.

lm-eval's own `mean` turns one missing number into nan for the whole task, and its standard error is closed-form for
that `mean` alone, so both are computed here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from lm_eval.api.registry import register_aggregation

NAN_MEAN = "stepgauge_nan_mean"


def _present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and not math.isnan(value)]


class Mean(float):
    """A mean that remembers how many numbers it is of, so that the means of a group's tasks can be pooled.

    Attributes:
        count: numbers that were there; 0 where the mean is nan.
    """

    count: int

    def __new__(cls, value: float, count: int = 0) -> Mean:
        self = super().__new__(cls, value)
        self.count = count
        return self


@register_aggregation(NAN_MEAN)
def nan_mean(values: Sequence[float | None]) -> Mean:
    """Mean of the numbers that are there; nan when none is."""
    present = _present(values)
    return Mean(math.fsum(present) / len(present), len(present)) if present else Mean(math.nan)


def nan_stderr(values: Sequence[float | None]) -> float | Literal["N/A"]:
    """Standard error of `nan_mean`, with the sample standard deviation; "N/A", as lm-eval writes it, below two."""
    present = _present(values)
    return statistics.stdev(present) / math.sqrt(len(present)) if len(present) > 1 else "N/A"


def nan_spread(values: Sequence[float | None]) -> float:
    """Sample standard deviation of the numbers that are there; nan below two."""
    present = _present(values)
    return statistics.stdev(present) if len(present) > 1 else math.nan


def total(values: Sequence[int]) -> int:
    """Sum of counts."""
    return int(sum(values))
