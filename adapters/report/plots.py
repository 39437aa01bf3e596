"""The plots of a report, made with Vega-Altair; each embeds its data and needs no network."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from ...metrics.comparison.record import Record, Run
from ...metrics.comparison.results import Comparison
from ...metrics.comparison.series import Series
from . import numbers
from .aggregates import (
    GRID,
    Array,
    Mean,
    by_group,
    curves,
    gains,
    group_name,
    largest_groups,
    mean_of,
    names,
    of_gold,
    of_own,
    shared,
)
from .calibration import calibration_plots
from .chart_style import Plot, color, dash, finish, shape
from .question_rows import Key, KeyOf, accuracy, accuracy_name, keys_of, metric
from .sanitize import one_line
from .trajectory import trajectory

_GROUPS = 60  # maximum number of subjects in a plot
_LABELLED = 8  # subjects whose points have a label each; more would hide each other
_LABEL = 22  # characters in a line of a label: what a phone has room for
_BINS = 41
_ENOUGH = 10  # questions that a subject needs for an interval


def plots(runs: Sequence[Run], comparisons: Sequence[Comparison], series: Series | None = None) -> list[Plot]:
    """All plots in the order of the page, including those without data."""
    name, key_of = accuracy_name(runs, comparisons), keys_of(runs, comparisons)
    return [
        *([] if series is None else [trajectory(series)]),
        likelihood(runs, key_of),
        *own_confidence(runs, key_of),
        step_gains(runs),
        accuracy_infogain(runs, key_of, name),
        knowledge(runs, key_of),
        *calibration_plots(runs, key_of, name),
    ]


def likelihood(runs: Sequence[Run], key_of: KeyOf) -> Plot:
    """Log-probability of the gold answer per answer token along the chain, by run."""
    title = "How sure the scoring LM becomes of the gold answer"
    found = [curves(run, key_of, of_gold) for run in runs]
    if not any(found):
        return Plot("likelihood", title, why="No chain has log-likelihoods of its gold answer.")
    return _along_the_chain("likelihood", title, "log-probability of the gold answer per answer token", runs, found)


def own_confidence(runs: Sequence[Run], key_of: KeyOf) -> list[Plot]:
    """Log-probability of the chain's own answer along the chain, by run; nothing where reliance was not measured."""
    found = [curves(run, key_of, of_own) for run in runs]
    title = "How sure the scoring LM becomes of the chain's own answer"
    what = "log-probability of the answer that the chain itself gives"
    return [_along_the_chain("own_confidence", title, what, runs, found)] if any(found) else []


def _along_the_chain(
    key: str, title: str, what: str, runs: Sequence[Run], found: Sequence[Mapping[Key, Array]]
) -> Plot:
    """Args:
    what: is drawn, in nats.
    found: of each run, a curve per question.
    """
    keys, common = shared([set(one) for one in found])
    data, cells, ends = [], [], []
    for name, one in zip(names(runs), found, strict=True):
        stack = np.array([values for key, values in one.items() if key in keys])
        if not len(stack):
            continue
        means = [mean_of(column.tolist()) for column in stack.T]
        data += [_point(name, at, mean) for at, mean in zip(GRID.tolist(), means, strict=True)]
        cells += [
            [name, f"{at:.2f}", numbers.value(mean.mean), _between(mean), f"{mean.n:,}"]
            for at, mean in zip(GRID.tolist()[::5], means[::5], strict=True)
        ]
        ends.append(f"{name} from {numbers.value(means[0].mean)} to {numbers.value(means[-1].mean)}")
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("position:Q", title="position in the chain", axis=alt.Axis(tickCount=5)),
        color=color(runs, line=True),
    )
    label = "log p per answer token, nats" if key == "likelihood" else "log p, nats"
    y = alt.Y("mean:Q", title=label, scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("position:Q", format=".2f"),
        alt.Tooltip("mean:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
    ]
    band = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title=label), y2="high:Q")
    line = base.mark_line(strokeWidth=2.5).encode(y=y, strokeDash=dash(runs))
    points = base.mark_point(size=28, filled=True).encode(y=y, tooltip=tooltip)
    return Plot(
        key,
        title,
        f"Mean {what}, from the question alone (0) to the whole chain (1), "
        "over questions, with its 95\u00a0% band (normal approximation); chains of any length are stretched to the "
        f"same width, and values between two steps lie on a straight line. {_which(common, len(keys))}",
        finish([band, line, points] if any("low" in point for point in data) else [line, points]),
        summary=f"Mean {what} over the chain: {'; '.join(ends)}.",
        columns=("model", "position", "mean, nats", "95\u00a0% band", "questions"),
        cells=cells,
    )


