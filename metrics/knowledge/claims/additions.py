"""Whether a rewritten claim adds something: a content word or a number that is neither in its step nor before it, or a
denial that is not in its step: a question's "not" makes no step deny.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .sentence import STOP_WORDS

# A sign belongs to its number ("-5"), but not in "COX-2" and "2-5"; what compares or makes a unit is a word.
_TOKEN = re.compile(r"(?<![\w.)\]])-?\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]{1,3})?|[%$€£<>≤≥]")
_DENIES = re.compile(r"\b(?:not?|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)
# What a denial may be the rewriting of.
_DENIAL_LIKE = re.compile(
    r"\b(?:un(?!it|der|iv|iq|ion|til)\w{3,}|in(?:correct|valid|effect|appropriate|accurate|sufficient|consistent|significant)"
    r"|im(?:possib|prop|plausib|probab)|non|dis(?:prov|agree|similar|qualif)|contraindic|false|wrong|lack|absen|fail|exclu"
    r"|eliminat|rule[sd]? out|avoid|rather|instead|except|only|few|rare|little|free|opposite|other than|reject"
    r"|den[iy])",
    re.IGNORECASE,
)
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
        if word[-1].isdigit() or len(word) < _PREFIX:
            return False
        return any(_same(word, other) for other in self._alike.get(word[:_PREFIX], ()))


def denials(claim: str, step: str) -> list[str]:
    """The words by which a claim denies what its step does not, which denies nothing in any words."""
    if _DENIES.search(step) or _DENIAL_LIKE.search(step):
        return []
    return [match.group().lower() for match in _DENIES.finditer(claim)]


def _words(text: str) -> list[str]:
    found = (match.group().lower() for match in _TOKEN.finditer(text.replace("−", "-")))
    return list(dict.fromkeys(word.removesuffix("'s").removesuffix("’s") for word in found))


def _same(word: str, other: str) -> bool:
    shared = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    return max(len(word), len(other)) - shared <= _ENDING and not other[-1].isdigit()
