"""The look of a report's plots (colour, dash and shape per run; legends; sizes), and `Plot`, a chart with its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from ...metrics.comparison.record import Run
from .aggregates import names

# Each colour has a contrast ratio of at least 3 against white and against the page's dark background.
COLORS = ("#2f7fd1", "#d1651f", "#2f9460", "#a45fc0", "#9c7a1f", "#cc4f7c")
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [12, 4], [4, 4])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_WIDTH, _HEIGHT = 640, 280


@dataclass(frozen=True)
class Plot:
    """One plot, with a text and a table for readers who cannot see it.

    Attributes:
        key: its name in files and in `figures`.
        title, caption: what it shows, how it was made, what was left out.
        chart: None if there are no data; then `why` gives the reason.
        summary: the text alternative: one sentence with the main numbers.
        columns, cells: the plotted numbers as a table.
    """

    key: str
    title: str
    caption: str = ""
    chart: alt.LayerChart | None = None
    why: str = ""
    summary: str = ""
    columns: Sequence[str] = ()
    cells: Sequence[Sequence[str]] = field(default_factory=tuple)


def scale(runs: Sequence[Run], values: Sequence[Any]) -> alt.Scale:
    """A scale that assigns `values` to the runs in order."""
    return alt.Scale(domain=names(runs), range=[values[i % len(values)] for i in range(len(runs))])


def legend(*, line: bool) -> alt.Legend:
    """A legend with one entry per line, so that long names fit on a phone."""
    symbol: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 400, "symbolStrokeWidth": 2.5} if line else {}
    return alt.Legend(orient="top", title=None, direction="vertical", labelLimit=280, symbolOpacity=1, **symbol)


def color(runs: Sequence[Run], *, line: bool = False) -> alt.Color:
    """Encode the run by colour; `line`: the legend shows lines."""
    return alt.Color("model:N", scale=scale(runs, COLORS), legend=legend(line=line))


def shape(runs: Sequence[Run]) -> alt.Shape:
    """Encode the run by shape, for readers who cannot tell the colours apart."""
    return alt.Shape("model:N", scale=scale(runs, _SHAPES), legend=legend(line=False))


def dash(runs: Sequence[Run], *, named: bool = True) -> alt.StrokeDash:
    """Encode the run by dashes; `named`: in the legend, too."""
    key = legend(line=True) if named else None
    return alt.StrokeDash("model:N", scale=scale(runs, DASHES), legend=key)


def finish(layers: Sequence[alt.Chart], height: int = _HEIGHT) -> alt.LayerChart:
    """Combine the layers into one chart in the report's style."""
    style: Mapping[str, Any] = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    return (
        alt.LayerChart(layer=list(layers))
        .properties(width=_WIDTH, height=height)
        .configure_axis(**style, gridOpacity=0.5, domain=False)
        .configure_legend(labelFontSize=12)
        .configure_view(stroke=None)
        .configure_mark(tooltip=None)
    )
