"""Finds the tables in a passage, written in Markdown, HTML or CSV, as rows of texts.

Markdown is parsed by markdown-it, HTML by the standard library's tolerant parser, CSV by its `csv`. Passages may come
from anywhere: how much is read of one is bounded, and what is beyond the bounds is said.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_CHARACTERS = 200_000  # of a passage
MAX_CELLS = 10_000  # of a table, cells that are spanned included
MAX_COLUMNS = 200
MAX_TABLES = 50  # of a passage

_DELIMITER_ROW = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\||$)[-:| \t]*$", re.MULTILINE)
_SEPARATORS = ("\t", ";", ",", "|")
_SAMPLE = 50  # lines
_NUMERIC = re.compile(r"[\s$€£¥(]{0,4}[-−–]?[\s$€£¥(]{0,3}[\d.,]+[\s%)]{0,3}|[-—–]?|n/?a", re.IGNORECASE)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Grid:
    """A table as it is written.

    Attributes:
        rows: texts, each row of the same length.
        caption: what the passage says before the table.
        head: how many rows the markup marks as the head; 0: it marks none.
        problem: why it is not or only partly read; "" otherwise.
    """

    rows: Sequence[Sequence[str]]
    caption: str = ""
    head: int = 0
    problem: str = ""


def grids(text: str) -> list[Grid]:
    """The tables in a passage, in reading order."""
    cut = len(text) > MAX_CHARACTERS
    text = text[:MAX_CHARACTERS]
    if "<table" in text.lower():
        found = _html(text)
    elif "|" in text and _DELIMITER_ROW.search(text):
        found = _markdown(text)
    else:
        found = _separated(text)
    if cut and found:
        found[-1] = replace(found[-1], problem=f"only the first {MAX_CHARACTERS:,} characters of the passage are read")
    return found[:MAX_TABLES]


def as_markdown(rows: Sequence[Sequence[object]]) -> str:
    """Rows of cells as a table in Markdown, the first as its head; `grids` reads it back."""
    width = max((len(row) for row in rows), default=0)
    cells = [["" if cell is None else _clean(str(cell)).replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in cells]
    return "\n".join([*lines[:1], "|" + "---|" * width, *lines[1:]])


def prose(text: str) -> str:
    """What a passage says outside of its tables."""
    text = text[:MAX_CHARACTERS]
    if "<table" in text.lower():
        reader = _HtmlTables()
        reader.feed(text)
        return " ".join(reader.outside)
    if "|" in text and _DELIMITER_ROW.search(text):
        lines = text.split("\n")
        for begin, end in _markdown_lines(text):
            lines[begin:end] = [""] * (end - begin)
        return "\n".join(lines)
    return "" if _separated(text) else text


def _squared(rows: Sequence[Sequence[str]], caption: str, head: int) -> Grid:
    """Rows of the same length, within the bounds."""
    width = max((len(row) for row in rows), default=0)
    problem = ""
    if width > MAX_COLUMNS:
        width, problem = MAX_COLUMNS, f"only its first {MAX_COLUMNS} columns are read"
    most = MAX_CELLS // max(width, 1)
    if len(rows) > most:
        rows, problem = rows[:most], f"only its first {MAX_CELLS:,} cells are read"
    square = [tuple([_clean(cell) for cell in row[:width]] + [""] * (width - len(row))) for row in rows]
    return Grid([row for row in square if any(row)], _clean(caption)[-2_000:], head, problem)


def _clean(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


# --- Markdown --------------------------------------------------------------------------------------------------------


def _markdown(text: str) -> list[Grid]:
    out: list[Grid] = []
    rows: list[list[str]] = []
    head, begin, last = 0, 0, 0
    lines = text.split("\n")
    in_cell = in_head = False
    for token in _parse_markdown(text):
        if token.type == "table_open":
            rows, head = [], 0
            begin = token.map[0] if token.map else 0
        elif token.type in ("thead_open", "thead_close"):
            in_head = token.type == "thead_open"
        elif token.type == "tr_open":
            rows.append([])
            head += in_head
        elif token.type in ("th_open", "td_open"):
            in_cell = True
        elif token.type == "inline" and in_cell:
            rows[-1].append(token.content.replace("**", "").replace("<br>", " "))
            in_cell = False
        elif token.type == "table_close":
            out.append(_squared(rows, "\n".join(lines[last:begin]), head))
            last = begin + len(rows) + 1
    return out


def _markdown_lines(text: str) -> list[tuple[int, int]]:
    return [(token.map[0], token.map[1]) for token in _parse_markdown(text) if token.type == "table_open" and token.map]


@lru_cache(maxsize=2)
def _parse_markdown(text: str) -> Sequence[Token]:
    # Only tables and paragraphs, and nothing inside of them: nothing nests, so the cost stays linear.
    return MarkdownIt("zero").enable("table").disable("inline").parse(text)


# --- HTML ------------------------------------------------------------------------------------------------------------


class _HtmlTables(HTMLParser):
    """Collects the rows of tables; spanned cells are repeated. A table in a cell is read by itself."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Grid] = []
        self.outside: list[str] = []
        self._open: list[_OpenTable] = []
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._skip += 1
        elif tag == "table":
            if len(self._open) < MAX_TABLES:
                self._open.append(_OpenTable(" ".join(self.outside[-20:])))
        elif self._open:
            table = self._open[-1]
            if tag == "tr":
                table.new_row()
            elif tag in ("td", "th"):
                spans = {name: _span(value) for name, value in attrs if name in ("colspan", "rowspan")}
                table.new_cell(tag, spans.get("colspan", 1), spans.get("rowspan", 1))
            elif tag == "caption":
                table.in_caption = True
            elif tag in ("br", "p", "div", "li"):
                table.add(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._skip = max(self._skip - 1, 0)
        elif tag == "table" and self._open:
            self.found.append(self._open.pop().closed())
        elif tag == "caption" and self._open:
            self._open[-1].in_caption = False

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        if self._open:
            self._open[-1].add(data)
        elif data.strip():
            self.outside.append(data.strip())

    def closed(self) -> list[Grid]:
        """The tables; one that the text breaks off in is closed where it ends."""
        self.close()
        while self._open:
            self.found.append(self._open.pop().closed())
        return self.found


class _OpenTable:
    def __init__(self, before: str) -> None:
        self.caption = before
        self.in_caption = False
        self._rows: list[list[str]] = []
        self._pending: dict[int, tuple[int, str]] = {}  # column: rows that a cell still spans, its text
        self._span = (1, 1)
        self._cell: list[str] | None = None
        self._heads: list[bool] = []
        self._cells = 0

    def new_row(self) -> None:
        self._end_row()
        self._rows.append([])
        self._heads.append(True)

    def new_cell(self, tag: str, columns: int, rows: int) -> None:
        self._end_cell()
        if not self._rows:
            self.new_row()
        self._heads[-1] &= tag == "th"
        self._cell, self._span = [], (columns, rows)

    def add(self, text: str) -> None:
        if self.in_caption:
            self.caption += f" {text}"
        elif self._cell is not None:
            self._cell.append(text)

    def closed(self) -> Grid:
        self._end_row()
        head = next((i for i, is_head in enumerate(self._heads) if not is_head), len(self._heads))
        return _squared(self._rows, self.caption, head)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        self._spanned()
        text, (columns, rows), row = "".join(self._cell), self._span, self._rows[-1]
        self._cell = None
        for _ in range(columns):
            if len(row) > MAX_COLUMNS or self._cells > MAX_CELLS:
                return
            if rows > 1:
                self._pending[len(row)] = (rows - 1, text)
            row.append(text)
            self._cells += 1

    def _spanned(self) -> None:
        """Cells of the rows above that reach into this row."""
        row = self._rows[-1]
        while (pending := self._pending.pop(len(row), None)) is not None:
            left, text = pending
            if left > 1:
                self._pending[len(row)] = (left - 1, text)
            row.append(text)

    def _end_row(self) -> None:
        self._end_cell()
        if self._rows:
            self._spanned()


def _span(value: str | None) -> int:
    digits = (value or "").strip()[:6]
    return min(max(int(digits), 1), MAX_COLUMNS) if digits.isascii() and digits.isdigit() else 1


def _html(text: str) -> list[Grid]:
    reader = _HtmlTables()
    reader.feed(text)
    return reader.closed()


# --- CSV -------------------------------------------------------------------------------------------------------------


def _separated(text: str) -> list[Grid]:
    """The table that a text is, from its first line with a separator on; none where the text is prose."""
    lines = text.split("\n")
    for separator in _SEPARATORS:
        begin = next((i for i, line in enumerate(lines[:_SAMPLE]) if separator in line), None)
        if begin is None:
            continue
        try:
            rows = list(csv.reader(io.StringIO("\n".join(lines[begin:])), delimiter=separator, skipinitialspace=True))
        except csv.Error:
            continue
        rows = [row for row in rows if any(cell.strip() for cell in row)]
        if separator == "|":
            rows = [row[1:-1] if len(row) > 2 and not row[0].strip() and not row[-1].strip() else row for row in rows]
        if _is_table(rows):
            return [_squared(rows, "\n".join(lines[:begin]), 0)]
    return []


def _is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows are of one length, and most cells beside the first row and column are numbers or empty."""
    if len(rows) < 2 or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        return False
    cells = [cell for row in rows[1:_SAMPLE] for cell in row[1:]]
    return sum(_NUMERIC.fullmatch(cell.strip()[:60]) is not None for cell in cells) > len(cells) / 2
