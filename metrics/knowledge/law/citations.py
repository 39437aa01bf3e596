"""Finds citations of provisions in a text: "Rule 801(c)", "§ 2-207(2)(b)", "Art. 6 (1) GDPR", "28 U.S.C. § 1332(a)".

A citation has a *key*, the same however it is written: "fre 801(c)", "ucc 2-207(2)(b)", "gdpr 6(1)", "28 usc 1332(a)".
Where the text names no act ("Rule 801(c)"), the act is empty and the key is " 801(c)" without the blank.

All patterns are bounded, so the cost is linear in the text. Cases ("347 U.S. 483") are read by `cases.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

CITATION = "citation"

# What acts that are cited by a short name are called; the key's first part, and a pattern of its names.
ACTS = {
    "fre": r"Fed(?:eral|\.)\s?R(?:ules?|\.)\s?(?:of\s)?Evid(?:ence|\.)?|F\.?R\.?E\.?(?![\w])",
    "frcp": r"Fed(?:eral|\.)\s?R(?:ules?|\.)\s?(?:of\s)?Civ(?:il|\.)\s?P(?:rocedure|\.)?|F\.?R\.?C\.?P\.?(?![\w])",
    "frcrimp": r"Fed(?:eral|\.)\s?R(?:ules?|\.)\s?(?:of\s)?Crim(?:inal|\.)\s?P(?:rocedure|\.)?",
    "frap": r"Fed(?:eral|\.)\s?R(?:ules?|\.)\s?(?:of\s)?App(?:ellate|\.)\s?P(?:rocedure|\.)?",
    "ucc": r"Uniform\sCommercial\sCode|U\.\s?C\.\s?C\.|UCC\b",
    "mpc": r"Model\sPenal\sCode|M\.\s?P\.\s?C\.|MPC\b",
    "gdpr": r"General\sData\sProtection\sRegulation|GDPR\b|DSGVO\b|DS-GVO\b|RGPD\b",
    "echr": r"European\sConvention\son\sHuman\sRights|ECHR\b",
    "tfeu": r"Treaty\son\sthe\sFunctioning\sof\sthe\sEuropean\sUnion|TFEU\b",
    "teu": r"Treaty\son\sEuropean\sUnion|TEU\b",
    "us const": r"(?:U\.\s?S\.|US|United\sStates|federal)\sConst(?:itution\b|\.)",
    "bgb": r"BGB\b",
    "stgb": r"StGB\b",
    "zpo": r"ZPO\b",
}
_KNOWN = "|".join(f"(?P<{key.replace(' ', '_')}>{names})" for key, names in ACTS.items())
_ACT = re.compile(_KNOWN)
# "of the Fair Credit Reporting Act", "of this Agreement"; at most eight words that begin with a capital.
_KINDS_OF_ACT = (
    "Act|Code|Agreement|Contract|Regulations?|Directive|Constitution|Convention|Rules|Statutes?|Law|Treaty|Charter|Order"
    "|Ordinance|Restatement|NDA|Terms|Policy|Licen[cs]e|Lease"
)
_NAMED = re.compile(
    r"\s{1,3}(?:of|in|under|to)\s{1,3}(?:the|this|that|our|said)\s{1,3}"
    rf"(?P<name>(?:[A-Z][\w.'’-]{{0,30}}\s{{1,3}}(?:(?:of|and|for|on|the)\s{{1,3}}){{0,2}}){{0,7}}(?:{_KINDS_OF_ACT}|agreement|contract|lease|policy|act|statute|code)(?:,?\s(?:1[5-9]|20)\d\d)?)\b"
)
_OF_KNOWN = re.compile(rf"(?:,?\s{{0,3}}(?:of|in|under)\s{{1,3}}(?:the\s{{1,3}})?|,?\s{{0,3}})(?:{_KNOWN})")

_LABELS = re.compile(
    r"\s?\((?P<a>[a-z]|aa|bb|cc|dd|ee|ff|gg|hh|[ivx]{2,6}|[A-Z]|AA|BB|CC|[IVX]{2,6}|\d{1,3}[a-z]?)\)"
    r"|,?\s(?:para(?:graphs?|s?\.)?|subsections?|subdivisions?|sub-?paragraphs?|points?|cl(?:ause|\.)|Abs(?:atz|\.)|lit(?:era|\.)|Satz"
    r"|Nr\.|No\.)\s?\(?(?P<b>[a-z]|\d{1,3}[a-z]?)(?![\w.])\)?"
)
_Labels = tuple[str, ...]
_MOST_LABELS = 8
_LETTERS = [*"abcdefghijklmnopqrstuvwxyz", "aa", "bb", "cc", "dd"]
_ROMAN_LABELS: Sequence[str] = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split()  # noqa: SIM905
# In which subdivisions are counted.
LABEL_STYLES: tuple[Sequence[str], ...] = (
    _LETTERS,
    [str(number) for number in range(1, 200)],
    [letter.upper() for letter in _LETTERS],
    _ROMAN_LABELS,
    [number.upper() for number in _ROMAN_LABELS],
)
# "(a)(1), (b) and (c)", "Abs. 1 und 2", "(a)-(c)"; no enumeration in a sentence: "under Rule 801(c), (1) a statement".
_AND = r"(?:and|or|&|und|oder|et|to|through|bis)"
_ALSO = re.compile(
    rf"(?:(?P<comma>,\s{{1,2}})(?:{_AND}\s{{1,2}})?|\s{{1,2}}{_AND}\s{{1,2}}|\s?[-–]\s?)"
    r"(?:(?=\()|(?P<bare>\d{1,3})(?!\w|[.,]\d|\())"
)
_GOES_ON = re.compile(rf"\s{{0,2}}(?:[,.;:)\]”\"'*_–-]|\Z)|\s{{1,2}}(?:{_AND}\s|of\s)")
_NUMBER = r"\d{1,5}[A-Za-z]{0,3}(?:[-–.:]\d{1,5}[A-Za-z]{0,2}){0,4}(?![\w%])"
_ROMAN = r"[IVXLC]{1,7}(?!\w)"
_UNITS = {"rule": r"[Rr]ules?|RULES?", "article": r"[Aa]rt(?:icles?|s?\.)|ARTICLES?"} | {
    "section": r"§{1,2}|[Ss]ec(?:tions?|s?\.)|SECTIONS?|[Cc]lauses?|CLAUSES?|[Pp]aragraphs?|¶{1,2}"
}
_UNIT = "|".join(f"(?P<{name}>{written})" for name, written in _UNITS.items())
_CODE = re.compile(
    rf"(?<![\w.])(?P<title>\d{{1,3}})\s?(?P<code>U\.?\s?S\.?\s?C\.?(?:\s?A\.)?|C\.?\s?F\.?\s?R\.?)\s{{0,2}}"
    rf"(?:§{{1,2}}|[Ss]ec(?:tions?|\.)|[Pp](?:art|t\.))?\s{{0,2}}(?P<number>{_NUMBER})"
)
_UNIT_AND_NUMBER = re.compile(rf"(?<!\w)(?:{_UNIT})\s{{0,2}}(?P<number>{_NUMBER}|{_ROMAN})")
_ACT_AND_NUMBER = re.compile(
    rf"(?<![\w.])(?:{_KNOWN}),?\s{{0,2}}(?:{_UNIT})?\s{{0,2}}(?P<number>{_NUMBER})(?!\s?(?:U\.|C\.))"
)
_CONSTITUTION = re.compile(
    rf"(?:{ACTS['us const']}),?\s(?P<part>[Aa]rt(?:icle|\.)|[Aa]mend(?:ment|\.))\s?(?P<number>{_ROMAN}|\d{{1,2}})"
    r"(?:,?\s(?:§|[Ss]ec(?:tion|\.))\s?(?P<section>\d{1,2}))?(?:,?\scl(?:ause|\.)\s?(?P<clause>\d{1,2}))?"
)
_ORDINALS: Sequence[str] = (  # noqa: SIM905
    "First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth Eleventh Twelfth Thirteenth Fourteenth Fifteenth"
    " Sixteenth Seventeenth Eighteenth Nineteenth Twentieth Twenty-First Twenty-Second Twenty-Third Twenty-Fourth"
    " Twenty-Fifth Twenty-Sixth Twenty-Seventh"
).split()
_AMENDMENT = re.compile(rf"\b(?P<ordinal>{'|'.join(reversed(_ORDINALS))})\sAmendment\b")
_NEXT = re.compile(rf"(?:,\s{{1,2}}|\s{{1,2}})(?:(?:and|or|&|to|through)\s{{1,2}})?(?P<number>{_NUMBER})")
_RANGE = re.compile(r"(?P<first>(?:\d{1,5}\.){0,3}\d{1,5})[-–](?P<last>(?:\d{1,5}\.){0,3}\d{1,5})")
_LONGEST_RANGE = 50  # "§§ 2-207" is one section of the Uniform Commercial Code
_PLURAL = re.compile(r"§§|¶¶|[A-Za-z]{3,}s\b|[Aa]rts\.|[Ss]ecs\.")
_MOST_IN_A_LIST = 10
_YEAR_OF_ACT = re.compile(r"-(?:1[5-9]|20)\d\d$")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@dataclass(frozen=True)
class Citation:
    """A provision that a text names.

    Attributes:
        start, end: where, as a half-open span.
        act: the act's part of the key ("fre", "28 usc", "fair credit reporting act"); "" where the text names none.
        section: the provision's number as it is cited ("801", "2-207", "4.2", "amend-14").
        labels: its subdivisions, outermost first: ("2", "b").
        unit: "rule", "article" or "section"; "" where it is not said.
        lead: what stands before the number of the first in a list ("Rules ") where this is a later one.
        tail: what stands behind the last in a list and names the act (" GDPR") where this is an earlier one.
    """

    start: int
    end: int
    act: str
    section: str
    labels: tuple[str, ...]
    unit: str = ""
    lead: str = ""
    tail: str = ""

    @property
    def key(self) -> str:
        return key_of(self.act, self.section, self.labels)


def key_of(act: str, section: str, labels: tuple[str, ...] = ()) -> str:
    return f"{act} {section}".strip() + "".join(f"({label})" for label in labels)


def find_citations(text: str) -> list[Citation]:
    """All citations of provisions in `text`, in order, none inside another."""
    found = sorted(_all(text), key=lambda one: (one.start, -one.end))
    out: list[Citation] = []
    for one in found:
        if not out or one.start >= out[-1].end:
            out.append(one)
    return out


def act_of(name: str) -> str:
    """The key of an act's name: that of a known act named in it, else its words in small letters."""
    if match := _ACT.search(name):
        return _group(match)
    words = re.findall(r"[^\W_]+", name.casefold())
    words = words[1:] if words[:1] in (["the"], ["this"], ["our"]) else words
    if words and words[-1][0].isdigit():  # a number at the end of a key is a section
        words[-2:] = ["-".join(words[-2:])]
    return " ".join(words) or "document"


