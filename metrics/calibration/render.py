"""Renders calibration and abstention as tables, for a terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from ..comparison.markdown_table import escape, table_lines
from ..comparison.numbers import number, plural
from ..comparison.terminal_table import print_table
from ..printable import printable
from ..repeats.render import NO_INTERVAL, interval
from ..repeats.results import Estimate
from .confidences import CONFIDENCES
from .results import Calibration, CalibrationRow

_ABOUT = (
    "each 95 % interval is that of its row alone, over questions; of AUROC more is better, of ECE, Brier score and "
    "AURC less"
)


def print_calibration(calibration: Calibration, console: Console) -> None:
    """Print the tables and why numbers are missing; nothing where there is no row."""
    if not calibration.rows:
        return
    parts = ((1, 2, 3),) if calibration.tuned is None else ((1, 2), (3, 4), (5, 6, 7))
    print_table(console, heading(calibration), headers(calibration), parts, sections(calibration))
    for said in notes(calibration):
        console.print(Text(f"• {said}"))


def markdown(many: Sequence[Calibration]) -> str:
    """The same as Markdown."""
    out: list[str] = []
    for calibration in many:
        if not calibration.rows:
            continue
        out += [f"## {escape(heading(calibration))}", ""]
        out += table_lines(headers(calibration), sections(calibration), left=1)
        out += ["", *(f"- {escape(said)}" for said in notes(calibration)), ""]
    return "\n".join(out)


def heading(calibration: Calibration) -> str:
    """`gsm8k: calibration and abstention`."""
    name = "overall" if calibration.task is None else calibration.task or "(no task name)"
    return printable(f"{name}: calibration and abstention")


def headers(calibration: Calibration) -> list[str]:
    """The columns' names, as many as `cells` gives."""
    runs = [calibration.base] if calibration.tuned is None else [calibration.base, "95 % interval", calibration.tuned]
    last = "95 % interval"
    names = ["", *runs, last, *([] if calibration.tuned is None else ["difference", last]), "questions"]
    return [printable(name) for name in names]


def cells(row: CalibrationRow, calibration: Calibration) -> list[str]:
    """The row's cells, in the order of `headers`."""
    out = [row.label, number(row.all.base.value), interval(row.all.base)]
    if calibration.tuned is not None:
        tuned, difference = row.all.tuned or Estimate(), row.all.difference or Estimate()
        out += [
            number(tuned.value),
            interval(tuned),
            number(difference.value, sign=True),
            interval(difference, sign=True),
        ]
    return [*out, f"{max(row.all.base.n, row.all.tuned.n if row.all.tuned else 0):,}"]


def sections(calibration: Calibration) -> list[tuple[str, list[list[str]]]]:
    """The rows' cells by kind, each with its title."""
    titles = {kind: f"confidence: {title}" for kind, (title, _) in CONFIDENCES.items()} | {"abstention": "abstention"}
    found = [
        (title, [cells(row, calibration) for row in calibration.rows if row.kind == kind])
        for kind, title in titles.items()
    ]
    return [(title, rows) for title, rows in found if rows]


def notes(calibration: Calibration) -> list[str]:
    """How to read the table, and why numbers are missing: a line per set of reasons."""
    said = [_ABOUT] if any(row.kind != "abstention" for row in calibration.rows) else []
    runs = (calibration.base, calibration.tuned)
    estimates = [(row, run, one) for row in calibration.rows for run, one in zip(runs, _sides(row), strict=False)]
    if any(one.n and math.isnan(one.low) for row, _, one in estimates if row.measure != "ece_by_chance"):
        said.append(NO_INTERVAL)
    without: dict[str, list[str]] = {}
    for kind, reasons in calibration.missing.items():
        without.setdefault(_reasons(reasons, "question"), []).append(CONFIDENCES[kind][0])
    said += [f"no confidence by {' or '.join(kinds)} for {why}" for why, kinds in without.items()]
    by_reason: dict[tuple[str, ...], dict[str, None]] = {}
    for row in calibration.rows:
        of_runs: dict[str, list[str]] = {}
        for run, one in zip(runs, _sides(row), strict=False):
            if one.missing:
                unit = "response" if row.kind == "abstention" and one.n else "question"
                of_runs.setdefault(_reasons(one.missing, unit), []).append(run or "")
        for why, names in of_runs.items():
            by_reason.setdefault((why, ", ".join(names)), {})[row.label] = None
    said += [f"{', '.join(labels)}: missing for {why} ({names})" for (why, names), labels in by_reason.items()]
    return [printable(one) for one in said]


def _sides(row: CalibrationRow) -> list[Estimate]:
    return [one for one in (row.all.base, row.all.tuned) if one is not None]


def _reasons(reasons: Mapping[str, int], unit: str) -> str:
    return "; ".join(f"{plural(count, unit)}: {reason}" for reason, count in sorted(reasons.items()))
