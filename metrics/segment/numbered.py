"""Splitter by the response's own numbering: "1.", "(1)", "Step 1:", "**Step 1**", "### Step 1: …", "第1步"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..answers.extraction import is_final_answer
from .base import Span, Splitter
from .blocks import Piece, group_paragraphs, is_heading, is_lead_in, join_dependants, line_pieces

_WORDS = (
    "step|schritt|étape|etape|paso|passo|passaggio|шаг|bước|langkah|krok|stap|adım|ステップ|단계|चरण|ধাপ|"
    "ขั้นตอนที่|ขั้นที่|الخطوة"
)
_LEAD = r"(?P<indent>[ \t]*)(?:>[ \t]?)?(?:#{1,6}[ \t]+)?(?:[-*•][ \t]+)?(?:\*\*|__)?[ \t]*"
_STEP = re.compile(
    _LEAD + rf"(?:(?:{_WORDS})[ \t]{{0,3}}#?(?P<n>\d{{1,4}})(?P<sub>(?:\.\d{{1,3}}){{1,3}})?[ \t]*(?:[:.)\]*_–—-]|$)"
    r"|(?:第[ \t]?(?P<cn>\d{1,4}|[一二三四五六七八九十])[ \t]?步|步骤[ \t]?(?P<bz>\d{1,4}|[一二三四五六七八九十])))",
    re.IGNORECASE,
)
_PLAIN = re.compile(_LEAD + r"(?:\((?P<a>\d{1,4})\)|(?P<b>\d{1,4})\\?[.)](?=[\s*_]|$)|(?P<c>[①-⑳]))")
_CHINESE = {digit: number for number, digit in enumerate("一二三四五六七八九十", 1)}
_BULLET = re.compile(r"[ \t]+\S|[-*•+][ \t]|[a-zA-Z][.)][ \t]|\([a-zA-Z]\)[ \t]")
_MAX_GAP = 3  # "1., 2., 4." still counts as one list; "2., 1998." does not


@dataclass(frozen=True)
class Marker:
    piece: int
    number: int
    indent: int
    sub: bool  # "Step 2.1"


def markers(text: str) -> list[int]:
    """Indices, among `line_pieces(text)`, of the lines that open a numbered step."""
    return _markers(text, line_pieces(text))


def split_numbered(text: str) -> list[Span]:
    """One span per numbered item, numbering included, so that a step reads as the model wrote it.

    Where most items are one line, each further unindented line is a step of its own ("Solution: B" under "Step 4: …"),
    and where most are one paragraph, each further paragraph. Text before the first item is cut the same way, and so
    is what follows the last one. A text without numbering is cut into paragraphs.
    """
    pieces = line_pieces(text)
    opening = _markers(text, pieces)
    if not opening:
        return [(p.start, p.end) for p in join_dependants(text, group_paragraphs(pieces))]
    edges = [*opening, len(pieces)]
    items = [pieces[a:b] for a, b in pairwise(edges)]
    unit = _unit(text, items[:-1] or items)
    cut = _cut_lines if unit == "lines" else _cut_paragraphs
    longest = max(len(group_paragraphs(item)) for item in items[:-1] or items)
    result = cut(text, pieces[: opening[0]])
    starts = {item[0].start for item in items}
    for index, item in enumerate(items):
        last = index == len(items) - 1
        part = cut(text, item) if unit != "items" else _cut_last(text, item, longest) if last else [_whole(item)]
        heads = result and (is_heading(text, result[-1], item_below=True) or is_lead_in(text, result[-1]))
        if heads and result[-1].start not in starts:
            part = [_whole([result.pop(), part[0]]), *part[1:]]
        result += part
    return [(piece.start, piece.end) for piece in result]


def _markers(text: str, pieces: Sequence[Piece]) -> list[int]:
    for pattern in (_STEP, _PLAIN):
        found: list[Marker] = []
        for index, piece in enumerate(pieces):
            match = pattern.match(text, piece.start, min(piece.end, piece.start + 200))
            if match:
                label = next(
                    group for name, group in match.groupdict().items() if name not in ("indent", "sub") and group
                )
                sub = match.groupdict().get("sub") is not None
                found.append(Marker(index, _number(label), len(match["indent"].expandtabs(4)), sub))
        # A list inside an item is indented deeper: take the outermost level that holds a sequence.
        for indent in sorted({marker.indent for marker in found})[:8]:
            sequence = _sequence([marker for marker in found if marker.indent <= indent])
            if len(sequence) > 1:
                return sequence
    return []


def _sequence(found: Sequence[Marker]) -> list[int]:
    accepted: list[int] = []
    previous = 0
    for marker in found:
        if (
            marker.number == 1
            or previous < marker.number <= previous + _MAX_GAP
            or (not accepted and not marker.number)
        ):
            accepted.append(marker.piece)
            previous = marker.number
    return accepted


def _number(label: str) -> int:
    if label in _CHINESE:
        return _CHINESE[label]
    return ord(label) - ord("①") + 1 if "①" <= label <= "⑳" else int(label)


def _unit(text: str, items: Sequence[Sequence[Piece]]) -> str:
    if 2 * sum(len(_cut_lines(text, item)) == 1 for item in items) > len(items):
        return "lines"
    return "paragraphs" if 2 * sum(len(_cut_paragraphs(text, item)) == 1 for item in items) > len(items) else "items"


def _cut_lines(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """Every unindented line that is no bullet opens a piece."""
    return join_dependants(text, _attach(text, pieces))


def _cut_paragraphs(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """Every paragraph opens a piece; lines at its end that only announce the answer stand alone."""
    result: list[Piece] = []
    index = 0
    for paragraph in join_dependants(text, _attach(text, group_paragraphs(pieces))):
        inside = index
        while index < len(pieces) and pieces[index].start < paragraph.end:
            index += 1
        result += _without_answer(text, pieces[inside:index])
    return result


def _attach(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    attached: list[Piece] = []
    for piece in pieces:
        if attached and _BULLET.match(text, piece.start, piece.end):
            attached[-1] = _whole([attached[-1], piece])
        else:
            attached.append(piece)
    return attached


def _cut_last(text: str, item: Sequence[Piece], longest: int) -> list[Piece]:
    """The last item is at most as long as its longest sibling; what follows is the conclusion."""
    paragraphs = group_paragraphs(item)
    end = paragraphs[min(longest, len(paragraphs)) - 1].end
    own = [piece for piece in item if piece.start < end]
    return [*_without_answer(text, own), *_cut_paragraphs(text, [piece for piece in item if piece.start >= end])]


def _without_answer(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """`pieces` as one, except that lines at its end which only announce the answer stand alone."""
    last = len(pieces)
    while last > 1 and is_final_answer(text[pieces[last - 1].start : pieces[last - 1].end]):
        last -= 1
    return [_whole(pieces[:last]), *join_dependants(text, pieces[last:])] if pieces else []


def _whole(pieces: Sequence[Piece]) -> Piece:
    first, last = pieces[0], pieces[-1]
    return Piece(first.start, last.end, first.blank_before, first.opens, last.closes)


NUMBERED = Splitter("numbered", split_numbered, 'cut at "1.", "(1)", "Step 1:", "### Step 1"; numbering is kept')
