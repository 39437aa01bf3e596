"""A share corrected for a judge's errors: prediction-powered inference with strata and clusters.

The judge speaks on all steps, a person on a random part of them. With weights w, the person's label y (0 or 1), the
judge's score f and a weight λ of the judge, over strata h that were sampled at random,

    θ = ( Σ_all w·λf  +  Σ_h T_h · mean_h(y − λf) ) / Σ_all w,    T_h = Σ of w over all of h,

the second term being what the judge is wrong by, measured on the labelled steps. For every λ this is right on average,
however wrong the judge is; a good judge makes it precise.

Sources: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023, arXiv 2301.09633 (the estimator); Angelopoulos, Duchi
and Zrnic 2023, arXiv 2311.01453 (λ that minimises the variance: power tuning); Fisch, Maynez, Hofer, Dhingra, Globerson
and Cohen 2024, arXiv 2406.04291 (strata). The variance is that of θ's linearisation summed by cluster (Särndal,
Swensson and Wretman 1992, section 5.5), since steps of one question are no independent evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..judge_measures.measure import Estimate

LEVEL = 0.95
_FEWEST = 2  # labels of a stratum; one with fewer is joined to the next

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """N steps.

    Attributes:
        weight: (N,) each step's part in the share.
        score: (N,) the judge's, 0 to 1.
        stratum: (N,) 0 … strata - 1; a person's labels are of steps drawn at random within each.
        cluster: (N,) 0 … clusters - 1: questions.
        label: (N,) the person's, 0 to 1; nan where there is none.
        settled: (N,) steps whose label is known without a person, in a stratum of their own.
    """

    weight: Array
    score: Array
    stratum: NDArray[np.intp]
    cluster: NDArray[np.intp]
    label: Array
    settled: NDArray[np.bool_]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which steps have a label."""
        return ~np.isnan(self.label)


@dataclass(frozen=True)
class Corrected:
    """A corrected share.

    Attributes:
        estimate: with its interval.
        labels: how many it rests on.
        power: λ, the weight of the judge's scores; nan where it does not matter: the strata say all that scores say.
        fixed, sampled: the two parts of its variance: of the questions, and of which steps were labelled.
    """

    estimate: Estimate
    labels: int
    power: float
    fixed: float
    sampled: float


def corrected(data: Population) -> Corrected:
    """The share with its 95 % interval. All nan with fewer than two labels or clusters."""
    labels = int((data.labelled & ~data.settled).sum())
    if labels < _FEWEST or len(np.unique(data.cluster)) < 2:
        return Corrected(Estimate(), labels, math.nan, math.nan, math.nan)
    stratum = _joined(data)
    plain, full = (_linear(data, stratum, power) for power in (0.0, 1.0))
    slope = plain.pulls - full.pulls
    if np.abs(slope).max() <= 1e-12 * max(1.0, np.abs(plain.pulls).max()):
        power, found = math.nan, plain
    else:
        power = float(np.clip((plain.pulls @ slope) / (slope @ slope), 0, 1))
        found = _linear(data, stratum, power)
    clusters = len(found.pulls)
    total = found.weight
    variance = clusters / (clusters - 1) * float(found.pulls @ found.pulls) / total**2 + found.floor
    sampled = float(found.of_sample @ found.of_sample) / total**2 + found.floor
    freedom = _freedom(variance, [max(0.0, variance - sampled), *found.parts], [clusters - 1, *found.degrees])
    half = _t(freedom) * math.sqrt(variance)
    low, high = max(0.0, found.value - half), min(1.0, found.value + half)
    value = min(1.0, max(0.0, found.value))
    return Corrected(Estimate(value, low, high), labels, power, max(0.0, variance - sampled), sampled)


def uncorrected(data: Population, said: Array) -> Estimate:
    """The share that the judge says, with the interval over clusters as if it were never wrong (a t distribution)."""
    n = int(data.cluster.max()) + 1 if len(data.cluster) else 0
    weights = np.bincount(data.cluster, weights=data.weight, minlength=n)
    if n < 1 or not weights.sum():
        return Estimate()
    value = float((data.weight @ said) / data.weight.sum())
    if n < 2:
        return Estimate(value)
    pulls = np.bincount(data.cluster, weights=data.weight * (said - value), minlength=n)
    half = _t(n - 1) * math.sqrt(n / (n - 1) * float(pulls @ pulls)) / weights.sum()
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def _t(freedom: float) -> float:
    from scipy.special import stdtrit  # every command imports this module, and few need this

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def labels_for(width: float, found: Corrected) -> float:
    """How many labels an interval of this width needs, from high to low, spread over the strata as those there are.

    Returns:
        inf where no number of labels gives it: with these questions the interval is wider even if all is labelled; nan
        where nothing was estimated.
    """
    if math.isnan(found.sampled):
        return math.nan
    from scipy.special import ndtri

    room = (width / (2 * float(ndtri((1 + LEVEL) / 2)))) ** 2 - found.fixed
    return math.inf if room <= 0 else math.ceil(found.labels * found.sampled / room)


