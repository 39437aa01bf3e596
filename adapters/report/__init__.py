"""Writes one HTML page about one or several scored runs, and the plots in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...metrics.comparison.record import Run
from ...metrics.comparison.results import Comparison
from ...metrics.comparison.series import Series
from .errors import ReportError, check_packages

if TYPE_CHECKING:
    import altair

    from .figures import Format


def write_report(
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    out: Path,
    *,
    title: str | None = None,
    series: Series | None = None,
) -> None:
    """Write one self-contained HTML page about `runs`.

    Args:
        runs: one or more, the base first.
        comparisons: each tuned run against the first run; may be empty.
        out: the file to write; an existing one is replaced once the new page is complete.
        title: the page's title (default: the runs' names).
        series: the comparisons as checkpoints of one training (`series_of`), whose trajectory is drawn.

    Raises:
        ReportError: the extra `report` is not installed, no run is given, a run is empty, or a comparison names an
            unknown run.
    """
    check_packages()
    from .page import write_report as write

    write(runs, comparisons, out, title=title, series=series)


def figures(
    runs: Sequence[Run], comparisons: Sequence[Comparison] = (), series: Series | None = None
) -> dict[str, altair.LayerChart]:
    """The page's plots as Altair charts by name: `trajectory` (of a series), `likelihood`,
    `own_confidence` (of runs with reliance), `step_gains`,
    `accuracy_infogain`, `ki`, `reliability`, `risk_coverage`.

    A plot without data is left out. Raises ReportError like `write_report`.
    """
    check_packages()
    from .figures import figures as make

    return make(runs, comparisons, series)


def write_figures(
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    folder: Path,
    formats: Sequence[Format] = ("png", "svg"),
    series: Series | None = None,
) -> list[Path]:
    """Write the page's plots into `folder` as files (png, svg, pdf, json); returns their paths. Uses no network.

    Raises ReportError like `write_report`, and for an unknown format.
    """
    check_packages()
    from .figures import write_figures as write

    return write(runs, comparisons, folder, formats, series)


__all__ = ["ReportError", "check_packages", "figures", "write_figures", "write_report"]
