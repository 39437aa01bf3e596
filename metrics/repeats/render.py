"""Renders a table of repeats, for a terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from ..comparison.markdown_table import escape, table_lines
from ..comparison.numbers import NONE, number
from ..comparison.terminal_table import print_table
from ..printable import printable
from .results import Cells, Estimate, RepeatRow, Repeats

_ABOUT = "each 95 % interval is that of its row alone, over questions"
NO_INTERVAL = (
    "a number has no interval where fewer than two questions have it, or where resampled questions give it too rarely "
    "or always the same"
)
_LENGTHS = "short, middle, long: thirds of the questions by the mean length of their responses"


def print_repeats(repeats: Repeats, console: Console) -> None:
    """Print the table, what it says, and why numbers are missing."""
    width = len(headers(repeats))
    parts = [(1,), (2, 3, 4)] if repeats.tuned is None else [(1,), (2, 3), (4, 5, 6)]
    parts += [(width - 3, width - 2, width - 1)] if _any_kept(repeats) else []
    print_table(console, heading(repeats), headers(repeats), parts, sections(repeats), spare=(1,))
    for said in notes(repeats):
        console.print(Text(f"• {said}"))


def markdown(many: Sequence[Repeats]) -> str:
    """The same as Markdown."""
    out: list[str] = []
    for repeats in many:
        out += [f"## {escape(heading(repeats))}", ""]
        out += table_lines(headers(repeats), sections(repeats), left=2)
        out += ["", *(f"- {escape(said)}" for said in notes(repeats)), ""]
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


def headers(repeats: Repeats) -> list[str]:
    """The columns' names, as many as `cells` gives."""
    names = [repeats.base] if repeats.tuned is None else [repeats.base, repeats.tuned, "difference"]
    kept = ["without cut off", "95 % interval", "n"] if _any_kept(repeats) else []
    return [printable(name) for name in ("measure", "unit", *names, "95 % interval", "n", *kept)]


def _any_kept(repeats: Repeats) -> bool:
    """Whether any response was cut off, so that there are numbers without those."""
    return any(row.kept is not None for row in repeats.rows)


def cells(row: RepeatRow, repeats: Repeats) -> list[str]:
    """The row's cells, in the order of `headers`."""
    main = _last(row.all)
    signed = repeats.tuned is not None
    values = [number(row.all.base.value)]
    if signed:
        values += [number(row.all.tuned.value if row.all.tuned else math.nan), number(main.value, sign=True)]
    out = [row.label, row.unit, *values, interval(main, sign=signed), f"{row.all.base.n:,}"]
    if not _any_kept(repeats):
        return out
    kept = _last(row.kept) if row.kept else Estimate()
    return [
        *out,
        number(kept.value, sign=signed),
        interval(kept, sign=signed),
        f"{kept.n:,}" if row.kept else NONE,
    ]


def _last(cells: Cells) -> Estimate:
    return cells.difference or cells.base


def interval(one: Estimate, *, sign: bool = False) -> str:
    """`[0.12, 0.31]`; a dash without one."""
    return NONE if math.isnan(one.low) else f"[{number(one.low, sign=sign)}, {number(one.high, sign=sign)}]"


def sections(repeats: Repeats) -> list[tuple[str, list[list[str]]]]:
    """The rows' cells by the length of the questions' responses, each part titled; first those of all questions."""
    titles = {"": ""}
    if repeats.buckets:
        short, middle = (f"{edge:,.0f}" for edge in repeats.buckets)
        titles |= {
            "short": f"short (≤ {short} characters)",
            "middle": f"middle (≤ {middle})",
            "long": "long",
        }
    found = [
        (title, [cells(row, repeats) for row in repeats.rows if row.bucket == bucket])
        for bucket, title in titles.items()
    ]
    return [(title, rows) for title, rows in found if rows]


def notes(repeats: Repeats) -> list[str]:
    """What the table says, how it is read, and why numbers are missing."""
    reasons: dict[str, list[str]] = {}
    for row in repeats.rows:
        if row.all.base.missing and not row.bucket:
            said = "; ".join(f"{count:,} × {reason}" for reason, count in sorted(row.all.base.missing.items()))
            reasons.setdefault(said, []).append(row.label)
    missing = [f"{', '.join(labels)}: missing for {said}" for said, labels in reasons.items()]
    lengths = [_LENGTHS] if repeats.buckets else []
    lengths += [NO_INTERVAL] if any(_last(row.all).n and math.isnan(_last(row.all).low) for row in repeats.rows) else []
    return [printable(said) for said in (*repeats.reading, _ABOUT, *lengths, *missing)]
