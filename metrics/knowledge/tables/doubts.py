"""Why a cell that says another number than a step may not be what the step means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .agreement import agreement
from .amounts import years
from .context import About
from .layout import Table
from .owners import stranger
from .periods import says_alike
from .sources import Place
from .words import NEUTRAL, WORD, stems

# A figure behind these is worked out and not read off, unless the row's label has the word, too.
_CHANGES = re.compile(
    r"\b(?:increas|decreas|chang|ris(?:e|ing)|rose|fall|fell|grew|grow|declin|drop|gain(?:ed)? |improv|reduc|differ"
    r"|higher|lower|more|less|fewer|up|down)\w*",
    re.IGNORECASE,
)
_WORKED_OUT = re.compile(
    r"\b(?:averages?|mean|median|ratio|proportion|percentages?|shares?|sum|combined|together|difference|growth|margin"
    r"|total|overall|each|per|half|twice|double|both|cumulative|remaining|additional|target|budget\w*|forecast\w*"
    r"|expect\w*|estimat\w*|project(?:ed|ion)s?|guidance|consensus|planned|original(?:ly)?|previously|initial(?:ly)?"
    r"|restated|revised|adjusted|divided|multiplied|minus|subtract\w*)\b",
    re.IGNORECASE,
)
_TO_OR_FROM = re.compile(
    r"\b(?:from|to|at|vs\.?|versus|against)\s+(?:(?:about|around|nearly|almost|approximately)\s+)?$", re.IGNORECASE
)
# The base that a change is told from ("rose from 5 to 8 in 2019", "8 in 2019, against 5"), and periods by their order.
_BASE = re.compile(r"\b(?:from|against|versus|vs\.?|(?:compared|relative) (?:to|with))\s{1,3}$", re.IGNORECASE)
_ORDER = re.compile(
    r"\b(?:(?:year|period|quarter)s? (?:earlier|before|ago|prior)|(?:prior|previous|preceding|last|following|next"
    r"|subsequent) (?:fiscal )?(?:year|period|quarter)|(?:before|prior to|until|after|since|preceding)"
    r" (?:fiscal |FY ?)?(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_PART_OF_YEAR = re.compile(
    r"\b(?:q[1-4]|[1-4]q|h[12]|[12]h|quarter|months?|weeks?|ytd|year-to-date|january|february|march|april|june|july"
    r"|august|september|october|november)\b",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?:^|[,;:]\s)(?:of|out of|within|among) (?:the|its|this|that|all|total|their)\b[^,]{0,60},\s$", re.I
)
_PART_BEHIND = re.compile(r"\s(?:out )?of (?:the|its|this|that|their|our)\b", re.IGNORECASE)
_PREPOSITIONS = frozenset(["of", "from", "for", "in", "at", "by", "to", "with", "within", "across", "on"])
_SET_APART = frozenset(["before", "after", "excluding", "without", "except"])
_AGAIN = re.compile(r"\W{0,3}(?:(?:or|i\.e\.|that is)\W{1,3})?")
_UNEXPLAINED = 2


def doubt_about(about: About, place: Place) -> str:
    """Why a cell that differs from the figure may not be what is meant, or ""."""
    row, column, figure = place.row, place.column, about.figure
    same = agreement(about, place)
    if same:
        return same
    if word := worked_out(about, row.label):
        return f"it may be worked out ({word.strip()!r})"
    if word := other_period(about, place):
        return f"it may be of another period ({word.strip()!r})"
    if _PART.search(about.head) or _PART_BEHIND.match(about.after):
        return "it may be a part of it"
    if word := stranger(about, place, strict=True):
        return f"it may be of {word!r}"
    if word := qualified(about, place):
        return f"{word!r} may make it another amount"
    if word := _of_its_own(about, place):
        return f"it may be of {word!r}"
    if len(other := _unexplained(about, place)) > _UNEXPLAINED:
        return f"it may be of something else ({', '.join(other[:4])})"
    if not column.sure:
        return "the column's heading is not certain"
    of_row = place.table.of_row[place.cell.row]
    has_years = bool(column.years or row.years)
    if len(of_row) > 1 and has_years and len(about.years) != 1:
        return "the period is not named"
    if place.table.problem:
        return f"the table was not read in full: {place.table.problem}"
    if figure.percent != place.cell.percent:
        return "one of them is a percentage"
    return ""


def worked_out(about: About, label: str) -> str:
    """The word by which the figure is the result of a calculation and no row's own, or ""."""
    own = stems(label)
    words = [m for m in _WORKED_OUT.finditer(about.undated) if not stems(m.group()) <= own]
    if not _TO_OR_FROM.search(about.before[-40:]):
        # "rose 21.1%, or $3.2 million": the second says the first again.
        change = about.head[-160:] if _AGAIN.fullmatch(about.before) else about.before
        words += [m for m in _CHANGES.finditer(change) if not stems(m.group()) <= own]
    return words[0].group() if words else ""


