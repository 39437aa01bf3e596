"""Reads a response as pieces (lines or paragraphs) without cutting formulas, code fences or tables in the middle."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
_RELATION = re.compile(r"[=≈≤≥→⇒∝]|\\(?:approx|leq?|geq?|to|Rightarrow|implies)(?![a-zA-Z])")
_ITEM = re.compile(r"\s*(?:[-*•+]\s|\(?(?:\d{1,4}|[a-zA-Z])[.)]\s|step\s\d)", re.IGNORECASE)
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
    """Headings join what they head, formulas their lead-in, and the rest of a sentence the formula inside it."""
    joined: list[Piece] = []
    heading = False
    for piece in pieces:
        if joined and (heading or _continues(text, joined[-1], piece)):
            joined[-1] = replace(joined[-1], end=piece.end, closes=piece.closes)
        else:
            joined.append(piece)
        heading = is_heading(text, piece)
    return joined


def is_heading(text: str, piece: Piece) -> bool:
    """A Markdown heading, a line in bold, or a label whose answer stands below ("Final answer:")."""
    if piece.end - piece.start > 200:
        return False
    line = text[piece.start : piece.end]
    if "\n" in line.strip():
        return False
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
    if text[max(0, before.end - 10) : before.end].rstrip().endswith((":", "：")) and _is_equation(text, piece):
        return True
    first = text[piece.start : piece.start + 40].lstrip()[:1]
    tail = text[max(0, before.end - 40) : before.end].rstrip()
    tail = tail.removesuffix("$$").removesuffix("\\]").rstrip()
    return before.closes and tail[-1:] not in (".", "|", "`", "~") and first.islower()


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