def step_gains(runs: Sequence[Run]) -> Plot:
    """Distribution of the steps' gains, by run; values beyond the axis are counted in the outermost bins."""
    title = "What single steps gain"
    found = [gains(run) for run in runs]
    together = np.concatenate(found) if found else np.array([])
    if not len(together):
        return Plot("step_gains", title, why="No step has a gain.")
    low, high = (float(end) for end in np.quantile(together, [0.01, 0.99]))
    reach = max(abs(low), abs(high), 1e-3)
    if high - low < 1e-6:
        low, high = low - reach, high + reach
    edges = np.linspace(low, high, _BINS + 1)
    data, cells, shares = [], [], []
    for name, one in zip(names(runs), found, strict=True):
        if not len(one):
            continue
        share = np.histogram(np.clip(one, low, high), edges)[0] / len(one)
        data += [
            {"model": name, "gain": float(middle), "share": float(height), "low": float(left), "high": float(right)}
            for middle, height, left, right in zip(
                (edges[1:] + edges[:-1]) / 2, share, edges[:-1], edges[1:], strict=True
            )
        ]
        quantiles = np.quantile(one, [0.05, 0.25, 0.5, 0.75, 0.95])
        positive = float((one > 0).mean())
        cells.append(
            [name, f"{len(one):,}", *(numbers.difference(q) for q in quantiles), numbers.value(positive, "share")]
        )
        shares.append(
            f"{name} median {numbers.difference(quantiles[2])} nats, {numbers.value(positive, 'share')} above 0"
        )
    beyond = float(((together < low) | (together > high)).mean())
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("gain:Q", title="gain of a step, nats", scale=alt.Scale(domain=[low, high], nice=False)),
        y=alt.Y("share:Q", title="share of the run's steps", axis=alt.Axis(format="%"), stack=None),
        color=color(runs, line=True),
    )
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("low:Q", title="from", format=".2f"),
        alt.Tooltip("high:Q", title="to", format=".2f"),
        alt.Tooltip("share:Q", format=".1%"),
    ]
    area = base.mark_area(opacity=0.15, interpolate="step").encode(tooltip=tooltip)
    line = base.mark_line(interpolate="step", strokeWidth=2).encode(strokeDash=dash(runs))
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeDash=[2, 2], color="#888").encode(x="zero:Q")
    layers = [area, line, zero] if low < 0 < high else [area, line]
    return Plot(
        "step_gains",
        title,
        f"Histogram of all steps' gains. The axis runs from the 1st to the 99th percentile of all of them together "
        f"({numbers.difference(low)} to {numbers.difference(high)} nats); {numbers.value(beyond, 'share')} of the "
        "steps lie beyond it and are counted in the outermost bars.",
        finish(layers),
        summary=f"Gains of steps: {'; '.join(shares)}.",
        columns=("model", "steps", "5th percentile", "25th", "median", "75th", "95th", "above 0"),
        cells=cells,
    )


