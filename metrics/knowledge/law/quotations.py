"""Finds quoted words in a text, and what they are attributed to: a cited provision, "the Agreement", or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .citations import Citation, find_citations

QUOTATION = "quotation"

_LONGEST = 6_000
_OPENING = {"“": "”", "«": "»", "„": "“”", "‘": "’", '"': '"'}
_MARK = re.compile(r"[“”«»„‘’\"]")
_BLOCK = re.compile(r"(?m)(?:^[ \t]{0,3}>[^\n]{0,2000}(?:\n|\Z)){1,60}")
_BLOCK_MARK = re.compile(r"(?m)^[ \t]{0,3}>[ \t]?")
_NOUNS = (
    "agreement|contract|nda|lease|passage|text|document|statute|act|code|rules?|regulations?|provision|clause|section"
    "|article|paragraph|policy|licen[cs]e|treaty|directive|constitution|abstract|evidence|excerpt|source|terms|charter"
    "|convention|definition"
)
_VERBS = (
    "says?|said|states?|stated|provid(?:es?|ed)|reads?|requires?|required|defin(?:es?|ed)|specif(?:y|ies|ied)|notes?"
    "|noted|mentions?|prohibits?|permits?|allows?|stipulates?|writes?|contains?|includes?|uses?|quotes?|holds?|declares?"
    "|sets? (?:out|forth)|makes? clear"
)
# "the Agreement provides that …", "according to the contract, …", "in the passage: …", up to the quotation mark.
_BEFORE = re.compile(
    rf"\b(?:the|this|that|our|its|said)\s(?:[\w'’-]{{1,20}}\s){{0,4}}?(?:{_NOUNS})\b"
    rf"(?=[^.!?“”\"]{{0,70}}?\b(?:{_VERBS})\b)"
    rf"|\b(?:according to|under|from|per|as|in|of|by)\s(?:the|this|that|our)\s"
    rf"(?:[\w'’-]{{1,20}}\s){{0,4}}?(?:{_NOUNS})\b",
    re.IGNORECASE,
)
# "…," says the Agreement; "…" (Agreement); "…", as the contract puts it.
_AFTER = re.compile(
    rf"[\s,.;]{{0,4}}(?:\(|\[|[–—-]\s?|(?:as|{_VERBS}|is what|in|under|according to|of|from)\s(?:in\s|of\s)?)"
    rf"(?:(?:the|this|that|our)\s)?(?P<source>(?:[\w'’-]{{1,20}}\s){{0,4}}?(?:{_NOUNS}))\b",
    re.IGNORECASE,
)
# A sentence's end between a source and a quotation parts them; that of an abbreviation ("Fed. R.") does not.
_PARTED = re.compile(
    r"[!?]\s|(?<![A-Z])(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z]{2})(?<!\bcf)(?<!\bv)\.\s+(?=[A-Z“\"])|\n\s*\n"
)
# What says of a source that the quoted words are its own; behind a quotation also a preposition or a bracket.
_SAYS = re.compile(
    rf"[^\w]{{0,4}}(?:(?:itself|also|further|clearly|expressly|explicitly|specifically)\s)?(?:{_VERBS})\b"
)
_SAYS_BEHIND = re.compile(
    rf"[\s,.;:]{{0,4}}(?:(?:\(|\[|[–—-]|(?:as|see|cf\.?|{_VERBS}|is what|in|under|according to|of|from|per|by)\b)\s?"
    r"(?:(?:in|of|by|the|see|cf\.?)\s){0,2})?",
    re.IGNORECASE,
)
# Words that somebody spoke or wrote, which a rule is applied to ("Under Rule 801(c), the statement “…” is hearsay").
_SPOKEN = re.compile(
    r"\b(?:statements?|words|remarks?|utterances?|testimony|testif\w{1,6}|letter|e-?mail|message|question|example|e\.g"
    r"|such as|like|he|she|they|who|told|asked|replied|answered|shouted|yelled|exclaimed|assert(?:s|ed|ing)"
    r"|would cover|covers?|applies)\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"\b(?:I|my|me)\b")
_REACH = 160
_REACH_AFTER = 60
_SEPARATOR = "” — "


class Quotation(NamedTuple):
    """Quoted words: the span between the marks, the text, and what they are attributed to ("" where to nothing).

    `said`: the attribution is by a verb, or at once ("Rule 801(c) says “…”", "Rule 801(c): “…”"), not by nearness only.
    """

    start: int
    end: int
    text: str
    attribution: str
    said: bool


def find_quotations(text: str) -> list[Quotation]:
    """The quotations of a text, in order. Marks are paired within a paragraph; single straight ones are apostrophes."""
    spans = list(_spans(text))
    citations = find_citations(text)
    out = []
    for number, (start, end, quoted) in enumerate(spans):
        before = spans[number - 1][1] + 1 if number else 0
        after = spans[number + 1][0] if number + 1 < len(spans) else len(text)
        out.append(Quotation(start, end, quoted, *_attribution(text, start, end, before, after, citations)))
    return out


def written(quotation: Quotation) -> str:
    """A quotation as the text of a claim: “words” — attribution."""
    quoted = " ".join(quotation.text.split())
    return f"“{quoted}{_SEPARATOR}{quotation.attribution}" if quotation.attribution else f"“{quoted}”"


def read_written(claim: str) -> tuple[str, str]:
    """Words and attribution of what `written` wrote, or of plain words without marks."""
    head, separator, attribution = claim.rpartition(_SEPARATOR)
    if separator:
        return head.removeprefix("“"), attribution
    return claim.removeprefix("“").removesuffix("”"), ""


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    blocks = [(match.start(), match.end(), _BLOCK_MARK.sub("", match[0]).strip()) for match in _BLOCK.finditer(text)]
    position = 0
    for start, end, quoted in blocks:
        yield from _marked(text, position, start)
        # A block that quotes in marks itself quotes what is between them.
        inner = list(_marked(text, start, end))
        if inner:
            yield from inner
        elif quoted:
            yield start, end, quoted
        position = end
    yield from _marked(text, position, len(text))


def _marked(text: str, first: int, last: int) -> Iterator[tuple[int, int, str]]:
    opened: tuple[int, str] | None = None
    for match in _MARK.finditer(text, first, last):
        at, mark = match.start(), match[0]
        before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
        if opened is not None:
            start, closing = opened
            if at - start > _LONGEST or "\n\n" in text[start:at]:
                opened = None
            elif mark in closing:
                if mark in '’"' and (after.isalnum() or before.isspace()):
                    continue  # an apostrophe, or a mark that opens again
                yield start, at, text[start:at]
                opened = None
                continue
            else:
                continue
        if mark in _OPENING and not (before.isalnum() and mark in '"‘“') and after and not after.isspace():
            opened = at + 1, _OPENING[mark]


def _attribution(
    text: str, start: int, end: int, before: int, after: int, citations: Sequence[Citation]
) -> tuple[str, bool]:
    """The citation or the source named nearest before the quotation, else one that follows at once; whether it says so.

    Words that somebody spoke are those of no source that stands near.
    """
    head_start = max(before, start - _REACH)
    cited = [one for one in citations if head_start <= one.start and one.end <= start]
    for one in reversed(cited):
        if not _PARTED.search(text, one.end, start):
            return _said(text[one.start : one.end], text[one.end : start - 1], text[start:end])
    head = text[head_start:start]
    named = [match for match in _BEFORE.finditer(head) if not _PARTED.search(head, match.end())]
    if named:
        return _said(" ".join(named[-1][0].split()), head[named[-1].end() : -1], text[start:end])
    tail_end = min(after, end + _REACH_AFTER)
    for one in citations:
        if end <= one.start and one.end <= tail_end + 40 and one.start <= tail_end:
            if _PARTED.search(text, end + 1, one.start):
                return "", False
            at_once = _SAYS_BEHIND.fullmatch(text, end + 1, one.start) is not None
            spoken = not at_once and (_SPOKEN.search(text, head_start, one.start) or _SPEAKER.search(text, start, end))
            return ("", False) if spoken else (text[one.start : one.end], at_once)
    found = _AFTER.match(text[end + 1 : tail_end])
    return (" ".join(found["source"].split()), True) if found else ("", False)


def _said(source: str, between: str, quoted: str) -> tuple[str, bool]:
    if not re.search(r"\w", between) or _SAYS.match(between):
        first_person = between.strip() == "," and _SPEAKER.search(quoted)  # "Under Rule 801(c), “I saw him” is hearsay"
        return ("", False) if first_person else (source, True)
    return ("", False) if _SPOKEN.search(between) or _SPEAKER.search(quoted) else (source, False)
