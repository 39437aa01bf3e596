"""A figure with the words and the years around it: what it may be of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .amounts import Amount, years
from .sources import Source
from .words import stems

_ABOUT = re.compile(
    r"\b(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa)\s*$|~\s*$|\b(?:over|above|below|under"
    r"|exceed\w*|more than|less than|at least|at most|up to|between)\s*$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r";|,?\s\b(?:while|whereas|but|compared (?:to|with)|versus)\b", re.IGNORECASE)


class About:
    """A figure with the words and years around it."""

    def __init__(self, sentence: str, figures: Sequence[Amount], which: int, sources: Sequence[Source] = ()) -> None:
        self.sentence = sentence
        self.figure = figures[which]
        self.figures = figures
        before = figures[which - 1].end if which else 0
        after = figures[which + 1].start if which + 1 < len(figures) else len(sentence)
        self.before = sentence[before : self.figure.start]
        self.after = sentence[self.figure.end : after]
        clause = _CLAUSE.search(self.after)
        self.after = self.after[: clause.start()] if clause else self.after
        self.head = sentence[: self.figure.start]
        self.words = stems(sentence)
        self.context = frozenset().union(*(stems(text) for source in sources for text in source.sentences))
        self.years = self._years(which)
        self.hedged = _ABOUT.search(self.before[-40:]) is not None

    def _years(self, which: int) -> frozenset[str]:
        """The years that the figure may be of; empty: the sentence names none."""
        found = years(self.sentence)
        names = list(dict.fromkeys(year for *_, year in found))
        if len(names) < 2:
            return frozenset(names)
        if len(found) == len(self.figures):
            order = sorted([(start, "year") for start, *_ in found] + [(f.start, "figure") for f in self.figures])
            alternate = all(a[1] != b[1] for a, b in pairwise(order))
            if alternate or re.search(r"\brespectively\b", self.sentence, re.IGNORECASE):
                return frozenset((found[which][2],))
        return frozenset(names)

    def windows(self) -> list[str]:
        """Where the label of the figure's row may stand, likeliest first."""
        return [self.before, self.head, f"{self.head} {self.after}"]
