"""Prints a table on a terminal; one that is too wide is printed in parts, each with the rows' labels."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from .numbers import NONE

_HEADER = 16  # characters of a column's name in a line, unless the cells below it are longer
_UNBOUNDED = 10_000

Sections = Sequence[tuple[str, Sequence[Sequence[str]]]]


def print_table(
    console: Console, title: str, headers: Sequence[str], parts: Sequence[Sequence[int]], sections: Sections
) -> None:
    """Print the table, in as few parts as the console's width allows.

    Args:
        headers: the columns' names; the first column has the rows' labels.
        parts: indices of the other columns that belong together, such as a number and its interval; in order.
        sections: (title, rows), each row as long as `headers`; "" for rows without a title.
    """
    options = console.options.update(max_width=_UNBOUNDED)
    shown: list[int] = []
    blocks: list[list[int]] = []
    for part in parts:
        wider = [*shown, *part]
        if shown and Measurement.get(console, options, _table("", headers, wider, sections)).maximum > console.width:
            blocks.append(shown)
            wider = [*part]
        shown = wider
    console.print(_table(title, headers, (blocks or [shown])[0], sections))
    for block in [*blocks[1:], shown] if blocks else []:
        console.print(_table("", headers, block, _told(sections, block)))


def _told(sections: Sections, columns: Sequence[int]) -> Sections:
    """The rows that say something in these columns."""
    kept = [(name, [row for row in rows if any(row[i] != NONE for i in columns)]) for name, rows in sections]
    return [(name, rows) for name, rows in kept if rows]


def _table(title: str, headers: Sequence[str], columns: Sequence[int], sections: Sections) -> Table:
    table = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(headers[0]), overflow="fold")
    for column in columns:
        widest = max((cell_len(row[column]) for _, rows in sections for row in rows), default=0)
        # A run's name may be a path: it is folded, so that what tells two apart is seen and the numbers have room.
        width = max(widest, min(cell_len(headers[column]), _HEADER))
        left = headers[column] == "unit"
        table.add_column(Text(headers[column]), justify="left" if left else "right", overflow="fold", width=width)
    for name, rows in sections:
        if name:
            table.add_section()
            table.add_row(Text(name, style="italic"))
        for row in rows:
            table.add_row(Text(row[0]), *(Text(row[column]) for column in columns))
    return table
