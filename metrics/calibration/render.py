"""Renders calibration and abstention as tables, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..comparison.numbers import NONE, number
from ..comparison.render import escape, row_line
from ..printable import printable
from ..repeats.results import Estimate
from .confidences import CONFIDENCES
from .results import Calibration, CalibrationRow

_ABOUT = "each 95 % interval is that of its row alone, over questions; of AUROC more is better, of the others less"


def print_calibration(calibration: Calibration, console: Console) -> None:
    """Print the tables and why numbers are missing; nothing where there is no row."""
    if not calibration.rows:
        return
    table = Table(title=Text(heading(calibration)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(headers(calibration)):
        table.add_column(Text(name), justify="left" if not index else "right", overflow="fold", no_wrap=index > 1)
    for title, rows in sections(calibration):
        table.add_section()
        table.add_row(Text(title, style="italic"))
        for row in rows:
            table.add_row(*(Text(cell) for cell in cells(row, calibration)))
    console.print(table)
    for said in notes(calibration):
        console.print(Text(f"• {said}"))


def markdown(many: Sequence[Calibration]) -> str:
    """The same as Markdown."""
    out: list[str] = []
    for calibration in many:
        if not calibration.rows:
            continue
        header = headers(calibration)
        out += [
            f"## {escape(heading(calibration))}",
            "",
            row_line(header),
            row_line(["---", *["---:"] * (len(header) - 1)]),
        ]
        for title, rows in sections(calibration):
            out.append(row_line([f"*{title}*", *[""] * (len(header) - 1)]))
            out += [row_line(cells(row, calibration)) for row in rows]
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


def interval(one: Estimate, *, sign: bool = False) -> str:
    """`[0.12, 0.31]`; a dash without one."""
    return NONE if one.low != one.low else f"[{number(one.low, sign=sign)}, {number(one.high, sign=sign)}]"


def sections(calibration: Calibration) -> list[tuple[str, list[CalibrationRow]]]:
    """The rows by kind, each with its title."""
    titles = {kind: f"confidence: {title}" for kind, (title, _) in CONFIDENCES.items()} | {"abstention": "abstention"}
    found = [(title, [row for row in calibration.rows if row.kind == kind]) for kind, title in titles.items()]
    return [(title, rows) for title, rows in found if rows]


def notes(calibration: Calibration) -> list[str]:
    """How to read the table, and why numbers are missing: a line per set of reasons."""
    said = [_ABOUT] if any(row.kind != "abstention" for row in calibration.rows) else []
    for kind, reasons in calibration.missing.items():
        said.append(f"confidence, {CONFIDENCES[kind][0]}: missing for {_reasons(reasons, 'questions')}")
    by_reason: dict[str, list[str]] = {}
    for row in calibration.rows:
        for run, one in ((calibration.base, row.all.base), (calibration.tuned, row.all.tuned)):
            if one is not None and one.missing:
                unit = "responses" if row.kind == "abstention" and one.n else "questions"
                by_reason.setdefault(f"missing for {_reasons(one.missing, unit)} ({run})", []).append(row.label)
    said += [f"{', '.join(dict.fromkeys(labels))}: {why}" for why, labels in by_reason.items()]
    return [printable(one) for one in said]


def _reasons(reasons: object, unit: str) -> str:
    assert isinstance(reasons, dict)
    return "; ".join(f"{count:,} {unit}: {reason}" for reason, count in sorted(reasons.items()))
