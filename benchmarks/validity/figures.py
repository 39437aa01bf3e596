"""Figures with 95 % intervals for two scorers on the same items: each scorer's, and their difference.

Questions are drawn whole (cluster bootstrap, percentiles); both scorers are resampled together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ..support.discrimination import RESAMPLES, auroc, bounds, resampled

Statistic = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Items:
    """The data of one figure for one scorer.

    Attributes:
        keys: identifies each item, so that two scorers' items can be matched.
        groups: the question of each item.
        labels: 1 for items that should score high and 0 for low; or a number to correlate with; 0 if unused.
        values: the scorer's value for each item.
    """

    keys: Sequence[object]
    groups: Sequence[str]
    labels: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Figure:
    """One line of the table: values with intervals (value, low, high) for the plain and the fitted scorer.

    Attributes:
        n: items for which both scorers have a number.
        missing: items for which one of them has none.
    """

    row: str
    what: str
    unit: str
    n: int
    missing: int
    plain: tuple[float, float, float]
    fitted: tuple[float, float, float] | None
    difference: tuple[float, float, float] | None


def area(labels: np.ndarray, values: np.ndarray) -> float:
    """AUROC: the probability that an item labelled 1 is above one labelled 0."""
    return auroc(labels > 0, values)


def rank_correlation(labels: np.ndarray, values: np.ndarray) -> float:
    """Spearman's rank correlation."""
    constant = len(set(labels)) < 2 or len(set(values)) < 2
    return math.nan if constant else float(np.corrcoef(rankdata(labels), rankdata(values))[0, 1])


def mean(labels: np.ndarray, values: np.ndarray) -> float:
    del labels
    return float(values.mean()) if len(values) else math.nan


def share_above(labels: np.ndarray, values: np.ndarray) -> float:
    """The share of items above 0."""
    del labels
    return float((values > 0).mean()) if len(values) else math.nan


def figure(
    row: str, what: str, unit: str, statistic: Statistic, plain: Items, fitted: Items | None, resamples: int = RESAMPLES
) -> Figure:
    """The statistic over the items for which both scorers have a number."""
    tables = [plain] if fitted is None else [plain, fitted]
    numbers = [dict(zip(items.keys, items.values, strict=True)) for items in tables]
    every = dict.fromkeys(key for items in tables for key in items.keys)
    kept = [key for key in every if all(math.isfinite(own.get(key, math.nan)) for own in numbers)]
    about = {key: (group, label) for key, group, label in zip(plain.keys, plain.groups, plain.labels, strict=True)}
    labels = np.array([about[key][1] for key in kept], dtype=float)
    values = [np.array([own[key] for key in kept], dtype=float) for own in numbers]
    found = [statistic(labels, own) for own in values]
    drawn = _drawn(statistic, labels, values, [about[key][0] for key in kept], resamples)
    both = len(values) == 2
    return Figure(
        row,
        what,
        unit,
        len(kept),
        len(every) - len(kept),
        (found[0], *bounds(drawn[:, 0])),
        (found[1], *bounds(drawn[:, 1])) if both else None,
        (found[1] - found[0], *bounds(drawn[:, 1] - drawn[:, 0])) if both else None,
    )


def _drawn(
    statistic: Statistic, labels: np.ndarray, values: Sequence[np.ndarray], groups: Sequence[str], resamples: int
) -> np.ndarray:
    """(draws, scorers) statistics; nan if undefined for a draw. No draws for fewer than two questions."""
    draws = resampled(groups, resamples if len(set(groups)) > 1 else 0)
    found = [[statistic(labels[drawn], own[drawn]) for own in values] for drawn in draws]
    return np.array(found, dtype=float).reshape(-1, len(values))


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| row | figure | n | missing | as it comes | fitted | fitted minus as it comes |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in figures:
        cells = [one.row, f"{one.what} ({one.unit})", f"{one.n:,}", f"{one.missing:,}", _cell(one.plain)]
        lines.append("| " + " | ".join([*cells, _cell(one.fitted), _cell(one.difference, signed=True)]) + " |")
    return "\n".join(lines)


def _cell(values: tuple[float, float, float] | None, *, signed: bool = False) -> str:
    if values is None or math.isnan(values[0]):
        return "–"
    value, low, high = (f"{number:+.3f}" if signed else f"{number:.3f}" for number in values)
    return f"{value} [{low}, {high}]"
