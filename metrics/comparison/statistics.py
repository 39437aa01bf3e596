"""Paired statistics over clusters of questions: intervals, permutation test, Holm's correction.

Chains that share a question text are not independent, so they form a cluster that is resampled as a whole. Each cluster
is stored as the sum of its differences and their count, so that the resampled statistic is the mean over questions.

Sources: Efron and Tibshirani (1993), ch. 14 (BCa); Hesterberg (2015), doi:10.1080/00031305.2015.1089789 (expanded
percentiles for small samples); Bonett and Price (2012), doi:10.3102/1076998611411915 (paired proportions); Holm (1979).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_CELLS = 1_000_000  # resampled numbers held in memory at a time
_IN_CACHE = 65_536  # of them counted at a time: counting jumps about, and is five times slower outside the cache
_TIE = 1e-9  # relative; sums in another order differ in their last bits, and equal ones count as reached

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
        return float(self._pulls.std(ddof=1)) if len(self.sums) > 1 else math.nan

    @property
    def moved(self) -> int:
        """Clusters whose difference is not 0: the only ones that a sign flip changes."""
        return int(np.count_nonzero(self.sums))

    @property
    def _pulls(self) -> Array:
        return (self.sums - self.counts * self.mean) / self.counts.mean()


def clustered(differences: Sequence[float], clusters: Sequence[str]) -> Clustered:
    """Sum the differences by cluster. Both sequences have length n >= 1."""
    places = {name: place for place, name in enumerate(sorted(set(clusters)))}
    index = np.fromiter(map(places.__getitem__, clusters), dtype=np.intp, count=len(clusters))
    return Clustered(np.bincount(index, weights=differences).astype(np.float64), np.bincount(index).astype(np.float64))


def share_interval(data: Clustered, most: float = 1.0) -> tuple[float, float]:
    """95 % interval of the mean of differences that lie between -most and most, such as that of two accuracies.

    Bonett and Price's: a cluster with the largest difference and one with the smallest are added. Without them, runs
    that agree on each of 20 questions would differ by exactly 0; a bootstrap cannot draw what did not occur.

    Returns:
        (low, high); (nan, nan) for fewer than two clusters.
    """
    if len(data.sums) < 2:
        return math.nan, math.nan
    size = data.counts.mean()
    padded = Clustered(np.append(data.sums, [size * most, -size * most]), np.append(data.counts, [size, size]))
    half = _z(LEVEL) * float(padded._pulls.std()) / math.sqrt(len(padded.sums))
    return max(-most, padded.mean - half), min(most, padded.mean + half)


def unanimous_interval(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share that was 0, or 1, in each of n >= 2 clusters, which a bootstrap cannot give.

    Clopper and Pearson's (1934): what did not occur in n clusters may occur in 1 - 0.025^(1/n) of all.

    Returns:
        (low, high); (nan, nan) for another share, or fewer than two clusters.
    """
    if n < 2 or share not in (0, 1):
        return math.nan, math.nan
    edge = ((1 - LEVEL) / 2) ** (1 / n)
    return (edge, 1.0) if share else (0.0, 1 - edge)


def intervals(many: Sequence[Clustered], *, resamples: int, seed: int) -> list[tuple[float, float]]:
    """95 % bootstrap intervals of mean differences (BCa; plain percentiles where that is undefined).

    Measures with equally many clusters share one draw. The percentiles are those of a t distribution's width, since a
    bootstrap of G clusters is too narrow by sqrt((G - 1) / G) and by the difference of t and normal quantiles.

    Returns:
        (low, high) each; (nan, nan) for fewer than two clusters.
    """
    out = [(math.nan, math.nan)] * len(many)
    for count, members in _by_size(many).items():
        if count < 2:
            continue
        # Most measures have the same questions, so the same counts: these are added up once.
        counts = {many[i].counts.tobytes(): many[i].counts for i in members}
        columns = np.stack([*counts.values(), *(many[i].sums for i in members)], axis=1)
        drawn = np.concatenate([weights @ columns for weights in _drawn(count, resamples, seed)])
        places = {key: place for place, key in enumerate(counts)}
        for place, i in enumerate(members, len(counts)):
            out[i] = _bca(many[i], drawn[:, place] / drawn[:, places[many[i].counts.tobytes()]])
    return out


