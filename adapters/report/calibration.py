"""Calibration in the report: the reliability and risk–coverage plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import altair as alt
import numpy as np

from ...metrics.calibration.confidences import CONFIDENCES
from ...metrics.calibration.estimators import BINS, Grouped, aurc, reliability, risk_coverage
from ...metrics.calibration.table import FEWEST, responses_of
from ...metrics.comparison.record import Record, Run
from . import numbers
from .aggregates import names, shared
from .chart_style import Plot, color, dash, finish, shape
from .question_rows import Key, KeyOf

_POINTS = 101  # of a risk–coverage curve


def calibration_plots(runs: Sequence[Run], key_of: KeyOf, name: str | None) -> list[Plot]:
    """`reliability` and `risk_coverage`, by the first kind of confidence that the runs have."""
    titles = {"reliability": "Is a chain as sure as it is right?", "risk_coverage": "Errors among the surest responses"}
    found = _found(runs, key_of, name)
    if found is None:
        why = "No chain has a confidence: there is no multiple-choice question with a scoring LM, and no repeat."
        return [Plot(key, title, why=why) for key, title in titles.items()]
    kind, data, common = found
    what = {
        "own_option": "the probability of the option that a response chose, among all options, after its chain",
        "agreement": "the share of the responses to a question that give the same answer",
    }[kind]
    whose = "Only questions for which all runs have the number." if common else "All questions that have the number."
    return [
        _reliability(runs, data, titles["reliability"], f"Confidence is {what}. {whose}"),
        _risk(runs, data, titles["risk_coverage"], f"Confidence is {what}. {whose}"),
    ]


def _reliability(runs: Sequence[Run], data: Sequence[Grouped | None], title: str, about: str) -> Plot:
    points, rows, said = [], [], []
    for name, one in zip(names(runs), data, strict=True):
        if one is None or one.counts.sum() < FEWEST:
            continue
        confidence, accuracy = reliability(one)
        for index, (sure, right) in enumerate(zip(confidence.tolist(), accuracy.tolist(), strict=True), 1):
            points.append({"model": name, "confidence": sure, "accuracy": right})
            rows.append([name, f"{index}", numbers.value(sure, "share"), numbers.value(right, "share")])
        mean, hits = float((one.counts * one.confidence).sum() / one.counts.sum()), one.right.sum() / one.counts.sum()
        said.append(f"{name} is {numbers.value(mean, 'share')} sure and {numbers.value(float(hits), 'share')} right")
    if not points:
        return Plot("reliability", title, why=f"No run has {FEWEST} responses with a confidence.")
    base = alt.Chart(alt.Data(values=points)).encode(
        x=_x("confidence:Q", "mean confidence"),
        y=_y("accuracy:Q", "accuracy"),
        color=color(runs),
    )
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("confidence:Q", format=".1%"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    ideal = alt.Chart(alt.Data(values=[{"at": 0}, {"at": 1}])).mark_line(color="#888", strokeDash=[2, 2])
    layers = [
        ideal.encode(x=_x("at:Q", "mean confidence"), y=_y("at:Q", "accuracy")),
        base.mark_line(strokeWidth=2).encode(strokeDash=dash(runs, named=False)),
        base.mark_point(filled=True, size=60).encode(shape=shape(runs), tooltip=tooltip),
    ]
    return Plot(
        "reliability",
        title,
        f"Accuracy against mean confidence in {BINS} bins of as many responses each, from least sure to surest; "
        f"on the dotted line both are the same, below it the model is too sure. {about}",
        finish(layers, height=340),
        summary=f"Confidence and accuracy: {'; '.join(said)}.",
        columns=("model", "bin", "mean confidence", "accuracy"),
        cells=rows,
    )


def _risk(runs: Sequence[Run], data: Sequence[Grouped | None], title: str, about: str) -> Plot:
    points, rows, said = [], [], []
    for name, one in zip(names(runs), data, strict=True):
        if one is None:
            continue
        coverage, risk = risk_coverage(one)
        kept = np.unique(np.linspace(0, len(risk) - 1, min(_POINTS, len(risk))).astype(int))
        points += [{"model": name, "coverage": float(coverage[i]), "risk": float(risk[i])} for i in kept]
        quarters = [max(0, int(np.ceil(len(risk) * part)) - 1) for part in (0.25, 0.5, 0.75, 1)]
        area = numbers.value(float(aurc(one)))
        rows.append([name, *(numbers.value(float(risk[i]), "share") for i in quarters), area, f"{len(risk):,}"])
        said.append(f"{name} {area}")
    base = alt.Chart(alt.Data(values=points)).encode(
        x=_x("coverage:Q", "coverage: share of the responses, surest first"),
        y=_y("risk:Q", "share of wrong ones among them"),
        color=color(runs, line=True),
    )
    tooltip = [alt.Tooltip("model:N"), alt.Tooltip("coverage:Q", format=".1%"), alt.Tooltip("risk:Q", format=".1%")]
    line = base.mark_line(strokeWidth=2.5, interpolate="linear").encode(strokeDash=dash(runs))
    return Plot(
        "risk_coverage",
        title,
        "Share of wrong responses among the surest ones, from the surest alone to all; the lower, the better does the "
        f"confidence tell right from wrong. The area under a curve is its AURC. {about}",
        finish([line, base.mark_point(filled=True, size=14, opacity=0.01).encode(tooltip=tooltip)]),
        summary=f"Area under the risk–coverage curve: {'; '.join(said)}.",
        columns=(
            "model",
            "wrong of the surest 25\u00a0%",
            "of 50\u00a0%",
            "of 75\u00a0%",
            "of all",
            "AURC",
            "responses",
        ),
        cells=rows,
    )


def _x(field: str, title: str) -> alt.X:
    return alt.X(field, title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))


def _y(field: str, title: str) -> alt.Y:
    return alt.Y(field, title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))


def _found(runs: Sequence[Run], key_of: KeyOf, name: str | None) -> tuple[str, list[Grouped | None], bool] | None:
    """The kind, each run's responses, and whether only common questions count; None where no run has a confidence."""
    for kind in ("own_option", "agreement"):
        _, confident = CONFIDENCES[kind]
        by_run: list[dict[Key, list[tuple[float, float]]]] = []
        for run in runs:
            questions: dict[Key, list[Record]] = defaultdict(list)
            for record in run.records:
                questions[key_of(record)].append(record)
            by_run.append(responses_of(questions, confident, name))
        keys, common = shared([set(one) for one in by_run])
        if not keys:
            continue
        data: list[Grouped | None] = []
        for one in by_run:
            flat = [point for key, points in one.items() if key in keys for point in points]
            data.append(_grouped(flat) if flat else None)
        return kind, data, common
    return None


def _grouped(points: Sequence[tuple[float, float]]) -> Grouped:
    confidence, right = np.array(points).T
    values, index = np.unique(confidence, return_inverse=True)
    return Grouped(values, np.bincount(index).astype(float), np.bincount(index, weights=right).astype(float))
