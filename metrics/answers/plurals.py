"""One key for a word's singular and plural, English and Latin, so that texts match word by word."""

from __future__ import annotations

import re
from functools import lru_cache

_SIBILANT = re.compile(r"(?:[sxz]|[cs]h)e$")


@lru_cache(maxsize=65_536)
def fold_plural(word: str) -> str:
    """A key that a word shares with its plural and its possessive; no word itself ("disease" gives "diseas").

    English -s, -es and -ies; Latin -ae/-a, -i/-us and -um/-a; Greek -ses/-sis. The word is in lower case; one of up to
    three letters, or with digits or letters of another script, is left as it is.
    """
    word = word.removesuffix("'s")
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word
    if word.endswith("sis"):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 4 and word.endswith("ie"):
        word = word[:-2] + "y"
    if len(word) > 4 and _SIBILANT.search(word):
        word = word[:-1]
    if len(word) > 4:
        for ending, one in (("us", "i"), ("ae", "a"), ("um", "a")):
            if word.endswith(ending):
                return word[: -len(ending)] + one
    return word
