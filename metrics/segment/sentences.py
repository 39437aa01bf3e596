"""Splitter by sentences, in any language that sentencex (Wikimedia's segmenter) knows punctuation for."""

from __future__ import annotations

import re

from sentencex import get_sentence_boundaries  # pyright: ignore (a binary module without stubs)

from .base import Span, Splitter
from .blocks import display_blocks
from .plain import split_lines

# sentencex looks for the end of every opened quotation mark, which is quadratic where none is closed.
_WINDOW = 8_000
_INLINE = re.compile(r"\$(?=[^\s$])[^$\n]{1,500}(?<=[^\s$])\$(?!\d)|\\\([^\n]{1,500}?\\\)|<<[^<>\n]{1,200}>>")
# The number of a list's first item, below the line that announces the list.
_NUMBER_BELOW = re.compile(r"\n[ \t]{0,8}\(?\d{1,3}[.)]\s{0,3}\Z")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ENUMERATOR = re.compile(r"[\W_]*(?:\d{1,4}|[A-Za-z]|[IVXivx]{1,5})?[\W_]*$")
# "19! ways": what follows goes on with the sentence, so the mark is a factorial's.
_FACTORIAL = re.compile(
    r"(?<=[\d)\]}])!(?=\s{0,3}(?:[a-z\d=+*/×·÷^<>≈)\]},;:(\\-]|$))|(?<=\b[a-zA-Z])!(?=\s{0,3}[a-z=+*/×·÷^)\],])"
)
_FINAL = (".", "!", "?", "。")


def split_sentences(text: str) -> list[Span]:
    """Cut at newlines (as `lines` does) and at the ends of sentences, never inside a formula, code fence or table.

    A fragment without words ("1.", "(b)") goes with the sentence after it.
    """
    masked = _mask(text)
    spans: list[Span] = []
    for start, end in split_lines(text):
        first = len(spans)
        for cut in _sentences(masked, start, end):
            # The length first: on long runs of spaces the pattern takes quadratic time.
            if len(spans) > first and spans[-1][1] - spans[-1][0] < 12 and _ENUMERATOR.match(text, *spans[-1]):
                spans[-1] = (spans[-1][0], cut[1])
            else:
                spans.append(cut)
    return spans


def _sentences(masked: str, start: int, end: int) -> list[Span]:
    """Sentence spans of `masked[start:end]`, window by window so that the cost stays linear."""
    cuts: list[int] = []
    begin = start
    while begin < end:
        window = masked[begin : min(begin + _WINDOW, end)]
        found = [begin + boundary["end_index"] for boundary in get_sentence_boundaries("en", window)]
        if begin + len(window) < end:
            # The last sentence may go on behind the window: read it again, unless it fills the window.
            found = [cut for cut in found if cut < begin + len(window)]
        cuts += [cut for cut in found if not _NUMBER_BELOW.search(masked[max(start, cut - 20) : cut])]
        begin = found[-1] if found and found[-1] > begin else begin + len(window)
    spans = list(zip([start, *cuts], [*cuts, end], strict=True))
    return [span for span in spans if span[0] < span[1]]


def _mask(text: str) -> str:
    """`text`, same length, with formulas and code replaced by a word, so that no sentence ends inside them."""
    masked = _FACTORIAL.sub("X", _SURROGATE.sub("\ufffd", text))
    masked = _replace(masked, display_blocks(masked), display=True)
    return _replace(masked, [match.span() for match in _INLINE.finditer(masked)], display=False)


def _replace(text: str, spans: list[Span], display: bool) -> str:
    parts: list[str] = []
    position = 0
    for start, end in spans:
        inner = text[max(start, end - 40) : end].rstrip("$\\])} \t\r\n")
        after = text[end : end + 40].lstrip()[:1]
        # "$24.$ Then" ends a sentence, and so does a display formula before a capital letter.
        stop = inner.endswith(_FINAL) or (display and after.isupper())
        parts += [text[position:start], "X" * (end - start - 1), "." if stop else "X"]
        position = end
    return "".join([*parts, text[position:]])


SENTENCES = Splitter("sentences", split_sentences, "cut at newlines and sentence ends (sentencex)")
