"""The periods that figures and cells are of: a year, a quarter or half of one, nine months, a month, a date.

A year is none of its quarters: a figure "in 2019" is not what a cell of "Q4 2019" says, nor the reverse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from .amounts import years

YEAR = 12
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_TO_DATE = -1


@dataclass(frozen=True)
class Part:
    """What kind of period it is.

    Attributes:
        months: how long; 0: a date; -1: the year to date.
        number: which of the year, from 1; None: not said.
        ends: the month it ends in, from 1; None: not said.
        kind: "fiscal", "calendar", or "".
    """

    months: int
    number: int | None = None
    ends: int | None = None
    kind: str = ""


@dataclass(frozen=True)
class Period:
    """A period that a text names: its year, what part of it, or both; None: not said."""

    year: str | None
    part: Part | None
    start: int
    end: int


_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_ENDED = (
    rf"(?:\s(?:period\s)?(?:ended|ending|to|through)\s(?:the\s)?(?:\d{{1,2}}(?:st|nd|rd|th)?\s)?(?P<ends>{_MONTH}))"
)
_NUMBERS = {"one": 1, "three": 3, "six": 6, "nine": 9, "twelve": 12, "thirteen": 13, "fourteen": 14}
_NUMBERS |= {"twenty[- ]six": 26, "twenty[- ]seven": 27, "thirty[- ]nine": 39, "forty": 40}
_NUMBERS |= {"fifty[- ]two": 52, "fifty[- ]three": 53}
_COUNT = rf"(?P<count>{'|'.join(_NUMBERS)}|\d{{1,2}})[\s-](?P<unit>months?|weeks?)\b"
_LENGTHS = {("m", n): n for n in (1, 3, 6, 9, 12)} | {
    ("w", weeks): months for months, of in ((3, (13, 14)), (6, (26, 27)), (9, (39, 40)), (12, (52, 53))) for weeks in of
}
ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_ORDINAL = "|".join(ORDINALS)
_ROMAN = ("i", "ii", "iii", "iv")
_PATTERNS = [
    (
        "count",
        rf"\b(?:(?P<order>first|last|final)\s)?{_COUNT}(?:{_ENDED}|(?=\s(?:ended|ending|period|of\s(?:fiscal\s|FY)?\d{{4}}))|(?P<bare>))",
    ),
    ("three_quarters", r"\bfirst\s(?P<quarters>two|three)\squarters\b"),
    (
        "quarter",
        rf"\b(?:(?P<which>{_ORDINAL})[\s-](?:fiscal[\s-])?)?(?<!headquarter)quarter(?:s|ly)?\b"
        rf"(?:\W{{0,2}}(?P<behind>{_ORDINAL}|[1-4]|i{{1,3}}|iv)\b(?![.,]?\d))?{_ENDED}?",
    ),
    ("q", r"\b(?:Q(?P<q1>[1-4])|(?P<q2>[1-4])Q)(?=\b|['’]?(?:FY|CY)?\d{2})"),
    (
        "half",
        rf"\b(?:(?P<half>first|1st|second|2nd)[\s-](?:fiscal[\s-])?half\b|half[\s-]year(?:ly)?\b|semi-?annual(?:ly)?\b)"
        rf"(?:\s(?:of\s)?year)?{_ENDED}?",
    ),
    ("h", r"\b(?:H(?P<h1>[12])|(?P<h2>[12])H)(?=\b|['’]?(?:FY|CY)?\d{2})"),
    ("nine", r"\b(?P<m>[69])M(?=\s?['’]?(?:FY|CY)?\s?(?:20)?\d{2}\b)"),
    ("to_date", r"\b(?:YTD|year[\s-]to[\s-]date)\b"),
    ("calendar", r"\b(?:calendar(?:[\s-]years?)?|CY(?=\s?['’]?\d{2}))\b|\bCY(?=\d{2})"),
    (
        "fiscal",
        rf"\b(?:fiscal|financial)\s(?:full\s)?(?:years?\b{_ENDED}?|(?=(?:19|20)\d\d\b))|\bFY(?=\s?['’]?\d{{2}})",
    ),
    (
        "annual",
        rf"\b(?:full[\s-]?years?|annual(?:ly)?(?!\s(?:report|meeting|general|filing|leave|rate|growth))"
        rf"|(?:for|in|during)\sthe\s(?:whole\s|entire\s)?year)\b|\byears?{_ENDED}",
    ),
    (
        "date",
        rf"\b(?P<month>{_MONTH})\s(?:\d{{1,2}}(?:st|nd|rd|th)?\b(?![.,]?\d|\s?%),?)|\b\d{{1,2}}(?:st|nd|rd|th)?\s(?P<month2>{_MONTH})",
    ),
    (
        "month",
        rf"\b(?P<month3>{_MONTH}),?[\s-]['’]?(?=(?:19|20)?\d{{2}}\b)|\b(?:in|during|for|month\sof)\s(?P<month4>{_MONTH})",
    ),
]
_ALL = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _PATTERNS]
_FRACTION = re.compile(r"(?:\ba|\bone|\bthree|-)\s?$", re.IGNORECASE)
_OF_WHAT = re.compile(
    r"\sof\s(?:the|its|this|all|our|total|their|a)\b(?!\s(?:fiscal|financial|calendar)?\s?(?:year|20\d\d))", re.I
)
# Between what names one period: "the fourth quarter of fiscal 2019", "three months ended June 30, 2019".
_WITHIN = re.compile(
    rf"[\s,('’/\-–]{{0,3}}(?:(?:of|in|for|the|fiscal|financial|calendar|year|period|ended|ending|{_MONTH}|\d{{1,2}}(?:st|nd|rd|th)?)"
    r"[\s,('’/\-–]{0,3}){0,5}",
    re.IGNORECASE,
)
# "the fourth quarter of 2019 and 2018": of both years.
_ALSO = re.compile(r"[\s,]{0,3}(?:(?:and|or|&|versus|vs\.?|compared (?:to|with))\s{1,3})?(?:of\s|in\s)?", re.IGNORECASE)
_AT = re.compile(r"\b(?:as\sof|at|by|since|until|end\sof)\s$", re.IGNORECASE)
_LAST_SENTENCE = re.compile(r"(?<=[.;!?])\s+(?=[A-Z(])")


def periods(text: str) -> list[Period]:
    """The periods that a text names, in reading order."""
    return list(_periods(text))


def of_columns(text: str) -> tuple[Part, ...]:
    """The parts of the year that the header above a column names."""
    return tuple(part for _, _, part in _found(text, heading=True))


def of_rows(text: str) -> tuple[Part, ...]:
    """Those that the label of a row names, or a caption; "3-month deposits" are of no three months."""
    return tuple(part for _, _, part in _found(text, heading=False))


def of_caption(text: str) -> tuple[Part, ...]:
    """What the last sentence of a caption says that the table is of."""
    return of_rows(_LAST_SENTENCE.split(text)[-1][-300:])


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
    spans: list[Period] = [Period(None, part, start, end) for start, end, part in _found(text, heading=False)]
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


def _found(text: str, *, heading: bool) -> list[tuple[int, int, Part]]:
    out: list[tuple[int, int, Part]] = []
    for name, pattern in _ALL:
        for match in pattern.finditer(text):
            if any(start < match.end() and match.start() < end for start, end, _ in out):
                continue
            part = _part(name, match, text, heading=heading)
            if part is not None:
                out.append((match.start(), match.end(), part))
    return sorted(out, key=lambda one: one[0])


def _part(name: str, match: re.Match[str], text: str, *, heading: bool) -> Part | None:
    said = {key: value for key, value in match.groupdict().items() if value is not None}
    ends = _month(said.get("ends"))
    if name == "count":
        counts = (n for word, n in _NUMBERS.items() if re.fullmatch(word, said["count"], re.IGNORECASE))
        count = int(said["count"]) if said["count"].isdigit() else next(counts)
        months = _LENGTHS.get((said["unit"][0].lower(), count))
        loose = "bare" in said and "order" not in said
        if months is None or (loose and not heading):  # "due in six months"
            return None
        return Part(months, 1 if said.get("order", "").lower() == "first" else None, ends)
    if name == "three_quarters":
        return Part(9 if said["quarters"].lower() == "three" else 6, 1)
    if name == "quarter":
        which = (said.get("which") or said.get("behind") or "").lower()
        if (
            not which
            and not ends
            and (_FRACTION.search(text[max(match.start() - 6, 0) : match.start()]) or _OF_WHAT.match(text, match.end()))
        ):
            return None
        number = ORDINALS.get(which) or (int(which) if which.isdigit() else None)
        return Part(3, number or (_ROMAN.index(which) + 1 if which in _ROMAN else None), ends)
    if name == "q":
        return Part(3, int(said.get("q1") or said["q2"]))
    if name == "half":
        half = said.get("half", "").lower()
        return Part(6, ORDINALS.get(half), ends)
    if name == "h":
        return Part(6, int(said.get("h1") or said["h2"]))
    if name == "nine":
        return Part(int(said["m"]), 1)
    if name == "to_date":
        return Part(_TO_DATE)
    if name in ("calendar", "fiscal"):
        return Part(YEAR, ends=ends, kind=name)
    if name == "annual":
        return Part(YEAR, ends=ends)
    month = next((month for key in ("month", "month2", "month3", "month4") if (month := _month(said.get(key)))), None)
    # "December 2019" heads a column of a year or of a date; in a sentence it is a month.
    is_date = name == "date" or heading or _AT.search(text[max(match.start() - 12, 0) : match.start()])
    return Part(0 if is_date else 1, ends=month)


def _month(written: str | None) -> int | None:
    """The number of a month, from 1."""
    start = (written or "").lower()[:3]
    return next((i for i, name in enumerate(_MONTHS, 1) if start and name.startswith(start)), None)
