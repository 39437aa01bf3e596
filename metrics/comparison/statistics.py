"""Paired statistics over clusters of questions: bootstrap interval, permutation test, Holm, questions needed.

Chains that share a question text are not independent, so they form a cluster that is resampled as a whole. Each cluster
is stored as the sum of its differences and their count, so that the resampled statistic is the mean over questions.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CELLS = 4_000_000  # resampled numbers held in memory at a time
_LEVEL = 0.95
_FEWEST = 3  # the least number of clusters ever reported as needed
_LARGEST_EFFECT = 100.0  # from this effect size on, that least number suffices

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Clustered:
    """Paired differences summed by cluster.

    Attributes:
        sums: (G,) sum of the differences in each cluster.
        counts: (G,) number of questions in each cluster.
    """

    sums: Array
    counts: Array

    @property
    def mean(self) -> float:
        """Mean difference over questions."""
        return float(self.sums.sum() / self.counts.sum())

    @property
    def sd(self) -> float:
        """Standard deviation of clusters' influence on the mean, in units of a question's difference; nan for G < 2."""
        if len(self.sums) < 2:
            return math.nan
        pulls = (self.sums - self.counts * self.mean) / self.counts.mean()
        return float(pulls.std(ddof=1))


def clustered(differences: Sequence[float], clusters: Sequence[str]) -> Clustered:
    """Sum the differences by cluster. Both sequences have length n >= 1."""
    _, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    return Clustered(np.bincount(index, weights=differences).astype(np.float64), np.bincount(index).astype(np.float64))


def interval(data: Clustered, *, resamples: int, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the mean difference (BCa; plain percentiles where that is undefined).

    Returns:
        (low, high); (nan, nan) for fewer than two clusters.
    """
    from scipy.stats import bootstrap

    if len(data.sums) < 2:
        return math.nan, math.nan
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a degenerate BCa interval is nan; the percentile interval replaces it
            result = bootstrap(
                (data.sums, data.counts),
                lambda sums, counts, axis=-1: sums.sum(axis=axis) / counts.sum(axis=axis),
                n_resamples=resamples,
                batch=_batch(data),
                vectorized=True,
                paired=True,
                confidence_level=_LEVEL,
                method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if math.isfinite(result.low) and math.isfinite(result.high):
            return float(result.low), float(result.high)
    return math.nan, math.nan


def permutation_p(data: Clustered, *, resamples: int, seed: int) -> float:
    """Two-sided p of "base and tuned are exchangeable within each question"; exact for few clusters, nan for one."""
    from scipy.stats import permutation_test

    if len(data.sums) < 2:
        return math.nan
    result = permutation_test(
        (data.sums,),
        lambda sums, axis=-1: sums.sum(axis=axis),
        permutation_type="samples",  # with a single sample this flips signs
        vectorized=True,
        n_resamples=resamples,
        batch=_batch(data),
        alternative="two-sided",
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction over the p values that are not nan; nan stays nan."""
    there = np.array([p for p in p_values if not math.isnan(p)])
    order = np.argsort(there)
    # Not statsmodels' `multipletests`: it runs a full garbage collection on every call.
    stepped = np.maximum.accumulate(there[order] * np.arange(len(there), 0, -1)).clip(max=1.0)
    corrected = iter(stepped[np.argsort(order)].tolist())
    return [p if math.isnan(p) else next(corrected) for p in p_values]


def questions_needed(data: Clustered, smallest: float, *, alpha: float, power: float) -> int | None:
    """How many questions a paired two-sided test at `alpha` needs to detect a difference of `smallest`.

    Returns:
        A number of questions; None where it cannot be computed (spread unknown, no smallest difference).
    """
    from scipy.stats import nct, t

    if math.isnan(data.sd) or math.isnan(smallest) or smallest <= 0:
        return None
    effect = min(smallest / data.sd, _LARGEST_EFFECT) if data.sd else _LARGEST_EFFECT

    def reached(clusters: int) -> bool:
        # Only the tail on the side of the difference: the other is negligible, and statsmodels computes nan with it.
        return float(nct.sf(t.isf(alpha / 2, clusters - 1), clusters - 1, effect * math.sqrt(clusters))) >= power

    most = _FEWEST
    while not reached(most):
        most *= 2
    clusters = _FEWEST + bisect_left(range(_FEWEST, most), True, key=reached)
    return math.ceil(clusters * float(data.counts.mean()))


def _batch(data: Clustered) -> int:
    return max(1, _CELLS // len(data.sums))
