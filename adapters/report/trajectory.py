"""The plot of a series: accuracy and the deciding measures from checkpoint to checkpoint, each against the base."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from ...metrics.comparison.results import Row
from ...metrics.comparison.series import Series
from . import numbers
from .chart_style import COLORS, DASHES, Plot, finish, legend
from .glossary import plain_name
from .sanitize import one_line

_KEY = "trajectory"
_NUMBERS = ("difference", "raw", "low", "high")
_TITLE = "What became of accuracy and reasoning"


def trajectory(series: Series) -> Plot:
    """Differences to the base in units of the smallest that matters, so that measures of any unit share an axis."""
    data, cells = [], []
    for key in series.measures:
        name = _name(series, key)
        if series.position is not None:
            data.append({"checkpoint": series.position, "measure": name, **dict.fromkeys(_NUMBERS, 0.0)})
        for one in series.checkpoints:
            row = one.rows.get(key)
            if row is None or math.isnan(row.difference):
                continue
            at = {"checkpoint": one.position if one.position is not None else one_line(one.run, 40), "measure": name}
            if row.smallest > 0:
                data.append({**at, **_scaled(row)})
            moved = "moved" if row.p_holm < series.alpha and row.difference else ""
            interval = f"{numbers.difference(row.low)} to {numbers.difference(row.high)}"
            shown = "" if math.isnan(row.low) else interval
            cells.append([name, series.name(one), numbers.difference(row.difference), shown, moved, f"{row.n:,}"])
    if not cells:
        return Plot(_KEY, _TITLE, why="No checkpoint has a measure that can be set against the base.")
    measures = list(dict.fromkeys(point["measure"] for point in data))
    kind = "Q" if series.checkpoints[0].position is not None else "N"
    x: Any = alt.X(f"checkpoint:{kind}", title=series.unit, sort=None)
    base = alt.Chart(alt.Data(values=data)).encode(
        x=x,
        color=alt.Color(
            "measure:N",
            scale=alt.Scale(domain=measures, range=[COLORS[i % len(COLORS)] for i in range(len(measures))]),
            legend=legend(line=True),
        ),
    )
    label = "difference to the base, in smallest that matter"
    y = alt.Y("difference:Q", title=label)
    tooltip = [alt.Tooltip("measure:N"), alt.Tooltip(f"checkpoint:{kind}", title=series.unit), *_numbers()]
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=label), y2="high:Q")
    dashes = alt.Scale(domain=measures, range=[DASHES[i % len(DASHES)] for i in range(len(measures))])
    line = base.mark_line(strokeWidth=2.5).encode(
        y=y, strokeDash=alt.StrokeDash("measure:N", scale=dashes, legend=legend(line=True))
    )
    points = base.mark_point(size=40, filled=True).encode(y=y, tooltip=tooltip)
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(opacity=0.6).encode(y="at:Q")
    return Plot(
        _KEY,
        _TITLE,
        f"Each checkpoint against {one_line(series.base, 60)}, question by question: differences with their 95\u00a0% "
        "intervals, divided by the smallest difference that matters (0.05 in a share, 0.2 standard deviations in nats, "
        "unless chosen otherwise). Below -1 more was lost than may be overlooked.",
        finish([zero, band, line, points] if any("low" in one for one in data) else [zero, line, points]),
        summary="; ".join(series.sentences()) + ".",
        columns=("measure", series.unit, "difference", "95\u00a0% interval", "", "questions"),
        cells=cells,
    )


def _name(series: Series, key: str) -> str:
    row = next(one.rows[key] for one in series.checkpoints if key in one.rows)
    plain = plain_name(key)
    return one_line(row.label if plain == key else plain, 60)


def _scaled(row: Row) -> dict[str, float]:
    found = {"difference": row.difference / row.smallest, "raw": row.difference}
    if not math.isnan(row.low):
        found |= {"low": row.low / row.smallest, "high": row.high / row.smallest}
    return found


def _numbers() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("raw:Q", title="difference", format="+.3f"),
        alt.Tooltip("low:Q", title="from, in smallest", format="+.2f"),
        alt.Tooltip("high:Q", title="to", format="+.2f"),
    ]
