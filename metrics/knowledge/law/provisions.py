"""Cuts a statute, a set of rules or a contract into its provisions, and looks cited ones up among them.

A provision's text is all of it, subdivisions included; each subdivision is a provision, too. Headings are lines that
begin with "Rule 801.", "§ 2-207.", "Article 6", "Section 3:", or a number in sequence ("4.", "4.2"). Subdivisions are
"(a)", "(1)", "(A)", "(i)" at the beginning of a line or after a mark of punctuation, read as a nested enumeration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from .citations import LABEL_STYLES, Citation, act_of, arabic, find_citations, key_of, same_act

_HEADING = re.compile(
    r"^[ \t#*_]{0,8}(?:(?P<unit>(?:Rule|RULE|Section|SECTION|Article|ARTICLE|Clause|CLAUSE)[sS]?|§§?|Secs?\.|Arts?\.)"
    r"[ \t]{0,3}"
    r"(?P<number>\d{1,5}[A-Za-z]{0,3}(?:[-–.:]\d{1,5}[A-Za-z]{0,2}){0,4}|[IVXLC]{1,7}(?!\w))"
    r"(?:[ \t](?P<between>to|through|and|bis|und|[-–])[ \t](?P<last>\d{1,5}))?"
    r"|(?P<plain>\d{1,3}(?:\.\d{1,3}){0,4}))(?P<mark>[.:)]?)(?P<rest>[ \t*_.:–—-]{0,8}[^\n]{0,300})$",
    re.MULTILINE,
)
_GONE = re.compile(r"repealed|reserved|omitted|deleted|revoked|weggefallen|aufgehoben|abrog", re.IGNORECASE)
_LONGEST_RANGE = 100
_LOWER = re.compile(r"[\s*_]{0,4}[a-z]")
_MARKER = re.compile(
    r"(?:(?:^|(?<=[:;,.—–-])|(?<=\bor)|(?<=\band))[ \t*_]{0,12}|(?<=\)))[ \t]{0,2}"
    r"\((?P<label>[a-z]|[ivx]{2,6}|[A-Z]|[IVX]{2,6}|\d{1,3}[a-z]?|aa|bb|cc|dd)\)(?=[\s*_(])"
    r"|^[ \t]{0,8}(?:(?P<point>\d{1,3}[a-z]?)\.|(?P<open>[a-z]|[ivx]{2,6}|\d{1,3}[a-z]?)\))(?=\s)",
    re.MULTILINE,
)
_MOST_HEADINGS = 300
# What a document is called whatever its title is, where there is only one.
_ANY_DOCUMENT = frozenset({"agreement", "contract", "lease", "nda", "terms", "policy", "license", "licence", "order"})
_LONGEST_HEADING = 120
_WHOLE = 4
_LEFT_OUT = 4  # subdivisions that an excerpt may leave out in a row

# Part of what a corpus is made of: with another way of cutting it is built anew.
CUTTING = 2


@dataclass(frozen=True)
class Provision:
    """A piece of law.

    Attributes:
        key: see `citations`.
        title: for a person: the act and the headings above the text.
        text: the whole provision.
    """

    key: str
    title: str
    text: str


class _Heading(NamedTuple):
    start: int
    body: int
    section: str
    title: str
    container: bool  # an article that holds sections
    also: tuple[str, ...] = ()  # further sections that it is of


def cut_provisions(identity: str, title: str, text: str) -> list[Provision]:
    """The provisions of a document, outermost first; none where it has neither headings nor a citation for a name.

    A document that is called like a provision (its id or title is a citation, "Fed. R. Evid. 801") is that provision.
    Otherwise it is an act, called by its title, with a provision for each heading (for each section of "§§ 4-6.
    Repealed"), and one for the act itself that lists them. Of two provisions with one key (a table of contents, and
    the body) the longer one stays.
    """
    if named := _named(identity) or _named(title):
        whole = Provision(named.key, title if title.strip() else identity, text.strip())
        return _unique([whole, *_subdivisions(named.act, named.section, named.labels, whole.title, text)])
    headings = _headings(text)
    if not headings:
        return []
    act = act_of(title or identity)
    name = title or identity
    listed = "\n".join(f"{heading.title}" for heading in headings[:_MOST_HEADINGS])
    out = [Provision(act, name, f"{text[: headings[0].start].strip()[:2000]}\n{listed}".strip())]
    for number, heading in enumerate(headings):
        behind = (headings[i] for i in range(number + 1, len(headings)))
        end = next((other.start for other in behind if not _within(other, heading)), len(text))
        leaf = next((other.start for other in headings[number + 1 : number + 2]), len(text))
        own = f"{name}, {heading.title}" if name else heading.title
        for section in (heading.section, *heading.also):
            out.append(Provision(key_of(act, section), own, text[heading.start : end].strip()))
        out += _subdivisions(act, heading.section, (), own, text[heading.body : min(end, leaf)])
    return _unique(out)


def is_provision(identity: str, title: str) -> bool:
    """Whether a document is called like a provision."""
    return bool(_named(identity) or _named(title))


def _named(name: str) -> Citation | None:
    """The citation that a name is, where it is one and names an act; a heading may follow."""
    found = find_citations(name[:300])
    if found and found[0].act and not name[: found[0].start].strip(" #*"):
        return found[0]
    return _read_key(name)


_KEY = re.compile(
    r"(?P<act>[\w .'-]{2,80}?) (?P<section>(?:art-|amend-)?\d[\w.:-]{0,20})(?P<labels>(?:\(\w{1,5}\)){0,8})"
)


def _read_key(text: str) -> Citation | None:
    """A key as it stands in ids: "fre 801(c)"."""
    match = _KEY.fullmatch(text.strip()) if text == text.casefold() or "(" in text else None
    if match is None or " " in match["section"]:
        return None
    labels = tuple(re.findall(r"\((\w{1,5})\)", match["labels"]))
    return Citation(0, len(text), match["act"], match["section"], labels)


def _headings(text: str) -> list[_Heading]:
    found = list(_HEADING.finditer(text))
    units = {(match["unit"] or "")[:2].casefold() for match in found if match["unit"]}
    nested = "ar" in units and bool(units - {"ar"})
    out: list[_Heading] = []
    last = 0  # the last plain number on the outermost level
    for match in found:
        rest = match["rest"]
        if match["unit"]:
            if _LOWER.match(rest) and not match["mark"]:  # "Section 4.2 of the Agreement applies …"
                continue
            container = nested and match["unit"][:2].casefold() == "ar"
            among = _listed(match)
            kind = "art-" if container else ""
            section = kind + (among[0] if among else arabic(match["number"]))
            last = int(section) if section.isdigit() else last
        else:
            first, dot, _ = match["plain"].partition(".")
            # A number in running text or in a list is not the next one of the document's own; below an article it is
            # a paragraph of it.
            if units and not dot:
                continue
            if not rest.strip() or (not dot and not match["mark"]) or int(first) not in (last, last + 1):
                continue
            if not dot and int(first) != last + 1:
                continue
            last, container, section = int(first), False, match["plain"]
        shown = " ".join(match[0].strip(" \t#*_").split())
        also = tuple(f"{kind}{one}" for one in among[1:]) if match["unit"] else ()
        out.append(_Heading(match.start(), match.start("rest"), section, shown[:_LONGEST_HEADING], container, also))
    return out


def _listed(match: re.Match[str]) -> list[str]:
    """The sections of a heading for several: "§§ 10 to 12 (repealed)", "Sections 4-6."; empty: it is of one."""
    number, last = match["number"].replace("–", "-"), match["last"]
    if (
        last is not None
        and match["between"] in ("and", "und")
        and int(last) != int(number if number.isdigit() else 0) + 1
    ):
        return []
    if last is None and (match["unit"] == "§§" or match["unit"][-1:] in "sS" or _GONE.search(match["rest"])):
        number, _, last = number.partition("-")
    if not last or not number.isdigit() or not last.isdigit() or not 0 < int(last) - int(number) <= _LONGEST_RANGE:
        return []
    return [str(one) for one in range(int(number), int(last) + 1)]


def _within(other: _Heading, heading: _Heading) -> bool:
    if heading.container:
        return not other.container
    return other.section.startswith(heading.section + ".")


def _subdivisions(act: str, section: str, above: tuple[str, ...], title: str, text: str) -> Iterator[Provision]:
    """The enumerated parts of a provision's text. A label that continues no enumeration and begins none is text."""
    opened: list[tuple[int, int, tuple[str, ...]]] = []  # start, end, labels
    stack: list[tuple[int, int, int]] = []  # per level: style, place in it, index in `opened`
    spans: list[list[int]] = []
    names: list[str] = []
    for match in _MARKER.finditer(text):
        label = match["label"] or match["point"] or match["open"]
        start = match.start("label") - 1 if match["label"] else match.start("point" if match["point"] else "open")
        level = _level(label, stack)
        if level is None:
            continue
        for _, _, index in stack[level[0] :]:
            spans[index][1] = start
        del stack[level[0] :]
        stack.append((level[1], level[2], len(spans)))
        names.append(label)
        labels = (*above, *(names[index] for *_, index in stack))
        opened.append((start, len(text), labels))
        spans.append([start, len(text)])
    for (_, _, labels), (start, end) in zip(opened, spans, strict=True):
        yield Provision(key_of(act, section, labels), title, text[start:end].strip())


