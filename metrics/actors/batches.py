"""Cuts a list of items into batches for several actors, longest first."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Items in a batch big enough for an engine to work efficiently, if there are enough for every actor.
_LEAST = 4


def batches(costs: Sequence[float], actors: int) -> list[list[int]]:
    """Batches of indices in the order in which they are dealt: most expensive first, in shrinking batches.

    A batch holds half of an actor's fair share of what is left, so that all finish at about the same time. Batches
    depend only on the costs: the same items always form the same batches, whichever actor takes them.
    """
    costs = [max(cost, 1.0) for cost in costs]
    order = sorted(range(len(costs)), key=lambda i: -costs[i])
    least = min(_LEAST, math.ceil(len(order) / actors))
    left = float(sum(costs))
    out: list[list[int]] = []
    first = 0
    while first < len(order):
        last, cost = first, 0.0
        while last < len(order) and (last - first < least or cost + costs[order[last]] <= left / (2 * actors)):
            cost += costs[order[last]]
            last += 1
        out.append(order[first:last])
        left, first = left - cost, last
    return out
