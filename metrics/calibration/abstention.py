"""Rates of abstention, and precision, recall and F1 where the data say which questions should be left unanswered."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from ..comparison.record import Record
from ..repeats.results import Cells, Estimate
from .estimators import Array
from .resampling import draws, of_share, percentile
from .results import CalibrationRow

_CELLS = 4_000_000
_UNDETERMINED = "undetermined: it cannot be told whether the response answers or abstains"

# What a response counts towards, by column of a table (questions, columns).
_COLUMNS = ("abstained", "told", "undetermined", "known", "right", "graded", "hit", "false", "missed", "should")


def _ratio(above: Callable[[Array], Array], below: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def of(sums: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            total = below(sums)
            return np.where(total > 0, above(sums) / total, np.nan)

    return of


def _column(*names: str) -> Callable[[Array], Array]:
    places = [_COLUMNS.index(name) for name in names]
    return lambda sums: sums[..., places].sum(-1)


def _f1(sums: Array) -> Array:
    hit, wrong = _column("hit")(sums), _column("false", "missed")(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(2 * hit + wrong > 0, 2 * hit / (2 * hit + wrong), np.nan)


# measure: (label, formula, why it is undefined)
_RATES = {
    "abstained": ("abstained", _ratio(_column("abstained"), _column("told")), _UNDETERMINED),
    "undetermined": ("undetermined", _ratio(_column("undetermined"), _column("known")), "no response in the file"),
    "accuracy_answered": (
        "accuracy where it answers",
        _ratio(_column("right"), _column("graded")),
        "no response answers and has an accuracy",
    ),
}
_SHOULD = {
    "precision": (
        "precision of abstaining",
        _ratio(_column("hit"), _column("hit", "false")),
        "the model never abstains",
    ),
    "recall": (
        "recall of abstaining",
        _ratio(_column("hit"), _column("hit", "missed")),
        "there is no question that should be left unanswered",
    ),
    "f1": ("F1 of abstaining", _f1, "the model never abstains, nor should it"),
}


def abstention_rows(
    questions: Sequence[tuple[str, Sequence[Sequence[Record]]]], accuracy: str | None, *, resamples: int, seed: int
) -> list[CalibrationRow]:
    """The rates over all responses; [] where of no response it is known whether it answers.

    Undetermined responses are left out of every rate but their own. Precision, recall and F1 count the responses to
    questions of which the data say whether they should be left unanswered; there are none of these rows without any.
    """
    place = {cluster: i for i, cluster in enumerate(dict.fromkeys(cluster for cluster, _ in questions))}
    sides = len(questions[0][1]) if questions else 0
    tables = [np.zeros((len(place), len(_COLUMNS))) for _ in range(sides)]
    why: list[Counter[str]] = [Counter() for _ in range(sides)]
    for cluster, both in questions:
        for table, reasons, responses in zip(tables, why, both, strict=True):
            for record in responses:
                table[place[cluster]] += _counts(record, accuracy)
                if record.stance == "undetermined":
                    reasons[_UNDETERMINED] += 1
    known, should = _COLUMNS.index("known"), _COLUMNS.index("should")
    if not sides or not all(table[:, known].any() for table in tables):
        return []
    measures = {**_RATES, **(_SHOULD if all(table[:, should].any() for table in tables) else {})}
    drawn = _drawn(tables, resamples, seed)
    rows: list[CalibrationRow] = []
    for measure, (label, of, undefined) in measures.items():
        estimates = []
        counts: list[int] = []
        for table, found, reasons in zip(tables, drawn, why, strict=True):
            value, n = float(of(table.sum(0))), int(np.isfinite(of(table)).sum())
            missing = {undefined: len(place)} if np.isnan(value) else {}
            if not missing and measure != "undetermined":
                missing = dict(reasons)
            ends = percentile(of(found), n) if measure == "f1" else of_share(value, of(found), n)
            estimates.append(Estimate(missing=missing) if np.isnan(value) else Estimate(value, *ends, n, missing))
            counts.append(n)
        difference = None
        if sides > 1:
            value, moved = estimates[1].value - estimates[0].value, of(drawn[1]) - of(drawn[0])
            n = min(counts)
            ends = percentile(moved, n) if measure == "f1" else of_share(value, moved, n, difference=True)
            difference = Estimate() if np.isnan(value) else Estimate(value, *ends, n)
        rows.append(
            CalibrationRow("abstention", measure, label, Cells(estimates[0], *estimates[1:], difference=difference))
        )
    return rows


def tells_when_to_abstain(questions: Sequence[tuple[str, Sequence[Sequence[Record]]]]) -> bool:
    """Whether there are precision, recall and F1: of a response in each run it is known what it did and should do."""

    def known(record: Record) -> bool:
        return record.stance in ("answered", "abstained") and record.should_abstain is not None

    sides = [[one for _, both in questions for one in both[side]] for side in range(len(questions[0][1]))]
    return all(any(map(known, side)) for side in sides)


def _counts(record: Record, accuracy: str | None) -> Array:
    out: dict[str, float] = dict.fromkeys(_COLUMNS, 0.0)
    if record.stance is None:
        return np.array(list(out.values()))
    out["known"] = 1
    out["undetermined"] = float(record.stance == "undetermined")
    if record.stance != "undetermined":
        out["told"] = 1
        out["abstained"] = float(record.stance == "abstained")
        if (
            record.stance == "answered"
            and accuracy is not None
            and not math.isnan(record.accuracy.get(accuracy, math.nan))
            and record.accuracy_shared is None
        ):
            out["graded"], out["right"] = 1, record.accuracy[accuracy]
        if record.should_abstain is not None:
            out["should"] = 1
            abstains = record.stance == "abstained"
            cell = {(True, True): "hit", (True, False): "false", (False, True): "missed"}
            if name := cell.get((abstains, record.should_abstain)):
                out[name] = 1
    return np.array(list(out.values()))


def _drawn(tables: Sequence[Array], resamples: int, seed: int) -> list[Array]:
    """The columns' sums in every resample, (resamples, columns) of each side; the sides share the draws."""
    questions = len(tables[0])
    out: list[list[Array]] = [[] for _ in tables]
    for weights in draws(questions, resamples, seed, max(1, _CELLS // questions)):
        for table, found in zip(tables, out, strict=True):
            found.append(weights @ table)
    return [np.concatenate(found) for found in out]