def same_act(cited: str, known: str) -> bool:
    """Whether a cited act may be `known`: the same key, or a shorter name of it ("agreement", "reporting act")."""
    if cited == known or not cited:
        return cited == known
    years = {match[0] for name in (cited, known) if (match := _YEAR_OF_ACT.search(name))}
    if len(years) > 1:
        return False
    short, long = (_YEAR_OF_ACT.sub("", name).split() for name in (cited, known))  # "Beta Act" of "Beta Act 2010"
    return short[-1] in long and set(short) <= set(long)


def arabic(number: str) -> str:
    """A number as it stands in keys: Roman ones in digits, dashes as hyphens."""
    number = number.replace("–", "-")
    if not re.fullmatch(r"[IVXLC]{1,7}", number):
        return number
    values = [_VALUES[letter] for letter in number]
    return str(sum(-one if one < max(values[i:]) else one for i, one in enumerate(values)))


def _all(text: str) -> Iterator[Citation]:
    for match in _CODE.finditer(text):
        act = f"{match['title']} {'usc' if match['code'][0] == 'U' else 'cfr'}"
        yield from _listed(text, match, act, "section", plural="§§" in match[0])
    for match in _CONSTITUTION.finditer(text):
        part = "art" if match["part"][:2].casefold() == "ar" else "amend"
        labels = tuple(label for label in (match["section"], match["clause"]) if label)
        yield Citation(*match.span(), "us const", f"{part}-{arabic(match['number'])}", labels)
    for match in _AMENDMENT.finditer(text):
        yield Citation(*match.span(), "us const", f"amend-{_ORDINALS.index(match['ordinal']) + 1}", ())
    for match in _ACT_AND_NUMBER.finditer(text):
        unit = next((name for name in _UNITS if match[name]), "")
        yield from _listed(text, match, _group(match), unit, plural=bool(_PLURAL.search(match[unit] if unit else "")))
    for match in _UNIT_AND_NUMBER.finditer(text):
        unit = next(name for name in _UNITS if match[name])
        written = match[unit]
        cited = list(_listed(text, match, "", unit, plural=bool(_PLURAL.fullmatch(written))))
        act, end = _act_after(text, cited[-1].end)
        # "rule 1", "paragraph 3": words of everyday, unless an act or a subdivision stands beside them.
        if not (act or cited[0].labels or written[0].isupper() or written[0] in "§¶"):
            continue
        for number, one in enumerate(cited, 1):
            is_last = number == len(cited)
            tail = "" if is_last else text[cited[-1].end : end]
            yield replace(one, end=end if is_last else one.end, act=act, tail=tail)