def accuracy_infogain(runs: Sequence[Run], key_of: KeyOf, name: str | None) -> Plot:
    """Accuracy against total gain by subject (by task if there are no subjects); a line joins a subject's runs."""
    group = group_name(runs)
    title = f"Accuracy against InfoGain by {group}"
    if name is None:
        return Plot("accuracy_infogain", title, why="The runs have no accuracy.")
    nats, right = metric("infogain_nats"), accuracy(name)
    both = _both(nats, right)
    gained, common = by_group(runs, lambda record: nats(record) if both(record) else math.nan, key_of)
    correct, _ = by_group(runs, lambda record: right(record) if both(record) else math.nan, key_of)
    kept, left_out = largest_groups(gained, _GROUPS)
    if not kept:
        return Plot("accuracy_infogain", title, why="No chain has both an accuracy and a gain.")
    data, cells = [], []
    for order, (run, gain, hits) in enumerate(zip(names(runs), gained, correct, strict=True)):
        for one in kept:
            if one in gain:
                data.append(
                    {
                        "model": run,
                        "group": one,
                        "gain": gain[one].mean,
                        "accuracy": hits[one].mean,
                        "n": gain[one].n,
                        "order": order,
                    }
                )
                cells.append(
                    [
                        one,
                        run,
                        numbers.value(gain[one].mean),
                        numbers.value(hits[one].mean, "share"),
                        f"{gain[one].n:,}",
                    ]
                )
    if len(data) == 1:
        return Plot("accuracy_infogain", title, why=f"There is one {group} alone; its means stand under “Numbers”.")
    hits = [point["accuracy"] for point in data]
    percent = all(0 <= hit <= 1 for hit in hits)
    ends = [max(0.0, min(hits) - 0.05), min(1.0, max(hits) + 0.05)]
    span = alt.Scale(domain=ends, padding=12) if percent else alt.Scale(zero=False, padding=12)
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("gain:Q", title="InfoGain: mean total gain, nats", scale=alt.Scale(zero=False, padding=24)),
        y=alt.Y(
            "accuracy:Q",
            title=f"accuracy ({one_line(name, 40)})",
            scale=span,
            axis=alt.Axis(format="%") if percent else alt.Axis(),
        ),
    )
    tooltip = [
        alt.Tooltip("group:N", title=group),
        alt.Tooltip("model:N"),
        alt.Tooltip("gain:Q", title="gain, nats", format=".2f"),
        alt.Tooltip("accuracy:Q", format=".1%" if percent else ".3f"),
        alt.Tooltip("n:Q", title="questions", format=","),
    ]
    points = base.mark_point(filled=True, size=70, opacity=0.95).encode(
        color=color(runs), shape=shape(runs), tooltip=tooltip
    )
    layers: list[alt.Chart] = [points]
    if len(runs) > 1:
        lines = base.mark_line(color="#888", strokeWidth=1, opacity=0.7).encode(detail="group:N", order="order:O")
        layers.insert(0, lines)
    if len(kept) <= _LABELLED and max(map(len, kept)) <= _LABEL:
        layers += _labels(data, base)
    joined = " A line joins the same subject in the runs; labels stand at the last run." if len(runs) > 1 else ""
    return Plot(
        "accuracy_infogain",
        title,
        f"Means over questions that have both numbers.{joined.replace('subject', group)} {_which(common)}"
        f"{_left_out(left_out, group)}",
        finish(layers, height=360),
        summary=f"Accuracy and mean total gain of {_count(len(kept), group)} in {_count(len(runs), 'run')}; the table "
        "below has the numbers.",
        columns=(group, "model", "gain, nats", "accuracy", "questions"),
        cells=cells,
    )


def _labels(data: Sequence[dict[str, Any]], base: alt.Chart) -> list[alt.Chart]:
    """The groups' names at the points of the last run, each towards the middle, where there is room."""
    last = max(point["order"] for point in data)
    middle = (min(point["gain"] for point in data) + max(point["gain"] for point in data)) / 2
    halves: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for point in data:
        if point["order"] == last:
            halves[point["gain"] > middle].append(point)
    left, right = (
        alt.Chart(alt.Data(values=half)).encode(x=base.encoding.x, y=base.encoding.y, text="group:N") for half in halves
    )
    made = [left.mark_text(align="left", dx=8, fontSize=10), right.mark_text(align="right", dx=-8, fontSize=10)]
    return [chart for chart, half in zip(made, halves, strict=True) if half]


