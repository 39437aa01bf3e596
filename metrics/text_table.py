"""A table as plain text, its columns no wider than what is in them: what rich draws, at a tenth of the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

# `Text.wrap` asks for one and does not use it for text that is aligned to the left.
_CONSOLE = Console(width=80, force_terminal=False, force_jupyter=False, color_system=None)


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: above it; may have several lines.
        right: aligned to the right.
        wraps: what does not fit goes on in the next line; other columns keep their width as long as there is room.
        min_width: in terminal cells.
    """

    title: str
    right: bool = False
    wraps: bool = False
    min_width: int = 0


def text_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table that is at most `width` cells wide. A row may have fewer cells than there are columns."""
    filled = [[*row, *([""] * (len(columns) - len(row)))] for row in rows]
    cells = [[column.title for column in columns], *filled]
    padding = [(0 if i == 0 else 1, 0 if i == len(columns) - 1 else 1) for i in range(len(columns))]
    widest = [max(_widest(row[i]) for row in cells) + sum(padding[i]) for i in range(len(columns))]
    least = [
        column.min_width and column.min_width + sum(around) for column, around in zip(columns, padding, strict=True)
    ]
    widths = _widths(columns, widest, least, width - len(columns) - 1)
    head, *body = (
        [
            _cell(text, column, room, around)
            for text, column, room, around in zip(row, columns, widths, padding, strict=True)
        ]
        for row in cells
    )
    height = max(map(len, head))
    head = [[" " * room] * (height - len(cell)) + cell for cell, room in zip(head, widths, strict=True)]
    lines = [_rule(widths, "┏━┳┓"), *_side_by_side(head, widths, "┃"), _rule(widths, "┡━╇┩")]
    for row in body:
        lines += _side_by_side(row, widths, "│")
    return [*lines, _rule(widths, "└─┴┘")]


def folded(text: str, width: int) -> list[str]:
    """The lines of a text, those that are wider than `width` cells broken between words, or within one."""
    lines = []
    for line in text.split("\n"):
        if cell_len(line) <= width:
            lines.append(line)
        else:
            lines += [piece.plain for piece in Text(line).wrap(_CONSOLE, width, overflow="fold")]
    return lines


def _widest(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _widths(columns: Sequence[Column], widest: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The columns' widths with their padding: as wide as their contents, the widest that wrap narrowed to fit."""
    wanted = [max(min(own, room), floor) for own, floor in zip(widest, least, strict=True)]
    if sum(wanted) <= room:
        return wanted
    widths = list(wanted)
    wrapping = [i for i, column in enumerate(columns) if column.wraps]
    while wrapping and (excess := sum(widths) - room) > 0 and (most := max(widths[i] for i in wrapping)):
        second = max((widths[i] for i in wrapping if widths[i] != most), default=0)
        _reduce(widths, [i for i in wrapping if widths[i] == most], excess, min(excess, most - second))
    if (excess := sum(widths) - room) > 0:
        _reduce(widths, [i for i, own in enumerate(widths) if own], excess, excess)
    return [max(min(own, room), floor) for own, room, floor in zip(widest, widths, least, strict=True)]


def _reduce(widths: list[int], chosen: Sequence[int], total: int, most: int) -> None:
    """Take `total` from the chosen columns in even parts, of each at most `most`."""
    for left, i in zip(range(len(chosen), 0, -1), chosen, strict=True):
        taken = min(most, widths[i], round(total / left))
        widths[i] -= taken
        total -= taken


def _cell(text: str, column: Column, width: int, padding: tuple[int, int]) -> list[str]:
    before, behind = padding
    room = width - before - behind
    if room < 1:
        return [" " * width]
    lines = folded(text, room) if column.wraps else text.split("\n")
    return [" " * before + _fitted(line, room, right=column.right) + " " * behind for line in lines]


def _fitted(line: str, room: int, *, right: bool) -> str:
    length = cell_len(line)
    if length > room:
        return set_cell_size(line, room - 1) + "…"
    blank = " " * (room - length)
    return blank + line if right else line + blank


def _rule(widths: Sequence[int], box: str) -> str:
    left, line, between, right = box
    return left + between.join(line * width for width in widths) + right


def _side_by_side(row: Sequence[list[str]], widths: Sequence[int], edge: str) -> list[str]:
    height = max(map(len, row))
    columns = [cell + [" " * width] * (height - len(cell)) for cell, width in zip(row, widths, strict=True)]
    return [edge + edge.join(parts) + edge for parts in zip(*columns, strict=True)]
