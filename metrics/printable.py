"""Makes text from models, files and plugins fit to be shown, on a terminal and on a page alike.

U+FFFD replaces what could move a cursor, hide or reorder what follows: control characters (so an escape sequence loses
its beginning), bidirectional overrides and marks, lone surrogates, private use and noncharacters. Joiners and the soft
hyphen stay: Persian words and emoji of families fall apart without them, and they hide nothing.
"""

from __future__ import annotations

import re
import unicodedata

_HARMLESS_FORMATS = frozenset("\u200b\u200c\u200d\u00ad")
_LINE_ENDS = ("\r\n", "\r", "\u2028", "\u2029")

# Terminal codes (ECMA-48): colours and cursor moves, titles and links up to their end, two characters alone.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]{0,512}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]{0,8}[0-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")


def without_controls(text: str) -> str:
    """`text` without terminal codes and control characters, which are no part of what it says; white space stays."""
    return text if text.isprintable() else _CONTROLS.sub("", _ESCAPES.sub("", text))


def clean(text: object) -> str:
    """`text` as it can be shown on several lines; every line ends in a line feed, and tabs stay."""
    whole = str(text)
    if whole.isascii() and whole.isprintable():
        return whole
    for end in _LINE_ENDS:
        whole = whole.replace(end, "\n")
    return whole.translate({ord(char): "\ufffd" for char in set(whole) if _unfit(char)})


def printable(text: object) -> str:
    """`text` as it can be shown on one line; spaces stand for line ends and tabs."""
    return clean(text).replace("\n", " ").replace("\t", " ")


def _unfit(char: str) -> bool:
    if char in "\n\t" or char in _HARMLESS_FORMATS:
        return False
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") or (ord(char) & 0xFFFE) == 0xFFFE