def _listed(text: str, match: re.Match[str], act: str, unit: str, *, plural: bool) -> Iterator[Citation]:
    """The citation of a match, and where it is in the plural those listed after it ("§§ 101 and 102(b)")."""
    start, number, position = match.start(), match["number"], match.end("number")
    lead = ""
    for _ in range(_MOST_IN_A_LIST if plural else 1):
        labels, end = _labels_at(text, position)
        ends = _range(number) if plural and act != "ucc" else ()
        if ends:  # "Sections 2.1-2.4": its first and its last
            cut = position - len(ends[1])
            yield Citation(start, cut - 1, act, ends[0], (), unit, lead)
            start, number = cut, ends[1]
            lead = lead or text[match.start() : match.start("number")]
        yield Citation(start, end, act, arabic(number), labels, unit, lead)
        base = lead + text[start:position]
        first = text[position:end]
        for above, own, begin, last in _further_labels(text, labels, end):
            shown = base + "".join(f"({label})" for label in above)
            if text[begin].isdigit():  # "Abs. 1 und 2"
                shown = base + first[: -len(labels[-1])] if len(above) == len(labels) - 1 else f"{shown} para. "
            yield Citation(begin, last, act, arabic(number), (*above, *own), unit, shown)
            end = last
        following = _NEXT.match(text, end) if plural else None
        if following is None:
            return
        start, number, position = following.start("number"), following["number"], following.end("number")
        lead = text[match.start() : match.start("number")]


