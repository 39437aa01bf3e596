"""The tables below the comparison: several responses to a question, and calibration with abstention."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from ...metrics.calibration import calibrations_of
from ...metrics.calibration import render as calibration
from ...metrics.comparison import NotComparable
from ...metrics.comparison.compare import Settings
from ...metrics.comparison.record import Run
from ...metrics.comparison.results import Comparison
from ...metrics.repeats import render as repeats
from ...metrics.repeats import repeats_in
from .sanitize import clip, one_line

_NAME = 120
_NOTE = 1000

Table = TypeVar("Table")
Asked = Sequence[tuple[Run, "Run | None", Settings]]


def more_tables(runs: Sequence[Run], comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Parts of the page for the template, each with its tables, of each comparison or else of each run alone."""
    by_name = {run.name: run for run in runs}
    asked: Asked = [(by_name[one.base], by_name[one.tuned], _settings(one)) for one in comparisons] or [
        (run, None, Settings()) for run in runs
    ]
    confident = _made(functools.partial(calibrations_of, beside_accuracy=True), asked)
    parts = (
        ("repeats", "Several responses to a question", _views(_made(repeats_in, asked), repeats)),
        ("calibration", "Calibration and abstention", _views(confident, calibration)),
    )
    return [{"id": key, "title": title, "tables": tables} for key, title, tables in parts if tables]


def _made(make: Callable[[Run, Run | None, Settings], Iterable[Table]], asked: Asked) -> list[Table]:
    found: list[Table] = []
    for base, tuned, settings in asked:
        try:
            found += make(base, tuned, settings)
        except NotComparable:  # without a common accuracy metric there is no such table
            continue
    return found


def _views(tables: Iterable[Any], render: Any) -> list[dict[str, Any]]:
    """What the template needs of each table, by its room's `render`, which has the same functions for both kinds."""
    return [
        {
            "title": one_line(f"{render.heading(one)}: {one.tuned or one.base}", _NAME),
            "headers": [one_line(name, _NAME) for name in render.headers(one)],
            "groups": render.sections(one),
            "notes": [clip(said, _NOTE) for said in render.notes(one)],
        }
        for one in tables
    ]


def _settings(comparison: Comparison) -> Settings:
    kept = {
        key: comparison.settings[key]
        for key in ("pair_by", "accuracy", "resamples", "seed", "force")
        if key in comparison.settings
    }
    return Settings(**kept)
