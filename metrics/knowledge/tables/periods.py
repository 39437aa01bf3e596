"""The periods that figures and cells are of, and whether they are of one.

A year is none of its quarters: a figure "in 2019" is not what a cell of "Q4 2019" says, nor the reverse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from .amounts import years
from .period_parts import MONTH, YEAR, Part, find_parts


@dataclass(frozen=True)
class Period:
    """A period that a text names: its year, what part of it, or both; None: not said."""

    year: str | None
    part: Part | None
    start: int
    end: int


# Between what names one period: "the fourth quarter of fiscal 2019", "three months ended June 30, 2019".
_WITHIN = re.compile(
    rf"[\s,('’/\-–]{{0,3}}(?:(?:of|in|for|the|fiscal|financial|calendar|year|period|ended|ending|{MONTH}|\d{{1,2}}(?:st|nd|rd|th)?)"
    r"[\s,('’/\-–]{0,3}){0,5}",
    re.IGNORECASE,
)
# "the fourth quarter of 2019 and 2018": of both years.
_ALSO = re.compile(r"[\s,]{0,3}(?:(?:and|or|&|versus|vs\.?|compared (?:to|with))\s{1,3})?(?:of\s|in\s)?", re.IGNORECASE)
_HEADING = 300  # characters that are read of a heading
_LAST_SENTENCE = re.compile(r"(?<=[.;!?])\s+(?=[A-Z(])")


def periods(text: str) -> list[Period]:
    """The periods that a text names, in reading order."""
    return list(_periods(text))


def of_columns(text: str) -> tuple[Part, ...]:
    """The parts of the year that the header above a column names."""
    return tuple(part for _, _, part in find_parts(text[:_HEADING], heading=True))


def of_rows(text: str) -> tuple[Part, ...]:
    """Those that the label of a row names, or a caption; "3-month deposits" are of no three months."""
    return tuple(part for _, _, part in find_parts(text[:_HEADING], heading=False))


def of_caption(text: str) -> tuple[Part, ...]:
    """What the last sentence of a caption says that the table is of."""
    return of_rows(_LAST_SENTENCE.split(text)[-1][-_HEADING:])


def of_cell(headings: Sequence[Part]) -> tuple[Part, ...]:
    """What all headings of a cell say together: a quarter of a fiscal year is a quarter."""
    shorter = [part for part in headings if part.months not in (0, YEAR)]
    if not shorter:
        return tuple(dict.fromkeys(headings))
    return tuple(dict.fromkeys(_told_more(part, headings) for part in shorter))


def _told_more(part: Part, others: Sequence[Part]) -> Part:
    """A part with the end and the kind of year that other mentions of it say."""
    ends = {other.ends for other in others if other.months == 0} - {None}
    kinds = {other.kind for other in others} - {""}
    return replace(
        part,
        ends=part.ends or (next(iter(ends)) if len(ends) == 1 else None),
        kind=part.kind or (next(iter(kinds)) if len(kinds) == 1 else ""),
    )


def fits(said: Part | None, named: Sequence[Part], around: Sequence[Part], *, dated: bool) -> bool:
    """Whether a figure of a period may be of a cell.

    Args:
        said: the part of the year that the figure is said of; None: none, so that it is of a year where it is `dated`.
        named: what the headings of the cell say; empty: nothing.
        around: what the caption says, for cells whose headings say nothing.
    """
    if said is None:
        if not dated:
            return True
        said = Part(YEAR)
    named = named or around
    if not named:
        return said.months in (0, YEAR)
    return any(_same(said, other) for other in named)


def says_alike(said: Part, named: Sequence[Part]) -> bool:
    """Whether a heading names the very part: "Q2" for the second quarter, and not only one that ends in June."""
    return any(
        said.months == other.months
        and ((said.number and said.number == other.number) or (said.ends and said.ends == other.ends))
        for other in named
    )


def alike(one: Period, other: Period) -> bool:
    """Whether two texts may name one period."""
    if one.year is not None and other.year is not None and one.year != other.year:
        return False
    return fits(one.part, (other.part,) if other.part else (), (), dated=one.year is not None)


def _same(one: Part, other: Part) -> bool:
    if one.kind and other.kind and one.kind != other.kind:
        return False
    ends = _end(one), _end(other)
    lengths = {one.months, other.months}
    if 0 in lengths:  # a date: in the year, or the end of the period
        return ends[0] == ends[1] or (YEAR in lengths and None in ends)
    if len(lengths) > 1:
        return False
    if one.number is not None and other.number is not None:
        return one.number == other.number
    return None in ends or ends[0] == ends[1] or "fiscal" in (one.kind, other.kind)


def _end(part: Part) -> int | None:
    """The month that a part ends in, where the year is the calendar's."""
    if part.ends is not None:
        return part.ends
    if part.kind == "calendar" and part.months == YEAR:
        return YEAR
    return part.number * part.months if part.number is not None and 0 < part.months < YEAR else None


@lru_cache(maxsize=4_096)
def _periods(text: str) -> tuple[Period, ...]:
    spans: list[Period] = [Period(None, part, start, end) for start, end, part in find_parts(text, heading=False)]
    spans += [Period(year, None, start, end) for start, end, year in years(text)]
    out: list[Period] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        before = out[-1] if out else None
        gap = text[before.end : span.start] if before else ""
        joined = _joined(before, span) if before and _WITHIN.fullmatch(gap) else None
        if joined is not None:
            out[-1] = joined
        elif before and before.part and before.part.months and span.part is None and _ALSO.fullmatch(gap):
            out.append(replace(span, part=before.part))
        else:
            out.append(span)
    return tuple(_shared(out))


def _joined(one: Period, other: Period) -> Period | None:
    """Two mentions as one period; None where they name two."""
    of = [part for part in (one.part, other.part) if part is not None]
    if (one.year is not None and other.year is not None) or len([p for p in of if p.months not in (0, YEAR)]) > 1:
        return None
    merged = of_cell(of)
    part = max(merged, key=lambda part: part.months) if merged else None
    return Period(one.year or other.year, part, one.start, other.end)


def _shared(found: Sequence[Period]) -> list[Period]:
    """What is said once of several: "Q1 and Q2 2019", "Q4 revenue was 5 in 2019 and 4 in 2018"."""
    named = {one.year for one in found} - {None}
    if len(named) == 1:
        [year] = named
        return [replace(one, year=year) for one in found]
    alone = [one for one in found if one.year is None]
    if named and len(alone) == 1 and all(one.part is None for one in found if one.year is not None):
        return [replace(one, part=alone[0].part) for one in found if one.year is not None]
    return list(found)


def specific(found: Sequence[Period]) -> list[Period]:
    """Without the bare years whose parts are named, too: "in 2019, revenue was 5 in Q3 and 6 in Q4"."""
    with_part = {one.year for one in found if one.part is not None}
    return [one for one in found if one.part is not None or one.year not in with_part]
