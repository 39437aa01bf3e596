"""Cuts documents into overlapping windows of words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .errors import CorpusError

# A run without blanks (a language that writes none, or base64) counts as one word per 64 characters, so that no chunk
# is without bound.
_WORD = re.compile(r"\S{1,64}")


def check_options(words: int, overlap: int) -> None:
    """Raises CorpusError unless windows of `words` that share `overlap` move forward."""
    if words < 1 or not 0 <= overlap < words:
        raise CorpusError(
            f"chunks of {words} words with {overlap} shared: expected 1 word or more, and fewer shared than a chunk has"
        )


def chunk(text: str, words: int, overlap: int) -> Iterator[str]:
    """Windows of at most `words` words, each starting `words - overlap` after the one before; the last ends the text.

    A window is cut out of the text as it stands, blanks between its words included. No words: no window.
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    first = 0
    while first < len(spans):
        last = min(first + words, len(spans))
        yield text[spans[first][0] : spans[last - 1][1]]
        if last == len(spans):
            return
        first += words - overlap


def chunk_id(document_id: str, number: int, *, only: bool) -> str:
    """The document's id where it is one chunk, else the id with the chunk's number from 1 ("doc#2")."""
    return document_id if only else f"{document_id}#{number}"
