"""Measures how well scores and decisions tell right from wrong items: AUROC with an interval, balanced accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score

SEED = 0
RESAMPLES = 1000


def auroc(right: Sequence[bool] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """Probability that a right item scores above a wrong one, counting ties half; nan if there is only one kind.

    Computed from the rank sum (Mann-Whitney U), so that thousands of bootstrap draws take seconds; scikit-learn's
    function builds the whole curve and took a minute for them.

    Raises:
        ValueError: a score is not finite.
    """
    truth, values = np.asarray(right, dtype=bool), np.asarray(scores, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError("scores that are not finite have no AUROC")
    n_right = int(truth.sum())
    n_wrong = len(truth) - n_right
    if not n_right or not n_wrong:
        return math.nan
    return float((rankdata(values)[truth].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def interval(
    right: Sequence[bool], scores: Sequence[float], groups: Sequence[str], resamples: int = RESAMPLES
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the AUROC. Groups are drawn whole; (nan, nan) if nothing can be drawn.

    Resamples with only one kind of item have no AUROC and are left out.
    """
    truth, values = np.array(right, dtype=bool), np.array(scores, dtype=float)
    return bounds([auroc(truth[drawn], values[drawn]) for drawn in resampled(groups, resamples)])


def resampled(groups: Sequence[str], resamples: int) -> Iterator[np.ndarray]:
    """Item indices of each bootstrap draw; groups are drawn whole, with a fixed seed. No draws without items."""
    rows: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        rows.setdefault(group, []).append(i)
    members = [np.array(own) for own in rows.values()]
    generator = np.random.default_rng(SEED)
    for _ in range(resamples if members else 0):
        yield np.concatenate([members[i] for i in generator.integers(len(members), size=len(members))])


def bounds(drawn: Iterable[float]) -> tuple[float, float]:
    """95 % percentile interval; draws without a value are left out; (nan, nan) if no draw has a value."""
    found = [value for value in drawn if not math.isnan(value)]
    if not found:
        return math.nan, math.nan
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def balanced_accuracy(right: Sequence[bool], decided: Sequence[bool]) -> float:
    """Mean of the recalls of right and of wrong items; nan if there is only one kind."""
    return float(balanced_accuracy_score(right, decided)) if len(set(right)) == 2 else math.nan
