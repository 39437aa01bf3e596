"""Calibration of confidences: Brier score, ECE, AUROC, risk–coverage curve and its area.

A `Grouped` holds responses by their distinct confidences, so that responses of the same confidence are exchangeable:
no number depends on the order in which they stand. Sources and formulas are in docs/calibration.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BINS = 10


@dataclass(frozen=True)
class Grouped:
    """Responses by their distinct confidences, of one sample or of several resamples of it.

    Attributes:
        confidence: (g,) ascending, each once, between 0 and 1.
        counts: (…, g) responses with that confidence, whole numbers; 0 where a resample has none.
        right: (…, g) how many of them are right.
    """

    confidence: Array
    counts: Array
    right: Array


def brier(data: Grouped) -> Array:
    """Mean of (confidence - correctness)², (…,). Brier 1950, for two outcomes."""
    c = data.confidence
    squares = data.right * (1 - c) ** 2 + (data.counts - data.right) * c**2
    return squares.sum(-1) / data.counts.sum(-1)


def ece(data: Grouped, bins: int = BINS) -> Array:
    """Expected calibration error over bins of the same mass, (…,).

    The responses, sorted by confidence, are cut into `bins` bins of n / bins each; one at a cut belongs to both bins
    with its shares, and responses of the same confidence are spread evenly over the mass they take up. With |B| = n /
    bins this is the sum over bins of |B| / n · |accuracy(B) - mean confidence(B)| (Naeini et al. 2015; equal mass:
    Nixon et al. 2019, arXiv 1904.01685; Roelofs et al. 2022, arXiv 2012.08668).
    """
    gaps = np.diff(_at_edges(data, data.right - data.counts * data.confidence, bins), axis=-1)
    return np.abs(gaps).sum(-1) / data.counts.sum(-1)


def reliability(data: Grouped, bins: int = BINS) -> tuple[Array, Array]:
    """Mean confidence and accuracy of each of the bins of `ece`, (bins,) each, of one sample."""
    size = data.counts.sum() / bins
    sums = [_at_edges(data, values, bins) for values in (data.counts * data.confidence, data.right)]
    confidence, accuracy = (np.diff(one) / size for one in sums)
    return confidence, accuracy


def auroc(data: Grouped) -> Array:
    """Probability that a right response has the higher confidence of a right and a wrong one, ties half, (…,).

    The Mann–Whitney statistic (Hanley and McNeil 1982); nan where all are right or all are wrong.
    """
    right, wrong = data.right, data.counts - data.right
    below = np.cumsum(wrong, axis=-1) - wrong
    pairs = right.sum(-1) * wrong.sum(-1)
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, (right * (below + wrong / 2)).sum(-1) / pairs, np.nan)


def aurc(data: Grouped) -> Array:
    """Area under the risk–coverage curve, (…,): the mean over k = 1…n of the error rate of the k most confident.

    Geifman, Uziel and El-Yaniv 2019, arXiv 1805.08206, section 2, with the 0/1 loss. Among responses of the same
    confidence the mean over all their orders is taken. After K responses with E errors, the next group of m with error
    rate e adds the sum over j = 1…m of (E + j·e) / (K + j) = m·e + (E - e·K)·(H(K + m) - H(K)), H harmonic numbers.
    """
    counts, wrong = data.counts[..., ::-1], (data.counts - data.right)[..., ::-1]
    n = data.counts.sum(-1)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(n.max()) + 1))])
    after = np.cumsum(counts, axis=-1)
    before = after - counts
    errors = np.cumsum(wrong, axis=-1) - wrong
    rate = wrong / np.maximum(counts, 1)
    steps = harmonic[after.astype(int)] - harmonic[before.astype(int)]
    return (wrong + (errors - rate * before) * steps).sum(-1) / n


def risk_coverage(data: Grouped) -> tuple[Array, Array]:
    """The curve of `aurc`: coverage k/n and the error rate of the k most confident, (n,) each, of one sample."""
    counts, wrong = data.counts[::-1], (data.counts - data.right)[::-1]
    each = np.repeat(wrong / np.maximum(counts, 1), counts.astype(int))
    k = np.arange(1, len(each) + 1)
    return k / len(each), np.cumsum(each) / k


def _at_edges(data: Grouped, values: Array, bins: int) -> Array:
    """Sum of `values`, (…, g), over the mass up to each edge between bins, (…, bins + 1)."""
    shape = data.counts.shape[:-1]
    rows = data.counts.reshape(-1, data.counts.shape[-1])
    masses = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=-1)], axis=-1)
    summed = np.cumsum(values.reshape(rows.shape), axis=-1)
    summed = np.concatenate([np.zeros((len(rows), 1)), summed], axis=-1)
    share = np.linspace(0, 1, bins + 1)
    found = [np.interp(share * mass[-1], mass, total) for mass, total in zip(masses, summed, strict=True)]
    return np.array(found).reshape(*shape, bins + 1)