def other_period(about: About, place: Place) -> str:
    """The word by which a figure may be of another period than the one year that the sentence names, or ""."""
    found = _BASE.search(about.before[-30:]) or _ORDER.search(about.sentence)
    if found and len({year for *_, year in years(about.sentence)}) < 2:
        return found.group()
    if about.periods and all(one.part and says_alike(one.part, place.parts) for one in about.periods):
        return ""
    column = f"{place.column.label} {place.column.section} {place.row.label} {place.row.section}"
    said = f"{column} {place.table.caption} {place.source.passage.title}".lower()
    return next((m.group() for m in _PART_OF_YEAR.finditer(about.sentence) if m.group().lower() not in said), "")


def qualified(about: About, place: Place, also: frozenset[str] = frozenset()) -> str:
    """A word beside the row's label that may make it another thing ("net revenue" of "revenue"), or ""."""
    wanted = stems(place.row.label)
    known = wanted | NEUTRAL | stems(f"{place.row.section} {place.column.section} {place.column.label}")
    known |= stems(place.table.caption) | stems(place.source.passage.title) | _genus(about, place.table)
    known |= also | about.dated
    words = list(WORD.finditer(about.sentence))
    at = [i for i, word in enumerate(words) if stems(word.group()) & wanted]
    if not at:
        return ""
    near = [i for i in at if words[i].end() <= about.figure.start] or at
    last = near[-1]
    first = last
    for i in range(max(last - 3, 0), last):  # "income before income tax expense" of "Income tax expense"
        if words[i].group().lower() in _SET_APART and words[i].group().lower() not in place.row.label.lower():
            return words[i].group()
    while first - 1 >= 0 and (first - 1 in at or not stems(words[first - 1].group())) and last - first < 12:
        first -= 1
    for i in (*range(max(first - 1, 0), last), last + 1):
        if i >= len(words) or about.figure.start <= words[i].start() < about.figure.end:
            continue
        word = words[i].group()
        if stems(word) - known and not word.endswith(("'s", "’s")) and not word[0].isdigit():
            return word
    return _of_what([word.group() for word in words[last + 1 :] if word.end() <= about.figure.start], known)


def _of_what(behind: Sequence[str], known: frozenset[str]) -> str:
    """ "services" of "Revenue from services was …": what the words behind a label say that it is of, or ""."""
    if behind and stems(behind[0]) and stems(behind[0]) <= NEUTRAL:  # "revenue generated by …"
        behind = behind[1:]
    if not behind or behind[0].lower() not in _PREPOSITIONS:
        return ""
    word = next((word for word in behind[1:] if stems(word)), "")
    return word if stems(word) - known and not word[0].isdigit() else ""


def _of_its_own(about: About, place: Place) -> str:
    """ "assets" of "Revenue was $774, assets at $2,500": a noun that a figure after another has for itself, or ""."""
    label = stems(place.row.label)
    if about.figure is about.figures[0] or stems(about.before) & label:
        return ""
    known = NEUTRAL | label | stems(f"{place.row.section} {place.column.section} {place.column.label}")
    behind = re.search(r"(?:,|;|\band\b|\bwith\b)(.*)", about.before)
    return next((m.group() for m in WORD.finditer(behind[1]) if stems(m.group()) - known), "") if behind else ""


def _unexplained(about: About, place: Place) -> list[str]:
    """Words of the figure's clause that neither row, column nor table have: they may say of what else it is."""
    known = NEUTRAL | stems(f"{place.row.label} {place.row.section} {place.column.section} {place.column.label}")
    known |= stems(f"{place.table.caption} {place.source.passage.title}")
    return [
        w for w in dict.fromkeys(m.group() for m in WORD.finditer(about.undated)) if stems(w) - known and w.isalpha()
    ]


def _genus(about: About, table: Table) -> frozenset[str]:
    """What all rows are of: the words of its total's label, and those of the text beside it that no row has."""
    totals = (heading.label for heading in table.rows if heading.label.lower().startswith("total"))
    in_rows = frozenset().union(*(stems(heading.label) for heading in table.rows))
    return frozenset().union(*map(stems, totals)) | (about.context - in_rows)