def _level(label: str, stack: list[tuple[int, int, int]]) -> tuple[int, int, int] | None:
    """Level, style and place of a label: next of an open enumeration, innermost first, first of a new one, or, in an
    excerpt, a little further on in an open one, or anywhere in the outermost one."""
    for level, (style, place, _) in reversed(list(enumerate(stack))):
        if LABEL_STYLES[style][place + 1 : place + 2] == [label]:
            return level, style, place + 1
    if label[:-1].isdigit() and not label.isdigit():  # "(2a)", put in behind "(2)"
        number = label[:-1]
        return next(((level, s, p) for level, (s, p, _) in enumerate(stack) if LABEL_STYLES[s][p] == number), None)
    used = {style for style, _, _ in stack}
    for style, labels in enumerate(LABEL_STYLES):
        if style not in used and (labels[0] == label or (not stack and label in labels)):
            return len(stack), style, labels.index(label)
    for level, (style, place, _) in reversed(list(enumerate(stack))):
        if label in LABEL_STYLES[style][place + 2 : place + 2 + _LEFT_OUT]:
            return level, style, LABEL_STYLES[style].index(label)
    return None


def _unique(provisions: Iterable[Provision]) -> list[Provision]:
    longest: dict[str, Provision] = {}
    for provision in provisions:
        if provision.key not in longest or len(provision.text) > len(longest[provision.key].text):
            longest[provision.key] = provision
    return [provision for provision in longest.values() if provision.text]