def knowledge(runs: Sequence[Run], key_of: KeyOf) -> Plot:
    """Knowledge Index by subject (by task if there are none), with 95\u00a0% intervals if questions suffice."""
    group = group_name(runs)
    title = f"Knowledge Index by {group}"
    means, common = by_group(runs, metric("ki"), key_of)
    coverage, _ = by_group(runs, metric("ki_coverage"), key_of)
    kept, left_out = largest_groups(means, _GROUPS)
    if not kept:
        return Plot("ki", title, why="No chain has a Knowledge Index: no step was checkable, or nothing was judged.")
    lines = {one: "\n".join(textwrap.wrap(one, _LABEL)) for one in kept}
    data, cells = [], []
    for run, mean, covered in zip(names(runs), means, coverage, strict=True):
        for one in kept:
            if one not in mean:
                continue
            found = mean[one]
            point: dict[str, Any] = {"model": run, "group": lines[one], "ki": found.mean, "n": found.n}
            share = covered[one].mean if one in covered else math.nan
            if math.isfinite(share):
                point["coverage"] = share
            if found.n >= _ENOUGH:
                point |= {"low": max(0.0, found.low), "high": min(1.0, found.high)}
            data.append(point)
            cells.append(
                [
                    one,
                    run,
                    numbers.value(found.mean, "share"),
                    numbers.value(share, "share"),
                    f"{found.n:,}",
                ]
            )
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("group:N", title=None, axis=alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=0, grid=True)),
        yOffset=alt.YOffset("model:N", scale=alt.Scale(domain=names(runs), paddingOuter=0.3)),
        color=color(runs),
    )
    tooltip = [
        alt.Tooltip("group:N", title=group),
        alt.Tooltip("model:N"),
        alt.Tooltip("ki:Q", title="KI", format=".1%"),
        alt.Tooltip("coverage:Q", format=".1%"),
        alt.Tooltip("n:Q", title="questions", format=","),
    ]
    x = alt.X("ki:Q", title="Knowledge Index", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    layers = [base.mark_point(filled=True, size=70).encode(x=x, shape=shape(runs), tooltip=tooltip)]
    most = max(line.count("\n") + 1 for line in lines.values())
    with_interval = [point for point in data if "low" in point]
    if with_interval:
        rules = base.properties(data=alt.Data(values=with_interval)).mark_rule(strokeWidth=2, opacity=0.6)
        layers.insert(0, rules.encode(x=alt.X("low:Q", title="Knowledge Index"), x2="high:Q"))
    return Plot(
        "ki",
        title,
        "Share of checkable steps that agree with their source, mean over questions that have a checkable step. Lines "
        f"are 95\u00a0% intervals, drawn from {_ENOUGH} questions on. Read it with the coverage in the table: the "
        f"share of steps that could be checked at all. {_which(common)}{_left_out(left_out, group)}",
        finish(layers, height=max(120, max(22, 12 * len(runs), 14 * most) * len(kept))),
        summary=f"Knowledge Index of {_count(len(kept), group)}; the table below has the numbers.",
        columns=(group, "model", "KI", "coverage", "questions"),
        cells=cells,
    )


def _both(first: Callable[[Record], float], second: Callable[[Record], float]) -> Callable[[Record], bool]:
    return lambda record: math.isfinite(first(record)) and math.isfinite(second(record))


def _point(name: str, at: float, mean: Mean) -> dict[str, Any]:
    point = {"model": name, "position": at, "mean": mean.mean}
    if math.isfinite(mean.low):
        point |= {"low": mean.low, "high": mean.high}
    return point


def _between(mean: Mean) -> str:
    return f"{numbers.value(mean.low)} to {numbers.value(mean.high)}" if math.isfinite(mean.low) else numbers.DASH


def _which(common: bool, n: int | None = None) -> str:
    how_many = f"the {n:,} questions" if n else "questions"
    return f"Only {how_many} for which all runs have the number." if common else "All questions that have the number."


def _left_out(n: int, group: str) -> str:
    return f" The {_GROUPS} {group}s with most questions; {n:,} more are left out." if n else ""


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