def permutation_ps(many: Sequence[Clustered], *, resamples: int, seed: int) -> list[float]:
    """Two-sided p of "base and tuned are exchangeable within each question", of each measure; nan for one cluster.

    Exact where all moved clusters move equally far (then it is McNemar's exact test), or where there are no more sign
    patterns of the moved clusters than resamples; else from `resamples` random patterns, the observed one among them.
    """
    out = [math.nan] * len(many)
    random: dict[int, Array] = {}
    for i, data in enumerate(many):
        sums = data.sums[data.sums != 0]
        if len(data.sums) < 2:
            continue
        if not len(sums):
            out[i] = 1.0
        elif np.ptp(np.abs(sums)) <= _TIE * np.abs(sums).max():
            out[i] = _mcnemar(int((sums > 0).sum()), len(sums))
        elif 2 ** len(sums) <= resamples:
            out[i] = float(_reached(sums, _all_flips(len(sums)) @ sums).mean())
        else:
            random[i] = data.sums
    for members in _by_size([many[i] for i in random]).values():
        indices = [list(random)[place] for place in members]
        sums = np.stack([random[i] for i in indices], axis=1)
        up = np.concatenate([kept @ sums for kept in _flips(len(sums), resamples, seed)])
        flipped = 2 * up - sums.sum(axis=0)
        for place, i in enumerate(indices):
            out[i] = float((_reached(sums[:, place], flipped[:, place]).sum() + 1) / (resamples + 1))
    return out


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction over the p values that are not nan; nan stays nan."""
    there = np.array([p for p in p_values if not math.isnan(p)])
    order = np.argsort(there)
    stepped = np.maximum.accumulate(there[order] * np.arange(len(there), 0, -1)).clip(max=1.0)
    corrected = iter(stepped[np.argsort(order)].tolist())
    return [p if math.isnan(p) else next(corrected) for p in p_values]


def _by_size(many: Sequence[Clustered]) -> dict[int, list[int]]:
    out: dict[int, list[int]] = defaultdict(list)
    for i, data in enumerate(many):
        out[len(data.sums)].append(i)
    return out


def _drawn(count: int, resamples: int, seed: int) -> Iterator[Array]:
    """How often each of `count` clusters is drawn, (rows, count) at a time: a resampled sum is a matrix product.

    The draws are those of `rng.integers(0, count, (resamples, count))`, as SciPy's bootstrap makes them.
    """
    rng = np.random.default_rng(seed)
    few = max(1, _IN_CACHE // count)
    for rows in _batches(count, resamples):
        weights = np.empty((rows, count))
        for start in range(0, rows, few):
            part = weights[start : start + few]
            picks = rng.integers(0, count, part.shape)
            picks += np.arange(0, part.size, count)[:, None]
            part[:] = np.bincount(picks.ravel(), minlength=part.size).reshape(part.shape)
        yield weights


def _flips(count: int, resamples: int, seed: int) -> Iterator[Array]:
    """1 where a random sign is plus and 0 where it is minus, (rows, count) at a time, from packed bits."""
    rng = np.random.default_rng(seed)
    for rows in _batches(count, resamples):
        packed = np.frombuffer(rng.bytes(rows * ((count + 7) // 8)), dtype=np.uint8).reshape(rows, -1)
        yield np.unpackbits(packed, axis=1, count=count).astype(np.float64)


def _all_flips(count: int) -> Array:
    return ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(np.float64) * 2 - 1


def _reached(sums: Array, flipped: Array) -> NDArray[np.bool_]:
    return np.abs(flipped) >= abs(sums.sum()) - _TIE * np.abs(sums).sum()


def _batches(count: int, resamples: int) -> Iterator[int]:
    """Rows of `count` numbers to hold at a time: fours, so that random bytes are the same in any batches."""
    most = max(4, _CELLS // count // 4 * 4)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)


def _mcnemar(up: int, moved: int) -> float:
    from scipy.stats import binom

    return min(1.0, 2 * float(binom.cdf(min(up, moved - up), moved, 0.5)))


def _bca(data: Clustered, drawn: Array) -> tuple[float, float]:
    from scipy.special import ndtr, ndtri, stdtrit

    count, mean = len(data.sums), data.mean
    tail = ndtri(ndtr(math.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 - LEVEL) / 2)))
    ends = np.array([tail, -tail])
    tie = _TIE * np.abs(data.sums).sum() / data.counts.sum()
    below = ((drawn < mean - tie).sum() + (drawn <= mean + tie).sum()) / (2 * len(drawn))
    # Leaving a cluster out changes the two sums by what is in it: the jackknife needs no loop.
    left = (data.sums.sum() - data.sums) / (data.counts.sum() - data.counts)
    pulls = left.mean() - left
    with np.errstate(all="ignore"):  # where nothing varies this is nan, and the percentiles below replace it
        skew = (pulls**3).sum() / (6 * (pulls**2).sum() ** 1.5)
        shifted = ndtri(below) + ends
        quantiles = ndtr(ndtri(below) + shifted / (1 - skew * shifted))
    if not np.isfinite(quantiles).all():
        quantiles = ndtr(ends)
    low, high = np.quantile(drawn, quantiles)
    return float(low), float(high)


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
