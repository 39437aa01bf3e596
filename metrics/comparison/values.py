"""A measure's values over pairs of questions: repeats averaged, missing ones counted with their reasons."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import Missing
from .measures import SAME_LENGTH, SUPPORTED, Measure
from .pairs import Pair
from .record import Record

_FEW = 10


@dataclass(frozen=True)
class Values:
    """A measure over the n pairs that have it in both runs.

    Attributes:
        base, tuned: n values each; the value of a question is the mean over its repeats that have the number.
        clusters: each question's resampling cluster.
        missing: why the other pairs lack the measure, {reason: pairs}.
    """

    base: Sequence[float]
    tuned: Sequence[float]
    clusters: Sequence[str]
    missing: Mapping[str, int]

    @property
    def differences(self) -> list[float]:
        """tuned - base of each question."""
        return [after - before for before, after in zip(self.base, self.tuned, strict=True)]


def values_of(pairs: Sequence[Pair], measure: Measure) -> Values:
    """The values of one measure."""
    base: list[float] = []
    tuned: list[float] = []
    clusters: list[str] = []
    missing: Counter[str] = Counter()
    for pair in pairs:
        steps = _common_steps(pair) if measure is SAME_LENGTH else None
        try:
            before, after = _mean(pair.base, measure, steps), _mean(pair.tuned, measure, steps)
        except Missing as reason:
            missing[reason.reason] += 1
            continue
        base.append(before)
        tuned.append(after)
        clusters.append(pair.cluster)
    if measure is SUPPORTED and base and not any(base) and not any(tuned):
        return Values([], [], [], {**missing, "no step of either run could be checked and held": len(base)})
    return Values(base, tuned, clusters, dict(missing))


def _mean(records: Sequence[Record], measure: Measure, steps: float | None) -> float:
    if len(records) == 1:  # most questions were asked once
        value = float(measure.compute(records[0]))
        return value if steps is None else value * records[0].score.n_steps / steps
    values: list[float] = []
    why = "no chain"
    for record in records:
        try:
            value = measure.compute(record)
        except Missing as reason:
            why = reason.reason
            continue
        values.append(value if steps is None else value * record.score.n_steps / steps)
    if not values:
        raise Missing(why)
    return math.fsum(values) / len(values)


def _common_steps(pair: Pair) -> float:
    """The mean number of steps of both sides: `infogain_same_length` divides both perplexity drops by it."""
    sides = [sum(one.score.n_steps for one in side) / len(side) for side in (pair.base, pair.tuned)]
    return sum(sides) / 2


def lost(pairs: Sequence[Pair], measure: Measure) -> list[str]:
    """A caution if one run has the number for far fewer questions than the other: paired means cannot show that."""
    counts = []
    for side in ("base", "tuned"):
        counts.append(sum(_has(getattr(pair, side), measure) for pair in pairs))
    if max(counts) < _FEW or min(counts) > max(counts) / 2:
        return []
    return [
        f"`{measure.key}` could be computed for {counts[0]:,} questions of the base run and {counts[1]:,} of the "
        "other: what it says about the pairs leaves that loss out"
    ]


def _has(records: Sequence[Record], measure: Measure) -> bool:
    try:
        _mean(records, measure, None)
    except Missing:
        return False
    return True
