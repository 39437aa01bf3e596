"""AUROC, precision, recall, Brier score and Cohen's kappa with intervals over whole documents.

The estimators and the bootstrap are those of `metrics/calibration`: a judge's score is a confidence that a claim is
right, and a document stands where a question does there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..calibration.estimators import Array, auroc, brier
from ..calibration.resampling import Responses, draws, of_share, percentile, resampled
from ..comparison.statistics import unanimous_interval
from ..judge_measures.measure import Estimate

RESAMPLES = 1_999
SEED = 0
_BATCH = 200  # resamples held at a time


@dataclass(frozen=True)
class Scored:
    """n claims that a judge scored: the score, 0 to 1, whether each is right, and its document."""

    scores: Array
    right: np.ndarray
    documents: Sequence[str]

    def where(self, chosen: np.ndarray) -> Scored:
        """Those that are chosen, (n,) of bool."""
        names = [name for name, one in zip(self.documents, chosen, strict=True) if one]
        return Scored(self.scores[chosen], self.right[chosen], names)


def numbered(names: Sequence[str]) -> tuple[np.ndarray, int]:
    """Each name's number, and how many there are."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([places[name] for name in names], dtype=np.intp), len(places)


def auroc_and_brier(data: Scored, resamples: int = RESAMPLES) -> tuple[Estimate, Estimate]:
    """Both with percentile intervals over documents; nan where there is no claim, or for AUROC only one kind."""
    if not len(data.right):
        return Estimate(), Estimate()
    index, documents = numbered(data.documents)
    responses = Responses(data.scores, data.right.astype(float), index)
    values = [float(statistic(responses.of())) for statistic in (auroc, brier)]
    found = resampled([responses], documents, (auroc, brier), resamples=resamples, seed=SEED)[0]
    return (
        Estimate(values[0], *percentile(found[0], documents)),
        Estimate(values[1], *percentile(found[1], documents)),
    )


def share(hits: Sequence[bool] | np.ndarray, of: Sequence[bool] | np.ndarray, documents: Sequence[str]) -> Estimate:
    """Hits among those that count, over documents; nan where none counts.

    A share of 0 or 1 has Clopper and Pearson's interval of as many documents: a bootstrap cannot draw what did not
    occur.
    """
    counted = np.asarray(of, dtype=bool)
    if not counted.any():
        return Estimate()
    hit = np.asarray(hits, dtype=bool)[counted]
    index, n = numbered([name for name, one in zip(documents, counted, strict=True) if one])
    sums = np.bincount(index, weights=hit.astype(float), minlength=n)
    counts = np.bincount(index, minlength=n).astype(float)
    value = float(sums.sum() / counts.sum())
    if value in (0, 1):
        return Estimate(value, *unanimous_interval(value, n))
    found = np.concatenate([(w @ sums) / (w @ counts) for w in draws(n, RESAMPLES, SEED, _BATCH)])
    return Estimate(value, *of_share(value, found, n))


def kappa(one: Sequence[bool], other: Sequence[bool], documents: Sequence[str]) -> Estimate:
    """Cohen's kappa (1960): agreement beyond that of two judges who say "right" as often, at random; -1 to 1.

    nan where both always say the same single thing: chance agreement is complete then.
    """
    if not len(one):
        return Estimate()
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    index, n = numbered(documents)
    cells = np.array([np.bincount(index, weights=w, minlength=n) for w in (a == b, a, b, np.ones_like(a))])
    value = float(_kappa(cells.sum(-1)))
    found = np.concatenate([_kappa((w @ cells.T).T) for w in draws(n, RESAMPLES, SEED, _BATCH)])
    if math.isnan(value):
        return Estimate()
    return Estimate(value, *percentile(found, n))


def _kappa(cells: Array) -> Array:
    agreed, a, b, total = cells
    a, b = a / total, b / total
    chance = a * b + (1 - a) * (1 - b)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1, (agreed / total - chance) / (1 - chance), np.nan)


def fitted_threshold(data: Scored) -> float:
    """The score from which a claim is best called right: that of the highest balanced accuracy (Youden 1950).

    Halfway between the two scores that it separates; nan where there is only one kind of claims, or one score.
    """
    values = np.unique(data.scores)
    right = data.right.astype(bool)
    if len(values) < 2 or right.all() or not right.any():
        return math.nan
    edges = (values[:-1] + values[1:]) / 2
    above = data.scores[None, :] >= edges[:, None]
    youden = above[:, right].mean(-1) - above[:, ~right].mean(-1)
    return float(edges[int(np.argmax(youden))])


def halves(documents: Sequence[str]) -> np.ndarray:
    """Whether each claim's document is in the first half of the documents, drawn with a fixed seed."""
    index, n = numbered(documents)
    first = np.zeros(n, dtype=bool)
    first[np.random.default_rng(SEED).permutation(n)[: n // 2]] = True
    return first[index]


def called(right: np.ndarray, said: np.ndarray, documents: Sequence[str]) -> dict[str, Estimate]:
    """`precision` of what is called right, `recall` of the right, `recall_wrong` of the wrong."""
    right, said = np.asarray(right, dtype=bool), np.asarray(said, dtype=bool)
    return {
        "precision": share(right, said, documents),
        "recall": share(said, right, documents),
        "recall_wrong": share(~said, ~right, documents),
    }
