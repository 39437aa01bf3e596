"""Finds the words for parts of a year: a quarter or half of it, nine months, a month, a date, the year itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

YEAR = 12
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_TO_DATE, _DAYS = -1, -2


@dataclass(frozen=True)
class Part:
    """What kind of period it is.

    Attributes:
        months: how long; 0: a date; -1: the year to date; -2: a day or week.
        number: which of the year, from 1; None: not said.
        ends: the month it ends in, from 1; None: not said.
        kind: "fiscal", "calendar", or "".
    """

    months: int
    number: int | None = None
    ends: int | None = None
    kind: str = ""


MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_ENDED = rf"(?:\s(?:period\s)?(?:ended|ending|to|through)\s(?:the\s)?(?:\d{{1,2}}(?:st|nd|rd|th)?\s)?(?P<ends>{MONTH}))"
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
    ("shorter", r"\b(?:monthly|weekly|daily)\b"),
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
        rf"\b(?P<month>{MONTH})\s(?:\d{{1,2}}(?:st|nd|rd|th)?\b(?![.,]?\d|\s?%),?)|\b\d{{1,2}}(?:st|nd|rd|th)?\s(?P<month2>{MONTH})",
    ),
    (
        "month",
        rf"\b(?P<month3>{MONTH}),?[\s-]['’]?(?=(?:19|20)?\d{{2}}\b)|\b(?:in|during|for|month\sof)\s(?P<month4>{MONTH})",
    ),
]
_ALL = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _PATTERNS]
_FRACTION = re.compile(r"(?:\ba|\bone|\bthree|-)\s?$", re.IGNORECASE)
_OF_WHAT = re.compile(
    r"\sof\s(?:the|its|this|all|our|total|their|a)\b(?!\s(?:fiscal|financial|calendar)?\s?(?:year|20\d\d))", re.I
)
_AT = re.compile(r"\b(?:as\sof|at|by|since|until|end\sof)\s$", re.IGNORECASE)


def find_parts(text: str, *, heading: bool) -> list[tuple[int, int, Part]]:
    """The parts that a text names, each with its span; of a heading also "Six months" and "December 2019", a date."""
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
    if name == "shorter":
        return Part(1) if match[0].lower() == "monthly" else Part(_DAYS)
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
