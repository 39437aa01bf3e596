"""The Knowledge Index of labelled runs: as judged, as corrected, and by stratum what the judge is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..judge_measures.measure import Estimate
from .prediction_powered import Corrected, corrected, population, uncorrected
from .units import Unit


@dataclass(frozen=True)
class Stratum:
    """What a judge says with one label: its steps, how many are labelled, and how many of these are right."""

    judge: str
    label: str
    steps: int
    labelled: int
    right: int


@dataclass(frozen=True)
class Share:
    """A share as the judge says it, and corrected.

    Attributes:
        name: `ki`, the mean over questions of the share of checkable steps that are right; `claims`, the share of
            claims that are right among all that count.
    """

    name: str
    judged: Estimate
    corrected: Corrected


def shares(units: Sequence[Unit], all_right: Mapping[str, float], right_claims: Mapping[str, float]) -> list[Share]:
    """KI and the share of right claims.

    Args:
        all_right: {key of a labelled step: whether all of its claims are right}.
        right_claims: {key of a labelled step: the share of its claims that are right}.
    """
    out = []
    for name, labels in (("ki", all_right), ("claims", right_claims)):
        own = [unit for unit in units if name == "ki" or not unit.settled]
        said = np.array([float(unit.consistent) if name == "ki" else unit.said for unit in own])
        data = population(
            [unit.weight if name == "ki" else float(len(unit.verdicts)) for unit in own],
            [unit.score for unit in own],
            [None if unit.settled else unit.stratum for unit in own],
            [unit.question for unit in own],
            [1.0 if unit.settled else labels.get(unit.key, math.nan) for unit in own],
        )
        out.append(Share(name, uncorrected(data, said), corrected(data)))
    return out


def strata(units: Sequence[Unit], all_right: Mapping[str, float]) -> list[Stratum]:
    """By judge and label, in alphabetical order."""
    out = []
    open_ones = [unit for unit in units if not unit.settled]
    for name in sorted({unit.stratum for unit in open_ones}):
        own = [unit for unit in open_ones if unit.stratum == name]
        found = [all_right[unit.key] for unit in own if unit.key in all_right]
        out.append(Stratum(*name, len(own), len(found), round(sum(found))))
    return out
