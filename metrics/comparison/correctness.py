"""What a run says of one response: right, wrong, something between, or nothing."""

from __future__ import annotations

import math
from typing import NamedTuple

from .record import Record

UNTOLD = "the run does not say whether it is right"


class Correctness(NamedTuple):
    """The run's verdict on one response.

    Attributes:
        right: True or False; None where the run's number is neither 1 nor 0, or there is none.
        said: the verdict in words, with the metric that it rests on.
        metric: that metric, the run's first; None without one.
    """

    right: bool | None
    said: str
    metric: str | None = None


def correctness(record: Record) -> Correctness:
    """Right or wrong by the first of the run's own metrics that has a number for this response."""
    found = next(((name, value) for name, value in record.accuracy.items() if not math.isnan(value)), None)
    if found is None:
        return Correctness(None, UNTOLD)
    metric, value = found
    if record.accuracy_shared is not None:
        return Correctness(None, f"{UNTOLD}: {record.accuracy_shared}", metric)
    if value in (0, 1):
        return Correctness(bool(value), f"{'✓ right' if value else '✗ wrong'} ({metric})", metric)
    if 0 < value < 1:
        return Correctness(None, f"neither right nor wrong ({metric} {value:.3g})", metric)
    return Correctness(None, f"{UNTOLD} ({metric} {value:.4g})", metric)
