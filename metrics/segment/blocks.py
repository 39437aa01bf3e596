"""Reads a response as pieces (lines or paragraphs) without cutting formulas, code fences or tables in the middle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..answers.extraction import announced
from .base import Span

# One left-to-right pass: every alternative is anchored by a literal and bounded, so the scan is linear.
_TOKEN = re.compile(
    r"(?P<fence>^[ \t]{0,8}(?:```|~~~))"
    r"|(?P<blank>^[ \t]*$)"
    r"|(?P<row>^[ \t]{0,8}\|.*$)"
    r"|(?P<open>\\\[|\\begin\{[a-zA-Z]{1,20}\*?\})"
    r"|(?P<close>\\\]|\\end\{[a-zA-Z]{1,20}\*?\})"
    r"|(?P<dollars>\$\$)",
    re.MULTILINE,
)
_NEWLINE = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_RULE = re.compile(r"[ \t]*([-*_=~])(?:[ \t]?\1){2,200}[ \t]*$")
_HASH_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+\S")
_BOLD_HEADING = re.compile(r"[ \t]{0,3}(?:\*\*|__)[^*_\n]{1,120}(?:\*\*|__)[ \t]*:?[ \t]*$")
_OPTION = re.compile(
    r"[ \t]{0,3}(?P<hash>#{1,6}[ \t]+)?(?P<bold>\*\*|__)?(?P<word>(?:answer )?(?:option|choice)[ _])?"
    r"[(\[]?(?-i:[A-J])[)\]]?[.:]?(?:\*\*|__)?[.:]?[ \t]*$",
    re.IGNORECASE,
)
_DATUM = re.compile(r"\s*[-+−]?[$€£¥]?\d[\d,.]{0,30}\s?%?[,;]?\s*$")
_MOST_WORDS = 6  # of a label like "Explanation:"
_RELATION = re.compile(r"[=≈≤≥→⇒∝]|\\(?:approx|leq?|geq?|to|Rightarrow|implies)(?![a-zA-Z])")
_ITEM = re.compile(r"\s*(?:[-*•+–]\s|\(?(?:\d{1,4}|[a-zA-Z])[.)]\s|step\s\d)", re.IGNORECASE)
_PROSE = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}|[.!?] [A-Z]")
_SENTENCE_END = re.compile(r"[.!?。！？।؟][\"'”’)\]*$\\]{0,4}$")


@dataclass(frozen=True)
class Piece:
    """A run of whole lines.

    Attributes:
        blank_before: a blank line stands before it.
        opens, closes: it begins or ends with a display formula, code fence or table.
    """

    start: int
    end: int
    blank_before: bool = False
    opens: bool = False
    closes: bool = False


def display_blocks(text: str) -> list[Span]:
    r"""Spans of `\[…\]`, `$$…$$`, `\begin{…}…\end{…}`, code fences and table rows that follow each other.

    An unclosed formula ends at the next blank line, an unclosed fence at the end of the text (a response that was cut
    off). Nested environments end with the outermost one.
    """
    spans: list[Span] = []
    kind, start, depth = "", 0, 0
    table_end = -1
    for match in _TOKEN.finditer(text):
        token = match.lastgroup or ""
        if kind == "fence":
            if token == "fence":
                spans.append((start, match.end()))
                kind = ""
        elif kind:
            depth += (token == "open") - (token == "close")
            if token in ("blank", "fence") or (token == "dollars" if kind == "dollars" else depth <= 0):
                spans.append((start, match.end() if token not in ("blank", "fence") else match.start()))
                kind = ""
                if token == "fence":
                    kind, start = "fence", match.start()
        elif token in ("fence", "open", "dollars"):
            kind, start, depth = token, match.start(), 1
        elif token == "row":
            if spans and spans[-1][1] == table_end and match.start() == table_end + 1:
                spans[-1] = (spans[-1][0], match.end())
            else:
                spans.append(match.span())
            table_end = match.end()
    if kind:
        spans.append((start, len(text)))
    return spans


def line_pieces(text: str) -> list[Piece]:
    """The text's lines, without blank ones and rules ("---"); lines that share a display block are one piece."""
    blocks = iter(display_blocks(text))
    block = next(blocks, None)
    pieces: list[Piece] = []
    blank = False
    pending: Piece | None = None
    for start, end in _lines(text):
        touched, opens, closes = False, False, False
        while block is not None and block[0] <= end:
            touched = True
            opens = opens or not text[start : max(block[0], start)].strip()
            closes = not text[block[1] : end].strip() if block[1] <= end else True
            if block[1] > end:
                break
            block = next(blocks, None)
        if pending is not None:
            pending = replace(pending, end=end, closes=closes if touched else True)
        elif not text[start:end].strip() or (not touched and _RULE.match(text, start, end)):
            blank = True
            continue
        else:
            pending = Piece(start, end, blank, opens, closes)
            blank = False
        if block is None or not (block[0] <= end < block[1]):
            pieces.append(pending)
            pending = None
    if pending is not None:
        pieces.append(pending)
    return pieces


