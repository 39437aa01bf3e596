"""Renders a comparison as tables, for a terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from ..printable import printable
from .flips import flip_lines
from .markdown_table import escape, table_lines
from .numbers import NONE, number, p_value, percent
from .results import Comparison, Role, Row, TaskComparison
from .terminal_table import print_table

HEADERS = ("measure", "unit", "{base}", "{tuned}", "difference", "95 % interval", "relative", "p", "p (Holm)", "n")
_PARTS = ((1,), (2, 3), (4, 5), (6, 7), (8, 9))
_SPARE = (6, 7, 1)  # relative, p before its correction, unit
STYLES = {
    "trap": "bold red",
    "decorative": "bold red",
    "regression": "red",
    "down": "red",
    "gain": "green",
    "up": "green",
    "underpowered": "yellow",
    "no change": "",
}
_TITLES: dict[Role, str] = {
    "deciding": "",
    "exploratory": "exploratory (untested)",
    "confounder": "confounders (untested)",
}
_ROLES = (
    "the rows above *exploratory* decide, and their p are corrected together (Holm); the others are not tested, and "
    "each 95 % interval is that of its row alone"
)


def cells(row: Row) -> list[str]:
    """The row's cells, in the order of `HEADERS`."""
    interval = NONE if math.isnan(row.low) else f"[{number(row.low, sign=True)}, {number(row.high, sign=True)}]"
    return [
        row.label,
        row.unit,
        number(row.base),
        number(row.tuned),
        number(row.difference, sign=True),
        interval,
        percent(row.relative),
        p_value(row.p),
        p_value(row.p_holm),
        f"{row.n:,}",
    ]


def heading(task: TaskComparison, comparison: Comparison) -> str:
    """`math: 150 questions in both, 3 only in base`."""
    name = "overall" if task.task is None else task.task or "(no task name)"
    left_out = [
        f"{count:,} only in {run}"
        for count, run in ((task.only_base, comparison.base), (task.only_tuned, comparison.tuned))
        if count
    ]
    return printable(", ".join([f"{name}: {task.n_pairs:,} questions in both", *left_out]))


def missing(rows: Iterable[Row]) -> list[str]:
    """Why rows cover fewer questions than were paired: one line per set of reasons, with the measures affected."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.missing:
            reasons = "; ".join(f"{count:,} × {printable(reason)}" for reason, count in sorted(row.missing.items()))
            by_reason.setdefault(reasons, []).append(row.label)
    return [f"{'; '.join(labels)}: missing for {reasons}" for reasons, labels in by_reason.items()]


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the title, per task its verdict and a table, and a summary of all verdicts."""
    console.print(Text(_title(comparison), style="bold"))
    for line in _about(comparison):
        console.print(Text(line))
    for task in comparison.all:
        console.print()
        console.print(Text(heading(task, comparison), style="bold"))
        console.print(Text.assemble(("verdict: ", "bold"), _verdict(task)))
        print_table(console, "", _headers(comparison), _PARTS, _sections(task), spare=_SPARE)
        for note in _notes(task):
            console.print(Text(f"• {note}"))
    if len(comparison.all) > 1:
        console.print()
        console.print(Text("verdicts", style="bold"))
        for task in comparison.all:
            name = "overall" if task.task is None else printable(task.task)
            console.print(Text.assemble(f"{name} ({task.n_pairs:,}): ", (task.verdict.name, STYLES[task.verdict.name])))


def markdown(comparisons: Sequence[Comparison]) -> str:
    """The same as a Markdown document."""
    out: list[str] = []
    for comparison in comparisons:
        out += [f"# {escape(_title(comparison))}", ""]
        out += [f"- {escape(line)}" for line in _about(comparison)]
        for task in comparison.all:
            out += ["", f"## {escape(heading(task, comparison))}", ""]
            out += [f"**Verdict: {task.verdict.name}.** {escape(task.verdict.why)}.", ""]
            out += table_lines(_headers(comparison), _sections(task), left=2)
            notes = _notes(task)
            out += ["", *(f"- {escape(note)}" for note in notes)] if notes else []
        out.append("")
    return "\n".join(out)


def _notes(task: TaskComparison) -> list[str]:
    told = [row for row in task.rows if _shown(row) or row.role == "confounder" or row.measure == "ki"]
    return [*task.notes, *missing(told), *(flip_lines(task.flips) if task.flips else ())]


def _title(comparison: Comparison) -> str:
    return printable(f"{comparison.tuned} against {comparison.base}")


def _about(comparison: Comparison) -> list[str]:
    paired = ", ".join(f"{count:,} by {way}" for way, count in comparison.paired_by.items())
    roles = [_ROLES] if any(row.role == "exploratory" for task in comparison.all for row in task.rows) else []
    lines = (f"scorer: {comparison.scorer}", f"paired: {paired}", *roles, *comparison.notes)
    return [printable(line) for line in lines]


def _verdict(task: TaskComparison) -> Text:
    return Text.assemble((task.verdict.name, STYLES[task.verdict.name]), f": {printable(task.verdict.why)}")


def _headers(comparison: Comparison) -> list[str]:
    return [printable(name.format(base=comparison.base, tuned=comparison.tuned)) for name in HEADERS]


def _shown(row: Row) -> bool:
    return bool(row.n) or row.role == "deciding"


def _sections(task: TaskComparison) -> list[tuple[str, list[list[str]]]]:
    """The rows by role, with the title of each role's part; without those that decide nothing and have no number."""
    found = [
        (title, [cells(row) for row in task.rows if row.role == role and _shown(row)])
        for role, title in _TITLES.items()
    ]
    return [(title, rows) for title, rows in found if rows]
