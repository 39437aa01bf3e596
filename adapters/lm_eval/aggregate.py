"""Aggregates per-document numbers for lm-eval's table, leaving missing numbers out instead of counting them as 0.

With lm-eval's own `mean` one missing number makes the whole task nan, and lm-eval has a closed-form standard error only
for that `mean`. So both are computed here.
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
    """A mean that remembers how many numbers it covers, so that the means of a group's tasks can be pooled.

    Attributes:
        count: numbers that were not missing; 0 if the mean is nan.
    """

    count: int

    def __new__(cls, value: float, count: int = 0) -> Mean:
        self = super().__new__(cls, value)
        self.count = count
        return self


@register_aggregation(NAN_MEAN)
def nan_mean(values: Sequence[float | None]) -> Mean:
    """Mean of the numbers that are not missing; nan if all are."""
    present = _present(values)
    return Mean(math.fsum(present) / len(present), len(present)) if present else Mean(math.nan)


def nan_stderr(values: Sequence[float | None]) -> float | Literal["N/A"]:
    """Standard error of `nan_mean`, from the sample standard deviation; lm-eval's "N/A" for fewer than two numbers."""
    present = _present(values)
    return statistics.stdev(present) / math.sqrt(len(present)) if len(present) > 1 else "N/A"


def nan_spread(values: Sequence[float | None]) -> float:
    """Sample standard deviation of the numbers that are not missing; nan for fewer than two."""
    present = _present(values)
    return statistics.stdev(present) if len(present) > 1 else math.nan


def total(values: Sequence[int]) -> int:
    """The sum of counts."""
    return int(sum(values))
