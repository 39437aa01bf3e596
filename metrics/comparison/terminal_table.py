"""Prints a table on a terminal of any width: columns leave by priority, or the table turns into blocks.

No cell of numbers is ever cut or folded, and a line below says which columns were left out and what shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .numbers import NONE

_HEADER = 16  # characters of a run's name in a line, unless the cells below it are longer
_GAP = 2  # between two columns
_COMFORTABLE = 24  # characters of a row's label that a column may cost
_LEAST = 14  # and that none may

Sections = Sequence[tuple[str, Sequence[Sequence[str]]]]


def print_table(
    console: Console,
    title: str,
    headers: Sequence[str],
    parts: Sequence[Sequence[int]],
    sections: Sections,
    *,
    spare: Sequence[int] = (),
    fold: bool = True,
) -> None:
    """Print the table, in as few blocks as the console's width allows.

    Args:
        headers: the columns' names; the first column has the rows' labels.
        parts: indices of the other columns that belong together, such as a number and its interval; in order.
        sections: (title, rows), each row as long as `headers`; "" for rows without a title. Cells may have lines.
        spare: indices of columns that may leave where there is no room, the first to go first.
        fold: whether a long name of a column, which may be a run's and a path, is folded anywhere.
    """
    cells = [[row[i] for _, rows in sections for row in rows] for i in range(len(headers))]
    most = _HEADER if fold else console.width
    widths = [_width(min(_longest(header), most), of_column) for header, of_column in zip(headers, cells, strict=True)]
    label = max([_longest(row[0]) for _, rows in sections for row in rows], default=_LEAST)
    label = max(label, _longest(headers[0]))
    comfortable, least = min(label, _COMFORTABLE), min(label, _LEAST)
    shown = [column for part in parts for column in part]
    needed = _needed(widths, shown, label)
    left_out: list[int] = []
    for column in spare:
        if _needed(widths, shown, comfortable) <= console.width:
            break
        shown.remove(column)
        left_out.append(column)
    if _needed(widths, shown, least) > console.width:  # names of columns may take two lines
        words = (max(map(cell_len, header.split()), default=0) for header in headers)
        widths = [_width(min(word, most), of_column) for word, of_column in zip(words, cells, strict=True)]
    if _needed(widths, shown, least) <= console.width:
        blocks = [shown]
    else:
        kept = [[column for column in part if column in shown] for part in parts]
        blocks = _blocks(widths, kept, (least, comfortable), console.width)
    if title:
        console.print(Text(title, style="italic"))
    for number, block in enumerate(blocks):
        room = console.width - _needed(widths, block, 0)
        chosen = sections if number == 0 else _told(sections, block)
        table = _table(headers, block, chosen, [min(label, max(least, room)), *widths[1:]])
        if number:
            console.print()
        # Where one column alone is too wide its lines are longer than the terminal's: wrapped there, but whole.
        table.width = max(table.width or 0, _needed(widths, block, min(label, max(least, room))))
        console.print(table, crop=False, no_wrap=True, overflow="ignore")
    if left_out:
        names = ", ".join(headers[column] for column in sorted(left_out))
        console.print(Text(f"left out for want of room: {names} (--width {needed} and --format json have them)"))


def _needed(widths: Sequence[int], columns: Iterable[int], label: int) -> int:
    return label + sum(_GAP + widths[column] for column in columns)


def _blocks(
    widths: Sequence[int], parts: Sequence[Sequence[int]], labels: tuple[int, int], width: int
) -> list[list[int]]:
    """The columns, part by part, in as many blocks as needed; a part that is too wide for one is taken apart.

    Args:
        labels: the least width of labels, and the one that parts share a block with.
    """
    least, comfortable = labels
    blocks: list[list[int]] = [[]]
    for part in parts:
        whole = _needed(widths, part, least) <= width
        for piece in [part] if whole else [[column] for column in part]:
            if blocks[-1] and _needed(widths, [*blocks[-1], *piece], comfortable) > width:
                blocks.append([])
            blocks[-1] += piece
    return blocks


def _width(header: int, cells: Iterable[str]) -> int:
    return max([header, *map(_longest, cells)])


def _longest(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _told(sections: Sections, columns: Sequence[int]) -> Sections:
    """The rows that say something in these columns."""
    kept = [(name, [row for row in rows if any(row[i] != NONE for i in columns)]) for name, rows in sections]
    return [(name, rows) for name, rows in kept if rows]


def _table(headers: Sequence[str], columns: Sequence[int], sections: Sections, widths: Sequence[int]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
    )
    table.add_column(Text(headers[0]), overflow="fold", width=widths[0])
    for column in columns:
        left = headers[column] == "unit"
        table.add_column(
            Text(headers[column]), justify="left" if left else "right", overflow="fold", width=widths[column]
        )
    for name, rows in sections:
        if name:
            table.add_section()
            table.add_row(Text(name, style="italic"))
        for row in rows:
            table.add_row(Text(row[0]), *(Text(row[column]) for column in columns))
    return table