class Resolved(NamedTuple):
    """What a citation means among known provisions.

    `status` is "found" (`key` is it), "missing" (`key` is the provision around it, which has no such part), "ambiguous"
    (several acts have it) or "unknown" (neither it nor what is around it is known).
    """

    status: Literal["found", "missing", "ambiguous", "unknown"]
    key: str = ""


class KnownProvisions:
    """Looks citations up among keys. What is cited without its act is found where one act only has it."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = {key.casefold(): key for key in keys}
        self._acts: dict[str, None] = {}
        self._acts_of: dict[str, dict[str, None]] = {}  # by section
        for key in self._keys.values():
            act, section = _act_and_section(key)
            self._acts.setdefault(act)
            if section:
                self._acts_of.setdefault(section.casefold(), {}).setdefault(act)

    def key(self, text: str) -> str | None:
        """A key as it is known, however its letters are written; None: there is no such key."""
        return self._keys.get(text.casefold())

    def under(self, key: str) -> list[str]:
        """The labels or sections one level below a key, in order."""
        start = f"{key}(" if _act_and_section(key)[1] else f"{key} "
        below = [one[len(start) :] for one in self._keys.values() if one.startswith(start)]
        ends = ")" if start.endswith("(") else "("
        return list(dict.fromkeys(rest.partition(ends)[0] for rest in below))

    def resolve(self, citation: Citation) -> Resolved:
        sections = [citation.section]
        if citation.unit == "article":
            sections.insert(0, f"art-{citation.section}")
        if citation.act:
            acts = [act for act in self._acts if same_act(citation.act, act)]
            if citation.act in acts:
                acts = [citation.act]
        else:
            acts = [act for one in sections for act in self._acts_of.get(one.casefold(), ())]
        for n in range(len(citation.labels), -1, -1):
            tried = [key_of(act, one, citation.labels[:n]) for act in acts for one in sections]
            hits = list(dict.fromkeys(known for one in tried if (known := self.key(one)) is not None))
            if len(hits) > 1 and len({_act_and_section(hit)[0] for hit in hits}) > 1:
                return Resolved("ambiguous")
            if hits:
                if n == len(citation.labels):
                    return Resolved("found", hits[0])
                # Another act may be meant where none is named.
                sure = citation.act or len(self._acts) == 1
                return Resolved("missing", hits[0]) if sure else Resolved("unknown")
        if citation.act and not acts and len(self._acts) == 1 and citation.act in _ANY_DOCUMENT:
            return self.resolve(replace(citation, act=next(iter(self._acts))))
        if citation.act and len(acts) == 1:
            return self._around(acts[0], citation.section)
        return Resolved("unknown")

    def _around(self, act: str, section: str) -> Resolved:
        """The nearest known provision around a section that is not known: "4" around "4.9", else the act itself."""
        while "." in section:
            section = section.rpartition(".")[0]
            if known := self.key(key_of(act, section)):
                return Resolved("missing", known)
        whole = act.casefold() in self._keys and self._should_have(act, section)
        return Resolved("missing", act) if whole else Resolved("unknown")

    def _should_have(self, act: str, section: str) -> bool:
        """Whether a section that an act lacks is not just left out of an excerpt: it would stand between two that are
        there, or the act is numbered from 1 and has some sections."""
        own = [_numbers(one) for one, acts in self._acts_of.items() if act in acts]
        asked = _numbers(section)
        if not own or not asked:
            return False
        return min(own) < asked < max(own) or (min(own)[0] == 1 and len(own) >= _WHOLE and len(asked) == 1)


def _numbers(section: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,9}", section))


def _act_and_section(key: str) -> tuple[str, str]:
    """The act of a key, and the section with its number; "" where the key is an act's own."""
    head = key.partition("(")[0]
    act, _, section = head.rpartition(" ")
    return (act, section) if act and (section[:1].isdigit() or section.startswith(("art-", "amend-"))) else (head, "")
