"""Renders a table of repeats, for a terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..comparison.numbers import NONE, number
from ..comparison.render import escape, row_line
from ..printable import printable
from .results import Cells, Estimate, RepeatRow, Repeats

_ABOUT = "each 95 % interval is that of its row alone, over questions"
_LENGTHS = "short, middle, long: thirds of the questions by the mean length of their responses"


def print_repeats(repeats: Repeats, console: Console) -> None:
    """Print the table, what it says, and why numbers are missing."""
    table = Table(title=Text(heading(repeats)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(_headers(repeats)):
        table.add_column(
            Text(name), justify="left" if index < 2 else "right", overflow="fold", no_wrap=index not in (2, 3)
        )
    for title, rows in _sections(repeats):
        if title:
            table.add_section()
            table.add_row(Text(title, style="italic"))
        for row in rows:
            table.add_row(*(Text(cell) for cell in _cells(row, repeats)))
    console.print(table)
    for said in _notes(repeats):
        console.print(Text(f"• {said}"))


def markdown(many: Sequence[Repeats]) -> str:
    """The same as Markdown."""
    out: list[str] = []
    for repeats in many:
        header = _headers(repeats)
        out += [
            f"## {escape(heading(repeats))}",
            "",
            row_line(header),
            row_line(["---", "---", *["---:"] * (len(header) - 2)]),
        ]
        for title, rows in _sections(repeats):
            out += [row_line([f"*{title}*", *[""] * (len(header) - 1)])] if title else []
            out += [row_line(_cells(row, repeats)) for row in rows]
        out += ["", *(f"- {escape(said)}" for said in _notes(repeats)), ""]
    return "\n".join(out)


def heading(repeats: Repeats) -> str:
    """`gsm8k: 60 questions with repeats (8 responses each)`."""
    name = "overall" if repeats.task is None else repeats.task or "(no task name)"
    runs = [one for one in (repeats.base, repeats.tuned) if one is not None]
    counts = [_counts(samples) for samples in repeats.samples]
    each = counts[0] if len(set(counts)) == 1 else "; ".join(f"{run}: {n}" for run, n in zip(runs, counts, strict=True))
    return printable(f"{name}: {repeats.n_questions:,} questions with repeats ({each})")


def _counts(samples: Mapping[int, int]) -> str:
    if len(samples) == 1:
        return f"{next(iter(samples))} responses each"
    return f"{min(samples)} to {max(samples)} responses each" if samples else "none"


def _headers(repeats: Repeats) -> list[str]:
    without = "without cut off"
    if repeats.tuned is None:
        names = [repeats.base, "95 % interval", without, "95 % interval"]
    else:
        names = [repeats.base, repeats.tuned, "difference", "95 % interval", without, "95 % interval"]
    return [printable(name) for name in ("measure", "unit", *names[:-2], "n", *names[-2:], "n")]


def _cells(row: RepeatRow, repeats: Repeats) -> list[str]:
    main = _last(row.all)
    values = [number(row.all.base.value)]
    if repeats.tuned is not None:
        values += [number(row.all.tuned.value if row.all.tuned else math.nan), number(main.value, sign=True)]
    signed = repeats.tuned is not None
    kept = _last(row.kept) if row.kept else Estimate()
    return [
        row.label,
        row.unit,
        *values,
        _interval(main, signed),
        f"{row.all.base.n:,}",
        number(kept.value, sign=signed),
        _interval(kept, signed),
        f"{kept.n:,}" if row.kept else NONE,
    ]


def _last(cells: Cells) -> Estimate:
    return cells.difference or cells.base


def _interval(one: Estimate, signed: bool) -> str:
    return NONE if math.isnan(one.low) else f"[{number(one.low, sign=signed)}, {number(one.high, sign=signed)}]"


def _sections(repeats: Repeats) -> list[tuple[str, list[RepeatRow]]]:
    titles = {"": ""}
    if repeats.buckets:
        short, middle = (f"{edge:,.0f}" for edge in repeats.buckets)
        titles |= {
            "short": f"short (≤ {short} characters)",
            "middle": f"middle (≤ {middle})",
            "long": "long",
        }
    found = [(title, [row for row in repeats.rows if row.bucket == bucket]) for bucket, title in titles.items()]
    return [(title, rows) for title, rows in found if rows]


def _notes(repeats: Repeats) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for row in repeats.rows:
        if row.all.base.missing and not row.bucket:
            said = "; ".join(f"{count:,} × {reason}" for reason, count in sorted(row.all.base.missing.items()))
            reasons.setdefault(said, []).append(row.label)
    missing = [f"{', '.join(labels)}: missing for {said}" for said, labels in reasons.items()]
    lengths = [_LENGTHS] if repeats.buckets else []
    return [printable(said) for said in (*repeats.reading, _ABOUT, *lengths, *missing)]
