"""How many questions a verdict needs: for the exact test to decide at all, and for the intervals to be narrow."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from .statistics import LEVEL, Clustered

_LARGEST_EFFECT = 100.0  # from this effect size on, the least number that can decide suffices
_MOST = 2**40  # no data set has as many questions: the search ends


def fewest_clusters(alpha: float, tests: int) -> int:
    """The least number of clusters with which a sign-flip test can be significant after Holm's first step.

    Its p cannot fall below 2 / 2^G, reached where all clusters move in one direction, and `tests` times that must be
    below alpha.
    """
    count = 2
    while max(1, tests) * 2.0 ** (1 - count) >= alpha:
        count += 1
    return count


def questions_needed(
    data: Clustered, smallest: float, *, alpha: float, power: float, tests: int = 1, share: bool = False
) -> int | None:
    """How many questions are needed to tell a difference of `smallest` from none, given the spread of `data`.

    That many with which, each with probability `power`: a two-sided paired t test at alpha / tests detects a difference
    of `smallest`; and of equal runs the 95 % interval lies within ±smallest. Never fewer than those with which the
    exact test can decide at all, if as large a share of the clusters moves as here.

    Args:
        tests: tests in the family, so that alpha / tests is the strictest level of Holm's correction.
        share: the interval is `share_interval`, with its two added clusters.

    Returns:
        A number of questions; None where it cannot be computed (spread unknown, no smallest difference).
    """
    if math.isnan(data.sd) or math.isnan(smallest) or smallest <= 0:
        return None
    moved = data.moved / len(data.sums) or 1.0
    floor = math.ceil(fewest_clusters(alpha, tests) / moved)

    def detected(count: int) -> bool:
        return _power(smallest, data.sd, count, alpha / max(1, tests) / 2) >= power

    def enclosed(count: int) -> bool:
        spread = math.sqrt((data.sd**2 * count + 2) / (count + 2)) if share else data.sd
        # Both ends must hold. Each fails in at most half of the cases in which one of them may.
        return _power(smallest, spread, count, (1 - LEVEL) / 2) >= (1 + power) / 2

    count = max(floor, _first(detected, floor), _first(enclosed, floor))
    return math.ceil(count * float(data.counts.mean())) if count < _MOST else None


def _power(difference: float, sd: float, count: int, level: float) -> float:
    """Power of a one-sided t test of `count` clusters. Only this tail: with the other, the power solve is unstable."""
    from scipy.stats import nct, t

    effect = min(difference / sd, _LARGEST_EFFECT) if sd else _LARGEST_EFFECT
    found = float(nct.sf(t.isf(level, count - 1), count - 1, effect * math.sqrt(count)))
    return found if math.isfinite(found) else 1.0  # overflows only far beyond any threshold


def _first(reached: Callable[[int], bool], start: int) -> int:
    """The least number from `start` on for which `reached`, which is monotone."""
    most = start
    while most < _MOST and not reached(most):
        most *= 2
    return start + bisect_left(range(start, min(most, _MOST)), True, key=reached)