def _range(number: str) -> tuple[str, str] | tuple[()]:
    """First and last of a range of provisions; empty where a number is none ("2-207")."""
    match = _RANGE.fullmatch(number)
    if match is None:
        return ()
    first, last = ([int(part) for part in match[name].split(".")] for name in ("first", "last"))
    near = len(first) == len(last) and first < last and last[-1] - first[-1] <= _LONGEST_RANGE
    return (match["first"], match["last"]) if near else ()


def _labels_at(text: str, position: int) -> tuple[tuple[str, ...], int]:
    labels: list[str] = []
    while len(labels) < _MOST_LABELS and (match := _LABELS.match(text, position)):
        labels.append(match["a"] or match["b"])
        position = match.end()
    return tuple(labels), position


def _further_labels(text: str, labels: _Labels, position: int) -> Iterator[tuple[_Labels, _Labels, int, int]]:
    """The subdivisions listed behind the first: what they stand in, they, and where ("(a)", "(2)" of "(a)(1), (2)")."""
    for _ in range(_MOST_IN_A_LIST if labels else 0):
        match = _ALSO.match(text, position)
        if match is None:
            return
        if match["bare"]:
            if "(" in text[position - 3 : position]:  # "(a), 2": another kind of number
                return
            own, end = (match["bare"],), match.end()
        else:
            own, end = _labels_at(text, match.end())
        if not own or (match["bare"] and match["comma"] and not _goes_on(text, end)):  # "Abs. 1, 2 years later"
            return
        level = _level(labels, own)
        if level is None:
            return
        above = labels[:level]
        labels = (*above, *own)
        yield above, own, match.end() - len(match["bare"] or ""), end
        position = end


def _goes_on(text: str, end: int) -> bool:
    return _GOES_ON.match(text, end) is not None or _OF_KNOWN.match(text, end) is not None


def _level(labels: _Labels, own: _Labels) -> int | None:
    """Which of the labels others stand beside: the innermost of their style that comes before ("(b)(1), (b)(6)")."""
    label, again = own[0], len(own) > 1
    for level in reversed(range(len(labels))):
        for style in LABEL_STYLES:
            if label in style and labels[level] in style and style.index(labels[level]) < style.index(label) + again:
                return level
    return None


def _act_after(text: str, position: int) -> tuple[str, int]:
    if match := _OF_KNOWN.match(text, position):
        return _group(match), match.end()
    if match := _NAMED.match(text, position):
        return act_of(match["name"]), match.end()
    return "", position


def _group(match: re.Match[str]) -> str:
    return next(key for key in ACTS if match[key.replace(" ", "_")])
