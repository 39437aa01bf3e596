"""Whose a figure is said to be: "Europe's revenue", "revenue in Asia", "the segment's costs".

A cell says nothing of an owner that neither its row nor its column has. What is read is the surface of English:
genitives, names behind prepositions, names of places as adjectives, and pronouns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from .context import About
from .periods import periods
from .sources import Place, Source
from .words import NEUTRAL, PLACE_ADJECTIVE, PLACES, stems

# Words for parts of a company, which say that there is an owner and not which.
GENERIC = stems(
    "segment division region subsidiary subsidiaries unit branch affiliate area geography geographic operation business"
    " market country joint venture sector line parent"
)
_WORD = r"[^\W\d_][\w&.\-]{0,40}"
_GENITIVE = re.compile(rf"(?<![\w&.\-])(?P<before>(?:{_WORD}\s){{0,4}})(?P<word>{_WORD}?)(?:['’]s|(?<=s)['’])(?=\s)")
_NO_GENITIVE = re.compile(
    r"(?:it|that|what|there|here|he|she|who|let|today|yesterday"
    r"|year|quarter|month|period|week|shareholder|stockholder|owner|member|partner|employee|director)s?\Z",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:its|their|his|her|whose)\b", re.IGNORECASE)
_NAME = r"(?<!\w)(?:[A-Z][\w&.\-]{0,40}\w|U\.S\.|U\.K\.)(?:\s(?:and\s|of\s|the\s|&\s)?[A-Z][\w&.\-]{0,40}\w){0,5}"
_KIND = (
    r"(?:segment|division|region|subsidiary|subsidiaries|unit|branch|affiliate|joint venture|sector|business unit)s?"
)
_BEHIND = r"(?i:of|in|for|from|at|by|within|across)\s(?:(?:the|its|this|that|each|our|their)\s)?"
_OF_NAME = re.compile(rf"\b{_BEHIND}(?P<name>{_NAME}(?:\s{_KIND}\b)?)")
_OF_KIND = re.compile(rf"\b{_BEHIND}(?P<name>(?:{_WORD}\s){{0,2}}{_KIND})\b")
_SUBJECT = re.compile(
    rf"(?:^|[,;:]\s|\b(?:that|and|while|but)\s)(?:the\s)?(?P<name>{_NAME})(?:\s{_KIND})?\s"
    r"(?:had|has|have|report\w*|record\w*|post\w*|generat\w*|earn\w*|made|saw|book\w*|contribut\w*|account\w*)\b",
)
_COMPANY = re.compile(
    rf"(?P<name>{_NAME}),?\s(?:Inc|Incorporated|Corp|Corporation|Ltd|Limited|plc|PLC|LLC|Co|Company|Group|Holdings?|AG|SE"
    r"|NV|N\.V|S\.A|SA|GmbH)\b"
)
# Words with a capital that are no owner's.
_NOBODY = NEUTRAL | stems(
    "total net gross eur gbp chf cny jpy inr statement consolidated balance sheet note exhibit item section filing form"
    " page example step gaap ifrs non per share"
)
_DOCUMENTS = stems("statement sheet report note exhibit form filing table")
_HOLDERS = stems("company group firm corporation")


class Owner(NamedTuple):
    """Whom a figure is said of.

    Attributes:
        written: as it stands in the sentence.
        words: the stems that tell it from others; empty: "its", "the segment's".
        pronoun: it is a pronoun.
    """

    written: str
    words: frozenset[str]
    pronoun: bool = False


@lru_cache(maxsize=64)
def owners_of(about: About) -> list[Owner]:
    """Whom a sentence says that the figure is of, as near to the figure as it says it."""
    behind = _directly_behind(about.after)
    pieces = [about.before, *_earlier(about)]
    for piece in pieces:
        if found := list(_in_piece(piece)):
            return [*found, *behind]
    return behind


def belongs(place: Place, owner: Owner) -> bool:
    """Whether the row or the column of a cell is the owner's."""
    return bool(owner.words) and owner.words <= _words_of(place)


