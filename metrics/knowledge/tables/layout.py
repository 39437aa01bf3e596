"""Reads a grid as a table of figures: the names of its rows and columns, their periods, and its scale."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from .amounts import Amount, cell_amount, currencies, scale_said, years
from .grid import Grid
from .period_parts import ORDINALS, Part
from .periods import of_caption, of_columns, of_rows

_PER_UNIT = re.compile(
    r"\bper\s+(?:\w+\s+){0,3}(?:share|unit|ADS|store|employee|day|month|year)s?\b|\bratio\b", re.IGNORECASE
)
_OF_A_UNIT = re.compile(
    r"\W*(?:(?:basic|diluted|and|from|continuing|discontinued|operations?|total|net|income|loss|earnings|assuming|dilution"
    r"|common|class|[ab]|as|reported|adjusted|high|low|cash|dividends?|declared)\b\W*){1,8}",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%|\bpercent|\bper cent", re.IGNORECASE)
# A year in wide print, as texts taken from PDF files have it: "2 0 1 8".
_SPREAD_YEAR = re.compile(r"(?<![\d.,])(?<!\d )(?:1 9|2 0) \d \d(?![ .,]?\d)")
_DIGITS = re.compile(r"[^\w]{0,6}(?:[A-Z]{2,3}\s?)?[^\w]{0,4}\d[\d.,]*[^\w]{0,6}")
_COMMA_IS_POINT = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{3})*,\d{1,2}(?![\d.,])|\d{4,},\d{1,2}(?![\d.,])")
_POINT_IS_POINT = re.compile(r"(?<![\d.])\d*(?:,\d{3})*\.(?:\d{1,2}|\d{4,})(?![\d.,])|\d,\d{3}(?!\d)")
_SWAP = str.maketrans(".,", ",.")
_MOST_PARTS = 20
_MARKS = re.compile(r"\s*(?:\(\s?(?:\d{1,2}|[a-z])\s?\)|[*†‡:])+\s*$")


@dataclass(frozen=True)
class Heading:
    """A row or a column.

    Attributes:
        label: its own words, without footnote marks.
        section: the heading it stands under, or the header cells above it.
        years: those that label and section name.
        sure: whether it is certain which cells the section is for.
        parts: the parts of the year that label and section name.
    """

    label: str
    section: str = ""
    years: frozenset[str] = frozenset()
    sure: bool = True
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A cell that holds an amount.

    Attributes:
        amount: as written in the cell.
        percent: the cell, its row or its column says that it is a percentage.
        scale: what the amount is to be multiplied by; None: nothing says so.
    """

    row: int
    column: int
    amount: Amount
    percent: bool
    scale: int | None

    @property
    def value(self) -> Fraction:
        return self.amount.value


@dataclass(frozen=True)
class Table:
    """A grid with its headings. `rows[i]` and `columns[k]` are those of the cells with these indices. `currencies`:
    those that anything in it names."""

    rows: Sequence[Heading]
    columns: Sequence[Heading]
    cells: Sequence[Cell]
    caption: str = ""
    problem: str = ""
    currencies: frozenset[str] = frozenset()

    @cached_property
    def of_row(self) -> Mapping[int, Sequence[Cell]]:
        out: dict[int, list[Cell]] = {}
        for cell in self.cells:
            out.setdefault(cell.row, []).append(cell)
        return out

    @cached_property
    def of_period(self) -> tuple[Part, ...]:
        """What the caption says that the amounts are of; nothing where columns are of parts of the year."""
        return () if any(column.parts for column in self.columns) else of_caption(self.caption)

    @cached_property
    def filled(self) -> frozenset[int]:
        """The columns that hold an amount anywhere."""
        return frozenset(cell.column for cell in self.cells)


def read_tables(grid: Grid, title: str = "") -> list[Table]:
    """The tables that a grid is: a row of years below others begins a table with columns of its own."""
    head = _head(grid) if grid.rows else 0
    cuts = [i for i, row in enumerate(grid.rows) if i > head and _names_periods(row)]
    if not cuts or len(cuts) > _MOST_PARTS:
        return [read_table(grid, title)]
    above = " ".join(cell for row in grid.rows[:head] for cell in row if scale_said(cell) is not None)
    out = []
    for begin, end in zip([0, *cuts], [*cuts, len(grid.rows)], strict=True):
        caption = f"{grid.caption} {above}".strip() if begin else grid.caption
        out.append(
            read_table(replace(grid, rows=grid.rows[begin:end], caption=caption, head=0 if begin else grid.head), title)
        )
    return out


def _names_periods(row: Sequence[str]) -> bool:
    return sum(bool(years(cell)) for cell in row[1:]) > 1 and not any(cell_amount(cell) for cell in row[1:])


def read_table(grid: Grid, title: str = "") -> Table:
    """The table that a grid is. title: what the passage is called; it may say the scale."""
    if not grid.rows:
        return Table((), (), (), grid.caption, grid.problem)
    grid = replace(grid, rows=_with_points([[_with_years(text) for text in row] for row in grid.rows]))
    head = _head(grid)
    columns = _columns(grid.rows[:head], len(grid.rows[0]))
    stub = " ".join(row[0] for row in grid.rows[:head] if row[0])
    rows = _rows(grid.rows[head:])
    of_stub = frozenset(year for *_, year in years(stub))
    if of_stub and not any(column.years for column in columns):
        columns = [replace(column, years=of_stub) for column in columns]
    said = [" ".join(row) for row in grid.rows[:head]]
    scale = next((s for text in (*said, grid.caption, title) if (s := scale_said(text)) is not None), None)
    cells = []
    of_rows, of_columns = list(map(_kind, rows)), list(map(_kind, columns))
    for i, row in enumerate(grid.rows[head:]):
        for k, text in enumerate(row[1:], 1):
            if (amount := cell_amount(text)) is not None:
                cells.append(_cell(i, k, amount, of_rows[i], of_columns[k], scale, text))
    named = currencies(" ".join([grid.caption, title, *(cell for row in grid.rows for cell in row)]))
    table = Table(rows, columns, cells, f"{grid.caption} {stub}".strip(), grid.problem, named)
    return _transposed(table) if _is_on_its_side(table) else table