def group_paragraphs(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces without a blank line between them, as one."""
    grouped: list[Piece] = []
    for piece in pieces:
        if grouped and not piece.blank_before:
            grouped[-1] = replace(grouped[-1], end=piece.end, closes=piece.closes)
        else:
            grouped.append(piece)
    return grouped


def join_dependants(text: str, pieces: Iterable[Piece]) -> list[Piece]:
    """What cannot stand alone joins what it belongs to.

    Headings and lead-ins join what stands below them, formulas their lead-in, the rest of a sentence the formula inside
    it, and a column of numbers the line over it.
    """
    pieces = list(pieces)
    headings = _headings(text, pieces)
    data = _data(text, pieces)
    joined: list[Piece] = []
    for index, piece in enumerate(pieces):
        before = pieces[index - 1]
        if joined and (
            index - 1 in headings or index in data or _leads(text, before, piece) or _continues(text, joined[-1], piece)
        ):
            joined[-1] = replace(joined[-1], end=piece.end, closes=piece.closes)
        else:
            joined.append(piece)
    return joined


def _headings(text: str, pieces: Sequence[Piece]) -> set[int]:
    """Indices of the pieces that head the next one.

    A line that names an option alone ("**Option A**") is an answer, unless a list stands below it or other options have
    such lines, too.
    """
    named = {text[piece.start : piece.end].strip() for piece in pieces if _names_option(text, piece)}
    found: set[int] = set()
    for index, piece in enumerate(pieces):
        below = pieces[index + 1] if index + 1 < len(pieces) else None
        if is_heading(text, piece, item_below=below is not None and is_item(text, below)) or (
            below is not None and len(named) > 1 and text[piece.start : piece.end].strip() in named
        ):
            found.add(index)
    return found


def is_item(text: str, piece: Piece) -> bool:
    """Whether a piece is an item of a list, or begins with one."""
    return _ITEM.match(text, piece.start, min(piece.end, piece.start + 40)) is not None


def is_lead_in(text: str, piece: Piece) -> bool:
    """Whether a piece announces what stands below it: one line that ends with a colon."""
    line = text[piece.start : piece.end] if piece.end - piece.start <= 200 else ""
    return "\n" not in line.strip() and line.rstrip(" \t*_").endswith((":", "："))


def _names_option(text: str, piece: Piece) -> bool:
    match = _OPTION.match(text, piece.start, piece.end) if piece.end - piece.start <= 40 else None
    return match is not None and any(match[name] for name in ("hash", "bold", "word"))


def _data(text: str, pieces: Sequence[Piece]) -> set[int]:
    """Indices of the pieces that are one of two or more numbers on lines of their own."""
    found = {i for i, p in enumerate(pieces) if p.end - p.start <= 40 and _DATUM.match(text, p.start, p.end)}
    return {index for index in found if index - 1 in found or index + 1 in found}


def is_heading(text: str, piece: Piece, *, item_below: bool = False) -> bool:
    """A Markdown heading, a line in bold, or a label whose answer stands below ("Final answer:").

    Args:
        item_below: an item of a list follows; then a line that names an option is its heading, too.
    """
    if piece.end - piece.start > 200:
        return False
    line = text[piece.start : piece.end]
    if "\n" in line.strip():
        return False
    if item_below and _names_option(text, piece):
        return True
    answer = announced(line)
    if answer is not None:
        return not answer
    return bool(_HASH_HEADING.match(line) or _BOLD_HEADING.match(line))


def ends_sentence(text: str, end: int) -> bool:
    """Whether the text before `end` closes a sentence, formulas and emphasis aside."""
    return bool(_SENTENCE_END.search(text[max(0, end - 40) : end].rstrip()))


def _continues(text: str, before: Piece, piece: Piece) -> bool:
    if piece.opens:
        content = text[piece.start : piece.start + 60].lstrip("$\\[ \t\r\n&")
        if before.closes:
            return content.startswith(("=", "\\approx", "\\Rightarrow", "\\implies", "≈"))
        return not ends_sentence(text, before.end)
    first = text[piece.start : piece.start + 40].lstrip()[:1]
    tail = text[max(0, before.end - 40) : before.end].rstrip()
    tail = tail.removesuffix("$$").removesuffix("\\]").rstrip()
    return before.closes and tail[-1:] not in (".", "|", "`", "~") and first.islower()


def _leads(text: str, before: Piece, piece: Piece) -> bool:
    """Whether `before` ends with the colon that announces `piece`.

    That may be a formula, an item or a number; below a label ("Explanation:"), or a lead-in and a blank line, anything.
    """
    if not text[max(0, before.end - 10) : before.end].rstrip(" \t*_").endswith((":", "：")):
        return False
    if _is_equation(text, piece) or is_item(text, piece) or _DATUM.match(text, piece.start, piece.end):
        return True
    line = text[before.start : before.end]
    return is_lead_in(text, before) and (piece.blank_before or len(line.split()) <= _MOST_WORDS)


def _is_equation(text: str, piece: Piece) -> bool:
    """A line that is a formula without saying so by mark-up: "V(t) = 3t"."""
    if piece.end - piece.start > 300:
        return False
    line = text[piece.start : piece.end]
    return _RELATION.search(line) is not None and not _ITEM.match(line) and not _PROSE.search(line)


def _lines(text: str) -> Iterable[Span]:
    start = 0
    for match in _NEWLINE.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)
