"""The report's plots as a Python API, for notebooks and papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import altair as alt

from ...metrics.comparison.record import Run
from ...metrics.comparison.results import Comparison
from ...metrics.comparison.series import Series
from .errors import ReportError
from .plots import plots

Format = Literal["png", "svg", "pdf", "json"]
FORMATS: Sequence[str] = get_args(Format)
_PNG_SCALE = 2  # pixels per unit of the page, for print and dense screens


def figures(
    runs: Sequence[Run], comparisons: Sequence[Comparison] = (), series: Series | None = None
) -> dict[str, alt.LayerChart]:
    """The page's plots as Altair charts, by name; one without data is left out.

    Args:
        runs: one or more, the base first.
        comparisons: determine which metric counts as accuracy; without them it is the one that most chains have.

    Returns:
        Those of `trajectory` (of a series), `likelihood`,
        `own_confidence` (of runs with reliance), `step_gains`, `accuracy_infogain`, `ki`, `reliability`,
        `risk_coverage` that have data.
    """
    if not runs:
        raise ReportError("figures need at least one run")
    return {plot.key: plot.chart for plot in plots(runs, comparisons, series) if plot.chart is not None}


def write_figures(
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    folder: Path,
    formats: Sequence[Format] = ("png", "svg"),
    series: Series | None = None,
) -> list[Path]:
    """Write each plot into `folder` once per format (png, svg, pdf, json); returns the files. No network is used.

    Raises:
        ReportError: an unknown format, or no runs.
    """
    for name in formats:
        if name not in FORMATS:
            raise ReportError(f"figure format {name!r}: expected one of {', '.join(FORMATS)}")
    charts = figures(runs, comparisons, series)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for key, chart in charts.items():
        for name in formats:
            path = folder / f"{key}.{name}"
            chart.save(str(path), format=name, scale_factor=_PNG_SCALE if name == "png" else 1)
            out.append(path)
    return out
