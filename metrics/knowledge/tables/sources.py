"""What figures are looked up in, a table or the sentences of a passage, and what is found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..types import Label, Passage
from .amounts import currencies, years
from .layout import Cell, Heading, Table
from .period_parts import Part
from .periods import of_cell

MAX_SENTENCE = 1_000


@dataclass(frozen=True)
class Source:
    """A table of a passage, or what the passage says besides.

    Attributes:
        sentences: those with figures.
        words: the stems of all that is said.
        companies: those of the companies that are named with their legal form.
    """

    passage: Passage
    name: str
    table: Table | None = None
    sentences: Sequence[str] = ()
    words: frozenset[str] = frozenset()
    companies: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    """What the sources say of a figure."""

    label: Label
    reason: str
    evidence: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class Place:
    """A cell that may be meant."""

    source: Source
    table: Table
    cell: Cell

    @property
    def row(self) -> Heading:
        return self.table.rows[self.cell.row]

    @property
    def column(self) -> Heading:
        return self.table.columns[self.cell.column]

    @property
    def parts(self) -> tuple[Part, ...]:
        """What parts of the year the row, the column, else the caption say that it is of."""
        return of_cell((*self.column.parts, *self.row.parts)) or self.table.of_period

    @property
    def name(self) -> str:
        column = self.column.label or " ".join(sorted(self.column.years)) or str(self.cell.column)
        if self.column.years and not self.column.years & {year for *_, year in years(column)}:
            column = f"{column}, {' '.join(sorted(self.column.years))}"
        section = f" under '{self.row.section}'" if self.row.section else ""
        return f"{self.source.name}, row '{self.row.label:.80}'{section:.80}, column '{column:.60}'"

    @property
    def written(self) -> str:
        scale = {10**3: " thousand", 10**6: " million", 10**9: " billion"}.get(self.cell.scale or 1, "")
        percent = "%" if self.cell.percent and "%" not in self.cell.amount.written else ""
        return f"{self.cell.amount.written}{percent}{'' if self.cell.amount.percent else scale}"

    @property
    def currencies(self) -> frozenset[str]:
        """What the cell, else its row or column, else its table says that it is in."""
        headings = " ".join((self.row.label, self.row.section, self.column.label, self.column.section))
        return currencies(self.cell.amount.written) or currencies(headings) or self.table.currencies

    def evidence(self) -> Passage:
        passage = self.source.passage
        return Passage(f"{passage.id}: {self.name}", self.written, passage.title, passage.score)


def quoted(source: Source, number: int, sentence: str) -> Passage:
    passage = source.passage
    return Passage(f"{passage.id}: sentence {number}", sentence[:MAX_SENTENCE], passage.title, passage.score)