def named_in(owner: Owner, sources: Iterable[Source]) -> bool:
    """Whether any row or column of the tables is the owner's."""
    tables = (source.table for source in sources if source.table is not None)
    headings = (heading for table in tables for heading in (*table.rows, *table.columns))
    return bool(owner.words) and any(owner.words <= _words(f"{h.label} {h.section}") for h in headings)


def stranger(about: About, place: Place, *, strict: bool) -> str:
    """Whom the figure is of, where the cell is not theirs for all that is known; "" else.

    Args:
        strict: text and question, which may name others than the whole, do not count either, nor does a pronoun.
    """
    for owner in owners_of(about):
        if belongs(place, owner):
            continue
        if owner.pronoun:
            if strict and not stems(about.head) & _HOLDERS:
                return owner.written
            continue
        around = stems(f"{place.table.caption} {place.source.passage.title} {place.source.passage.id}")
        known = _words_of(place) | around | NEUTRAL | about.companies
        if not strict:
            known |= about.told | (about.asked - PLACES)
        if not owner.words <= known or not (owner.words or stems(owner.written) <= known):
            return owner.written
    return ""


def _in_piece(text: str) -> Iterator[Owner]:
    dated = [(one.start, one.end) for one in periods(text)]
    for match in _GENITIVE.finditer(text):
        word = match["word"]
        if not _NO_GENITIVE.match(word):
            generic = stems(word) <= GENERIC
            near: list[str] = []
            for before in reversed(match["before"].split()):
                if not stems(before) or not (before[0].isupper() or generic):
                    break
                near.insert(0, before)
            yield from _owner(" ".join([*near, word]), match.start("word"), dated)
    for match in _PRONOUN.finditer(text):
        yield Owner(match[0], frozenset(), pronoun=True)
    for pattern in (_OF_NAME, _OF_KIND, _SUBJECT):
        for match in pattern.finditer(text):
            yield from _owner(match["name"], match.start("name"), dated)
    for match in PLACE_ADJECTIVE.finditer(text):
        yield from _owner(match[0], match.start(), dated)


def _owner(written: str, at: int, dated: Iterable[tuple[int, int]]) -> Iterator[Owner]:
    """The owner that words name, unless they are a date's or nobody's."""
    said = stems(written) - _NOBODY
    if said and not stems(written) & _DOCUMENTS and not any(start <= at < end for start, end in dated):
        yield Owner(written, said - GENERIC)


def _directly_behind(after: str) -> list[Owner]:
    """The owner behind a figure: "$50 million in Europe", "$50 million in 2019 for the segment"."""
    found = [match for pattern in (_OF_NAME, _OF_KIND) for match in pattern.finditer(after)]
    out = []
    for match in found:
        lead = after[: match.start()]
        dated = periods(lead)
        words = lead[dated[-1].end :] if dated else lead
        if not stems(words) - NEUTRAL and not re.search(r"[,;:]", words):
            out += _owner(match["name"], match.start("name"), [(one.start, one.end) for one in periods(after)])
    return out


def _earlier(about: About) -> Iterator[str]:
    """What stands before the figures before this one, nearest first."""
    ends = [0, *(figure.end for figure in about.figures if figure.end <= about.figure.start)]
    starts = [figure.start for figure in about.figures if figure.end <= about.figure.start]
    for begin, end in reversed(list(zip(ends, starts, strict=False))):
        yield about.sentence[begin:end]


def _words_of(place: Place) -> frozenset[str]:
    row, column = place.row, place.column
    return _words(f"{row.label} {row.section} {column.label} {column.section}")


@lru_cache(maxsize=16_384)
def _words(heading: str) -> frozenset[str]:
    return stems(heading)


def companies_in(text: str) -> frozenset[str]:
    """The words of the names of companies that stand in a text with their legal form."""
    return frozenset().union(*(stems(match["name"]) for match in _COMPANY.finditer(text)))
