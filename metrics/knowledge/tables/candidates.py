"""Which cells of the given tables a figure may be of: row by label, column by year or words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from .context import About
from .layout import Cell, Heading, Table
from .owners import belongs, named_in, owners_of
from .periods import fits, of_cell
from .sources import Place, Source
from .words import NEUTRAL, stems

_NO_MONEY = re.compile(
    r"\b(?:(?:years|months|days)(?!\s(?:period\s)?(?:end(?:ed|ing)|to)\b)|shares outstanding|number of|employees|units"
    r"|headcount)\b",
    re.IGNORECASE,
)
_ADDED = re.compile(
    r"^\W{0,3}(?:add|less|plus|deduct|of which|including|thereof|hereof)\b[/()\w]{0,10}\s?:?\s", re.IGNORECASE
)
_OR_LOSS = re.compile(
    r"\b(\w+)\s?/\s?\((\w+)\)|\((\w+)\)\s?/\s?(\w+)\b|\b(\w+)\s\((loss|losses|deficit|expense|benefit|outflow)\)",
    re.IGNORECASE,
)
_WHOLE = NEUTRAL | stems("total consolidated overall all")
_MOST_ROWS = 100  # that are looked at; with more than one nothing is contradicted
_GLUED_MARK = re.compile(r"(?<=[a-z]{3})\d$")  # a footnote's, raised in print: "Current year1"
_KIND_OF_OWNER = re.compile(r"^(?:segment|division|region)\b|(?<!total)\s(?:segment|division|region)$", re.IGNORECASE)
_BRACKETED = re.compile(r"\([^()]{0,80}\)")


def places_of(about: About, sources: Sequence[Source]) -> list[Place]:
    """The cells that may be meant: of whom the figure is said of, where rows or columns are theirs."""
    owners = [owner for owner in owners_of(about) if named_in(owner, sources)]
    for window in about.windows():
        said = stems(window)
        rows = [
            (source, source.table, row, max(named, key=len))
            for source in sources
            if source.table is not None
            for row, heading in enumerate(source.table.rows)
            if (named := [words for words in _names(heading.label) if words <= said])
        ]
        # "Cost of revenue" is meant where its words stand, and not "Revenue".
        named_by = {one[3] for one in rows}
        rows = [one for one in rows if not any(one[3] < other for other in named_by)][:_MOST_ROWS]
        found = [place for source, table, row, _ in rows for place in _of_row(about, source, table, row)]
        found = [place for place in found if all(belongs(place, owner) for owner in owners)]
        if found:
            named = [p for p in found if p.row.section and stems(p.row.section) <= about.words]
            return named or found
    return []


@lru_cache(maxsize=16_384)
def _names(label: str) -> tuple[frozenset[str], ...]:
    """The words of a row's label, in each way that it may be said: "Net profit/(loss)", "Add: finance costs (net)"."""
    label = _ADDED.sub("", label)
    ways = {_KIND_OF_OWNER.sub(" ", label), label, _BRACKETED.sub(" ", label)}
    ways |= {_GLUED_MARK.sub("", label)}
    if _OR_LOSS.search(label):
        ways |= {_OR_LOSS.sub(lambda m, k=k: f" {m[k] or m[k + 2] or m[k + 4]} ", label) for k in (1, 2)}
    return tuple({words for way in ways if (words := stems(way))})


def _of_row(about: About, source: Source, table: Table, row: int) -> list[Place]:
    cells = list(table.of_row.get(row, ()))
    heading = table.rows[row]
    if about.years and any(column.years for column in table.columns):
        cells = [cell for cell in cells if table.columns[cell.column].years & about.years]
    elif about.years and heading.years:
        cells = cells if heading.years & about.years else []
    cells = [cell for cell in cells if _of_period(about, table, cell)]
    if _two_kinds_of_year(about, table, cells):
        return []
    if about.figure.money:
        cells = [cell for cell in cells if not _NO_MONEY.search(f"{heading.label} {table.columns[cell.column].label}")]
    if about.figure.money or about.figure.scale != 1:
        cells = [cell for cell in cells if not cell.percent]
    kinds = [cell for cell in cells if cell.percent == about.figure.percent]
    cells = kinds or cells
    # A column that the sentence names is meant where its cell is empty, too, and no other in its place.
    empty = _empty(about, table, row) if cells else set()
    if len(cells) + len(empty) > 1:
        meant = empty | {cell.column for cell in cells}
        own = {k: stems(table.columns[k].label) - _years_of(table.columns[k]) for k in meant}
        if len(set(own.values())) < len(own):  # "Third" above "Quarter": the rows above tell columns apart
            whole = {k: stems(table.columns[k].section) - _years_of(table.columns[k]) for k in own}
            own = {k: words - frozenset.intersection(*whole.values()) for k, words in whole.items()}
        named = [k for k in own if own[k] and own[k] <= about.words]
        most = max((len(own[k]) for k in named), default=0)
        best = [k for k in named if len(own[k]) == most]
        held = {cell.column for cell in cells}
        if not best and len(held) > 1 and not any(table.columns[k].parts for k in own):
            best = [
                k for k in held if own[k] <= _WHOLE
            ]  # "Europe", "Asia", "Total": nothing says that it is of one of them
        cells = [cell for cell in cells if cell.column in best] if best else cells
    return [Place(source, table, cell) for cell in cells]


def _of_period(about: About, table: Table, cell: Cell) -> bool:
    """Whether a cell is of a period that the figure is said of, in kind, too: a year is none of its quarters."""
    row, column = table.rows[cell.row], table.columns[cell.column]
    named = of_cell((*column.parts, *row.parts))
    its_years = column.years or row.years
    return not about.periods or any(
        (said.year is None or not its_years or said.year in its_years)
        and fits(said.part, named, table.of_period, dated=said.year is not None)
        for said in about.periods
    )


def _two_kinds_of_year(about: About, table: Table, cells: Sequence[Cell]) -> bool:
    """Whether fiscal and calendar years are beside each other, and the figure is said of a year of neither kind."""
    of_cells = [part for cell in cells for part in table.columns[cell.column].parts]
    dated = any(said.year is not None for said in about.periods)
    return (
        dated
        and {part.kind for part in of_cells} >= {"fiscal", "calendar"}
        and not any(said.part and said.part.kind for said in about.periods)
    )


def _empty(about: About, table: Table, row: int) -> set[int]:
    """The columns of the years that are named that hold no amount in this row, and do in others."""
    others = table.filled - {cell.column for cell in table.of_row.get(row, ())}
    return {k for k in others if not about.years or not table.columns[k].years or table.columns[k].years & about.years}


def _years_of(heading: Heading) -> frozenset[str]:
    return frozenset(stem for year in heading.years for stem in stems(year))
