"""Cuts documents into overlapping windows of words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .errors import CorpusError

WORDS, OVERLAP = 200, 40  # by default: in a chunk, and shared with the one before
# A run without blanks (a language written without spaces, or base64) counts as one word per 64 characters, so that the
# size of a chunk is bounded.
_WORD = re.compile(r"\S{1,64}")


def check_options(words: int, overlap: int) -> None:
    """Raises CorpusError unless 0 <= `overlap` < `words`, so that each window starts after the one before."""
    if words < 1 or not 0 <= overlap < words:
        raise CorpusError(
            f"chunks of {words} words with {overlap} shared: expected 1 word or more, and fewer shared than a chunk has"
        )


def chunk(text: str, words: int, overlap: int) -> Iterator[str]:
    """Windows of at most `words` words, each starting `words - overlap` after the one before; the last ends the text.

    A window is a slice of the text, white space included. A text without words has no windows.
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
    """The document's id if it is a single chunk, else the id with the chunk's number, counted from 1 ("doc#2")."""
    return document_id if only else f"{document_id}#{number}"


def document_of(chunk_id: str) -> str:
    """The id of the document that a chunk is of; the id itself where it has no number."""
    document, mark, number = chunk_id.rpartition("#")
    return document if mark and number.isdecimal() else chunk_id
