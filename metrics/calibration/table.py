"""`calibration_of`: the tables of a run, or of two runs question by question."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from ..comparison.pairs import Pair, by_side
from ..comparison.record import Record
from ..errors import Missing
from ..repeats.results import Cells, Estimate
from .abstention import abstention_rows, tells_when_to_abstain
from .confidences import CONFIDENCES, Confident
from .estimators import BINS, Array, Grouped, aurc, auroc, brier, ece
from .resampling import MOST, Responses, ece_by_chance, ece_interval, of_share, percentile, reflected, resampled
from .results import Calibration, CalibrationRow, Kind

# With fewer an ECE says nothing: two responses a bin.
FEWEST = 2 * BINS

Question = TypeVar("Question", bound=Hashable)


def accuracy(data: Grouped) -> Array:
    """Share of right responses, (…,)."""
    return data.right.sum(-1) / data.counts.sum(-1)


def mean_confidence(data: Grouped) -> Array:
    """Mean confidence, (…,)."""
    return (data.counts * data.confidence).sum(-1) / data.counts.sum(-1)


_STATISTICS = {
    "accuracy": ("accuracy", accuracy),
    "confidence": ("mean confidence", mean_confidence),
    "ece": (f"ECE, {BINS} bins", ece),
    "brier": ("Brier score", brier),
    "auroc": ("AUROC", auroc),
    "aurc": ("AURC", aurc),
}


def calibration_of(
    pairs: Sequence[Pair],
    names: Sequence[str],
    accuracy_name: str | None,
    *,
    task: str | None = None,
    resamples: int = 9999,
    seed: int = 0,
) -> Calibration:
    """Calibration by each kind of confidence, and abstentions.

    Args:
        pairs: questions; of a run alone both sides are the same and `tuned` is not looked at.
        names: of the base run, and of the tuned run where there is one.
        accuracy_name: the metric that says what is right; None: none does.
        task: only its questions; None: all.
        resamples: at most 1,999 are made.
    """
    sides = len(names)
    questions = by_side(pairs, sides, task)
    resamples = min(resamples, MOST)
    rows: list[CalibrationRow] = []
    missing: dict[str, dict[str, int]] = {}
    for kind, (_, confident) in CONFIDENCES.items():
        found, why = _responses(questions, confident, accuracy_name)
        if found:
            rows += _rows(kind, found, why, resamples, seed)  # type: ignore[arg-type]
        else:
            missing[kind] = why
    rows += abstention_rows(questions, accuracy_name, resamples=resamples, seed=seed)
    return Calibration(task, names[0], names[1] if sides > 1 else None, accuracy_name, rows, missing)


def more_than_rates(pairs: Sequence[Pair], sides: int, accuracy_name: str | None, task: str | None) -> bool:
    """Whether a table would have more than the rates of abstention: a confidence, or how right it is to abstain."""
    questions = by_side(pairs, sides, task)
    confidences = (_responses(questions, confident, accuracy_name)[0] for _, confident in CONFIDENCES.values())
    return any(confidences) or tells_when_to_abstain(questions)


def responses_of(
    questions: Mapping[Question, Sequence[Record]], confident: Confident, accuracy_name: str | None
) -> dict[Question, list[tuple[float, float]]]:
    """(confidence, correctness) of one run's responses, by question; questions without any are left out."""
    out: dict[Question, list[tuple[float, float]]] = {}
    for question, responses in questions.items():
        with contextlib.suppress(Missing):
            out[question] = confident(responses, accuracy_name) if accuracy_name is not None else []
    return {question: points for question, points in out.items() if points}


def _responses(
    questions: Sequence[tuple[str, Sequence[Sequence[Record]]]], confident: Confident, accuracy_name: str | None
) -> tuple[list[Responses], dict[str, int]]:
    """The responses of each side, over the questions of which each side has any; and why the others have none."""
    why: Counter[str] = Counter()
    points: list[tuple[str, list[list[tuple[float, float]]]]] = []
    for cluster, sides in questions:
        try:
            if accuracy_name is None:
                raise Missing("the run has no accuracy metric")
            points.append((cluster, [confident(responses, accuracy_name) for responses in sides]))
        except Missing as reason:
            why[reason.reason] += 1
    if not points:
        return [], dict(why)
    place = {cluster: i for i, cluster in enumerate(dict.fromkeys(cluster for cluster, _ in points))}
    out: list[Responses] = []
    for side in range(len(points[0][1])):
        flat = [(c, y, place[cluster]) for cluster, found in points for c, y in found[side]]
        out.append(Responses(*(np.array([one[i] for one in flat]) for i in range(3))))
    return out, dict(why)


def _rows(
    kind: Kind, sides: Sequence[Responses], why: dict[str, int], resamples: int, seed: int
) -> list[CalibrationRow]:
    questions = int(max(one.question.max() for one in sides)) + 1
    drawn = resampled(sides, questions, [of for _, of in _STATISTICS.values()], resamples=resamples, seed=seed)
    rows: list[CalibrationRow] = []
    for place, (measure, (label, of)) in enumerate(_STATISTICS.items()):
        values = [float(of(side.of())) for side in sides]
        reasons = [_undefined(measure, side) for side in sides]
        estimates = []
        for side, value, reason, found in zip(sides, values, reasons, drawn[:, place], strict=True):
            if reason:
                estimates.append(Estimate(missing={reason: questions}))
                continue
            ends = percentile(found, questions)
            if measure == "ece":
                ends = ece_interval(value, found, side, questions, seed=seed)
            elif measure == "accuracy":
                ends = of_share(value, found, questions)
            estimates.append(Estimate(value, *ends, n=questions, missing=why))
        difference = None
        if len(sides) > 1:
            difference = Estimate(missing={reason: questions for reason in reasons if reason})
            if not any(reasons):
                value, moved = values[1] - values[0], drawn[1, place] - drawn[0, place]
                ends = percentile(moved, questions)
                if measure == "ece":
                    ends = reflected(value, moved, questions)
                elif measure == "accuracy":
                    ends = of_share(value, moved, questions, difference=True)
                difference = Estimate(value, *ends, n=questions, missing=why)
        rows.append(CalibrationRow(kind, measure, label, _cells(estimates, difference)))
        if measure == "ece" and not any(reasons):
            chance = [float(ece_by_chance(side, seed=seed).mean()) for side in sides]
            expected = [Estimate(value, n=questions) for value in chance]
            rows.append(CalibrationRow(kind, "ece_by_chance", "ECE by chance alone", _cells(expected, None)))
    return rows


def _cells(estimates: Sequence[Estimate], difference: Estimate | None) -> Cells:
    return Cells(estimates[0], estimates[1] if len(estimates) > 1 else None, difference)


def _undefined(measure: str, side: Responses) -> str:
    """Why a number cannot be computed; "" where it can."""
    n, right = len(side.right), side.right.sum()
    if measure == "ece" and n < FEWEST:
        return f"fewer than {FEWEST} responses"
    if measure == "auroc" and right in (0, n):
        return f"all responses are {'right' if right else 'wrong'}"
    return ""
