"""Turns text into the words that BM25 counts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Recorded in the manifest: an index can only be searched with the word rules it was built with.
NAME = "words-1"
_WORD = re.compile(r"\w+")
MAX_CHARACTERS = 64
# Lucene's stop words for English. Single letters stay: vitamin K, hepatitis B, T4.
_STOP_LIST = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was
will with
"""
_STOP_WORDS = frozenset(_STOP_LIST.split())


def words(text: str) -> Iterator[str]:
    """Lower-case words of `text`: compatibility forms unified (ﬁ → fi), stop words removed, plurals stemmed."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word not in _STOP_WORDS:
            yield singular(word[:MAX_CHARACTERS])


def singular(word: str) -> str:
    """The S stemmer of Harman, "How effective is suffixing?", JASIS 42 (1991): the first of three rules that fits."""
    if len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]