def _with_years(text: str) -> str:
    return _SPREAD_YEAR.sub(lambda year: year.group().replace(" ", ""), text)


def _with_points(rows: list[list[str]]) -> list[list[str]]:
    """Cells with a decimal point, where the table writes a comma for it ("1.234,5") and nothing speaks against that."""
    amounts_in = [match[0] for row in rows for cell in row if (match := _DIGITS.fullmatch(cell[:80]))]
    continental = any(_COMMA_IS_POINT.search(cell) for cell in amounts_in)
    if not continental or any(_POINT_IS_POINT.search(cell) for cell in amounts_in):
        return rows
    return [[cell.translate(_SWAP) if _DIGITS.fullmatch(cell[:80]) else cell for cell in row] for row in rows]


@dataclass(frozen=True)
class _Kind:
    """What a heading says of its amounts: that they are percentages, whole ones of a unit, or in a scale.

    `may_be`: they stand somewhere below a heading of whole ones, which nothing ends.
    """

    percent: bool
    per_unit: bool
    may_be: bool
    scale: int | None


def _kind(heading: Heading) -> _Kind:
    label = heading.label
    per_unit = _PER_UNIT.search(label) is not None
    of_section = not per_unit and _PER_UNIT.search(heading.section) is not None
    own = _OF_A_UNIT.fullmatch(label) is not None
    return _Kind(_PERCENT.search(label) is not None, per_unit or (of_section and own), of_section, scale_said(label))


def _cell(i: int, k: int, amount: Amount, row: _Kind, column: _Kind, scale: int | None, text: str) -> Cell:
    percent = amount.percent or "%" in text or row.percent or column.percent
    if percent or row.per_unit:
        return Cell(i, k, amount, percent, 1)
    own = row.scale if row.scale is not None else column.scale
    if own is None and row.may_be:
        return Cell(i, k, amount, percent, None)
    return Cell(i, k, amount, percent, own if own is not None else scale)


def _head(grid: Grid) -> int:
    """How many rows are the head: up to the first with an amount, or the first that only names a section."""
    named = False
    for i, row in enumerate(grid.rows):
        if any(cell_amount(cell) is not None for cell in row[1:]):
            return i
        filled = [k for k, cell in enumerate(row) if cell]
        if named and i >= grid.head and filled == [0] and scale_said(row[0]) is None:
            return i
        named |= any(k > 0 and (years(row[k]) or len(filled) > 1) for k in filled)
    return min(max(grid.head, 1), len(grid.rows))


def _columns(head: Sequence[Sequence[str]], width: int) -> list[Heading]:
    parts: list[list[str]] = [[] for _ in range(width)]
    sure = [True] * width
    for number, row in enumerate(head):
        filled = [k for k in range(1, width) if row[k]]
        is_last = number == len(head) - 1
        for k in range(1, width):
            if row[k]:
                parts[k].append(row[k])
            elif filled and not (is_last and len(filled) > 1):
                before = max((i for i in filled if i < k), default=None)
                # A heading that stands in the middle of what it spans.
                centred = filled[0] > 1 and len(filled) > 1
                parts[k].append(row[filled[0] if before is None else before])
                sure[k] &= not centred
    out = []
    for k, texts in enumerate(parts):
        telling = [text for text in texts if scale_said(text) is None and not _is_everywhere(text, parts)]
        own = (telling or texts or [""])[-1]
        found = frozenset(year for text in texts for *_, year in years(text))
        joined = " ".join(texts)
        out.append(Heading(_MARKS.sub("", own), joined, found, sure[k], of_columns(joined)))
    quarters = [column.label.lower() for column in out]
    if {"first", "second", "third"} <= set(quarters):
        out = [
            replace(c, parts=of_columns(f"{c.label} quarter") if c.label.lower() in ORDINALS else c.parts) for c in out
        ]
    return out


def _is_everywhere(text: str, parts: Sequence[Sequence[str]]) -> bool:
    return len(parts) > 2 and all(text in texts for texts in parts[1:])


def _rows(body: Sequence[Sequence[str]]) -> list[Heading]:
    out, section = [], ""
    for row in body:
        filled = [k for k, cell in enumerate(row) if cell]
        if len(filled) == 1 and cell_amount(row[filled[0]]) is None:
            section = row[filled[0]]
        label = _MARKS.sub("", row[0])
        found = frozenset(year for text in (label, section) for *_, year in years(text))
        above = section if section != row[0] else ""
        out.append(Heading(label, above, found, parts=(*of_rows(label), *of_rows(above))))
    return out


def _is_on_its_side(table: Table) -> bool:
    """Whether the rows are the periods: most labels are years or parts of one, and no column has one."""
    with_cells = {cell.row for cell in table.cells}
    labels = [table.rows[i].label for i in with_cells]
    periods = sum(bool(years(label) or of_columns(label)) and len(label) <= 40 for label in labels)
    return periods > len(labels) / 2 and not any(column.years or column.parts for column in table.columns)


def _transposed(table: Table) -> Table:
    cells = [Cell(cell.column, cell.row, cell.amount, cell.percent, cell.scale) for cell in table.cells]
    return replace(table, rows=table.columns, columns=table.rows, cells=cells)