@dataclass(frozen=True)
class _Linear:
    """θ for one λ.

    Attributes:
        value, weight: θ and Σw.
        pulls, of_sample: how far each cluster pulls θ·Σw, in all and through the labelled steps.
        floor: what is added to the variance.
        parts, degrees: each stratum's part of the variance that the sample brings, and its degrees of freedom.
    """

    value: float
    weight: float
    pulls: Array
    of_sample: Array
    floor: float
    parts: Sequence[float]
    degrees: Sequence[int]


def _linear(data: Population, stratum: NDArray[np.intp], power: float) -> _Linear:
    w, labelled = data.weight, data.labelled
    strata = int(stratum.max()) + 1
    f = power * data.score
    totals = np.bincount(stratum, weights=w, minlength=strata)
    sampled = np.bincount(stratum[labelled], weights=w[labelled], minlength=strata)
    residual = np.where(labelled, data.label - f, 0.0)
    means = np.bincount(stratum, weights=w * residual, minlength=strata) / sampled
    total = float(w.sum())
    value = float(w @ f + totals @ means) / total
    clusters = int(data.cluster.max()) + 1
    # A step's own label moves its stratum's mean toward it: by the jackknife its residual is as much larger as it
    # would be from the mean of the others (HC3 of MacKinnon and White 1985).
    # Settled steps have no such residual, not even one that is alone.
    leverage = np.where(labelled & ~data.settled, w / sampled[stratum], 0.0)
    off = np.where(labelled, (totals / sampled)[stratum] * w * (residual - means[stratum]) / (1 - leverage), 0.0)
    of_sample: Array = np.bincount(data.cluster, weights=off, minlength=clusters).astype(np.float64)
    pulls: Array = of_sample + np.bincount(data.cluster, weights=w * (f + means[stratum] - value), minlength=clusters)
    floors = _floors(data, stratum, totals / total)
    parts = np.bincount(stratum, weights=off**2, minlength=strata) / total**2 + floors
    degrees = np.bincount(stratum[labelled], minlength=strata) - 1
    return _Linear(value, total, pulls, of_sample, float(floors.sum()), parts.tolist(), degrees.tolist())


def _freedom(variance: float, parts: Sequence[float], degrees: Sequence[int]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946)."""
    below = sum(part**2 / max(1, degree) for part, degree in zip(parts, degrees, strict=True))
    return max(1.0, variance**2 / below) if below else math.inf


def _floors(data: Population, stratum: NDArray[np.intp], shares: Array) -> Array:
    """Variance of each stratum in which all labels are the same: by Laplace's rule one in n + 2 is another.

    What did not occur among n labels may occur all the same; without this, 20 of 20 would be certainty.
    """
    out = np.zeros(len(shares))
    for h, part in enumerate(shares):
        own = stratum == h
        labels = data.label[own & data.labelled]
        if np.ptp(labels) == 0 and labels[0] in (0.0, 1.0):
            rare = 1 / (len(labels) + 2)
            unseen = 1 - len(labels) / own.sum()
            out[h] = part**2 * rare * (1 - rare) / len(labels) * unseen
    return out


def _joined(data: Population) -> NDArray[np.intp]:
    """Strata numbered anew: those with too few labels are joined to the one whose judge scores are nearest.

    Settled steps stay by themselves: they say nothing of what a judge is wrong by.
    """
    names = np.unique(data.stratum[~data.settled])
    scores = {int(h): float(data.score[data.stratum == h].mean()) for h in names}
    counts = {int(h): int((data.labelled & (data.stratum == h)).sum()) for h in names}
    stratum = data.stratum.copy()
    while len(counts) > 1 and min(counts.values()) < _FEWEST:
        few = min(counts, key=lambda h: counts[h])
        nearest = min((h for h in counts if h != few), key=lambda h: (abs(scores[h] - scores[few]), h))
        stratum[stratum == few] = nearest
        counts[nearest] += counts.pop(few)
    return np.unique(stratum, return_inverse=True)[1].astype(np.intp)


def population(
    weights: Sequence[float],
    scores: Sequence[float],
    strata: Sequence[object],
    clusters: Sequence[object],
    labels: Sequence[float],
) -> Population:
    """From plain sequences of the same length; strata and clusters by any names, None: settled."""
    numbers = []
    for names in (strata, clusters):
        places = {name: place for place, name in enumerate(dict.fromkeys(names))}
        numbers.append(np.array([places[name] for name in names], dtype=np.intp))
    values = [np.asarray(one, dtype=np.float64) for one in (weights, scores, labels)]
    settled = np.array([name is None for name in strata], dtype=bool)
    return Population(values[0], values[1], numbers[0], numbers[1], values[2], settled)
