"""Intervals by resampling questions: all responses to a question are drawn together, and both runs' together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..comparison.statistics import Clustered, share_interval, unanimous_interval
from .estimators import Array, Grouped, ece

MOST = 1_999  # resamples; further ones move the ends of an interval by less than what is printed
_CELLS = 4_000_000  # numbers held in memory at a time
_DEFINED = 0.95  # share of the resamples that must have the number for an interval
_TAIL = 0.025
_TIE = 1e-9


@dataclass(frozen=True)
class Responses:
    """n responses: each one's confidence, whether it is right (0 or 1), and its question, 0 … questions - 1."""

    confidence: Array
    right: Array
    question: np.ndarray

    def of(self, weights: Array | None = None) -> Grouped:
        """Grouped by confidence; with weights, (rows, questions), how often each question is drawn, one row each."""
        order = np.argsort(self.confidence, kind="stable")
        values, starts = np.unique(self.confidence[order], return_index=True)
        right = self.right[order]
        if weights is None:
            counts = np.diff([*starts, len(order)]).astype(float)
            return Grouped(values, counts, np.add.reduceat(right, starts))
        each = weights[:, self.question[order]]
        return Grouped(values, np.add.reduceat(each, starts, axis=-1), np.add.reduceat(each * right, starts, axis=-1))


Statistic = Callable[[Grouped], Array]
Interval = tuple[float, float]


def resampled(
    sides: Sequence[Responses], questions: int, statistics: Sequence[Statistic], *, resamples: int, seed: int
) -> Array:
    """Each statistic of each side in every resample, (sides, statistics, resamples); the sides share the draws."""
    out: list[list[list[Array]]] = [[[] for _ in statistics] for _ in sides]
    most = max(1, _CELLS // max(questions, *(len(side.right) for side in sides)))
    for weights in draws(questions, resamples, seed, most):
        for side, found in zip(sides, out, strict=True):
            data = side.of(weights)
            for statistic, values in zip(statistics, found, strict=True):
                values.append(statistic(data))
    return np.array([[np.concatenate(values) for values in found] for found in out])


def draws(questions: int, resamples: int, seed: int, most: int) -> Iterator[Array]:
    """How often each question is drawn, (rows, questions), at most `most` rows at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, most):
        rows = min(most, resamples - start)
        yield rng.multinomial(questions, np.full(questions, 1 / questions), size=rows).astype(float)


def percentile(drawn: Array, questions: int) -> Interval:
    """95 % percentile interval.

    Returns:
        (nan, nan) for one question, where too few resamples have the number, or where all have the same: questions
        that do not differ are not drawn as others.
    """
    kept = drawn[np.isfinite(drawn)]
    if questions < 2 or len(kept) < _DEFINED * len(drawn) or np.ptp(kept) <= _TIE:
        return math.nan, math.nan
    low, high = np.quantile(kept, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def of_share(value: float, drawn: Array, questions: int, *, difference: bool = False) -> Interval:
    """`percentile` of a share, or of a difference of shares; where questions do not differ, one that needs no draws.

    Args:
        questions: those that have the share.
    """
    kept = drawn[np.isfinite(drawn)]
    if not len(kept) or np.ptp(kept) > _TIE:
        return percentile(drawn, questions)
    if difference:
        return share_interval(Clustered(np.full(questions, value), np.ones(questions)))
    return unanimous_interval(value, questions)


def reflected(value: float, drawn: Array, questions: int) -> Interval:
    """95 % basic interval, 2·value - quantile: for an estimate whose resamples are as much too high as it is itself."""
    low, high = percentile(drawn, questions)
    return 2 * value - high, 2 * value - low


def ece_interval(value: float, drawn: Array, data: Responses, questions: int, *, seed: int) -> Interval:
    """Basic interval of an ECE, within [0, 1].

    It begins at 0 where an ECE of this size is nothing unusual (up to the 97.5 % quantile) for a model whose
    confidences are its probabilities to be right: an ECE of few responses is above 0 by chance alone.
    """
    low, high = reflected(value, drawn, questions)
    if math.isnan(low):
        return low, high
    reached = value <= float(np.quantile(ece_by_chance(data, seed=seed), 1 - _TAIL)) + _TIE
    return 0.0 if reached else min(1.0, max(0.0, low)), min(1.0, max(0.0, high))


def ece_by_chance(data: Responses, *, seed: int, rounds: int = 999) -> Array:
    """ECEs, (rounds,), that these confidences would have if each response were right with its confidence."""
    rng = np.random.default_rng(seed)
    order = np.argsort(data.confidence, kind="stable")
    confidence = data.confidence[order]
    values, starts = np.unique(confidence, return_index=True)
    counts = np.diff([*starts, len(order)]).astype(float)
    out: list[Array] = []
    most = max(1, _CELLS // len(order))
    for start in range(0, rounds, most):
        right = rng.random((min(most, rounds - start), len(order))) < confidence
        found = np.add.reduceat(right.astype(float), starts, axis=-1)
        out.append(ece(Grouped(values, np.broadcast_to(counts, found.shape), found)))
    return np.concatenate(out)
