"""Whether a rewritten claim adds something: a content word or a number that is neither in its step nor before it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .sentence import STOP_WORDS

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]{1,3})?")
_PREFIX = 4  # letters that two forms of a word share at least
_ENDING = 3  # letters behind what they share, at most: cause, causes, causing
# What a claim that stands by itself may need, and what says nothing by itself.
_FREE = STOP_WORDS | {"s", "t", "person", "people", "someone", "something", "case", "given"}


class KnownWords:
    """The words and numbers of what may be drawn upon."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._alike: dict[str, set[str]] = {}
        for text in texts:
            for word in _words(text):
                self._words.add(word)
                self._alike.setdefault(word[:_PREFIX], set()).add(word)

    def additions(self, claim: str) -> list[str]:
        """The content words and numbers of `claim` that are not known in any form, in order."""
        return [word for word in _words(claim) if word not in _FREE and not self._knows(word)]

    def _knows(self, word: str) -> bool:
        if word in self._words:
            return True
        if word[0].isdigit() or len(word) < _PREFIX:
            return False
        return any(_same(word, other) for other in self._alike.get(word[:_PREFIX], ()))


def _words(text: str) -> list[str]:
    found = (match.group().lower() for match in _TOKEN.finditer(text))
    return list(dict.fromkeys(word.removesuffix("'s").removesuffix("’s") for word in found))


def _same(word: str, other: str) -> bool:
    shared = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    return max(len(word), len(other)) - shared <= _ENDING and not other[0].isdigit()
