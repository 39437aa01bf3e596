"""A figure with the words and the years around it: what it may be of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .amounts import Amount
from .periods import Period, periods, specific
from .sources import Source
from .words import stems

_ABOUT = re.compile(
    r"\b(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa|close to|near)\s*$|~\s*$"
    r"|\b(?:over|above|below|under|exceed\w*|more than|less than|at least|at most|up to|between)\s*$",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:(?P<lower>over|above|beyond|more than|greater than|higher than|exceed\w*|surpass\w*|topp(?:ed|ing)"
    r"|(?:at|no|not) (?:least|less than|fewer than)|(?:in )?excess of|upwards? of|north of)"
    r"|(?P<upper>under|below|beneath|less than|fewer than|lower than|up to|as (?:much|many|high) as|at most"
    r"|(?:no|not) more than))\s{1,3}$",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s{0,3}(?:to|through|[-–—])\s{0,3}", re.IGNORECASE)
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
        self.periods = self._periods(which)
        self.years = frozenset(one.year for one in self.periods if one.year is not None)
        self.hedged = _ABOUT.search(self.before[-40:]) is not None
        self.bound = self._bound(which)

    def _bound(self, which: int) -> str:
        """ "lower" ("over 5", "between 5 and 8"), "upper" ("at most 8", "5 to 8"), or ""."""
        if found := _BOUND.search(self.before[-30:]):
            return "lower" if found["lower"] else "upper"
        if which + 1 < len(self.figures) and self._is_range(which, which + 1):
            return "lower"
        return "upper" if which and self._is_range(which - 1, which) else ""

    def _is_range(self, first: int, second: int) -> bool:
        one, other = self.figures[first], self.figures[second]
        if one.percent != other.percent and not one.bare:  # "rose 15% to $5.8 billion"
            return False
        before, middle = self.sentence[max(one.start - 12, 0) : one.start].lower(), self.sentence[one.end : other.start]
        if middle.strip().lower() == "and":
            return before.rstrip().endswith("between")
        return _RANGE.fullmatch(middle) is not None and not before.rstrip().endswith("from")

    def _periods(self, which: int) -> Sequence[Period]:
        """The periods that the figure may be of; empty: the sentence names none."""
        found = periods(self.sentence)
        if len({(one.year, one.part) for one in found}) < 2:
            return found[:1]
        if len(found) != len(self.figures):
            found = specific(found)
        if len(found) == len(self.figures):
            order = sorted([(one.start, "period") for one in found] + [(f.start, "figure") for f in self.figures])
            alternate = all(a[1] != b[1] for a, b in pairwise(order))
            if alternate or re.search(r"\brespectively\b", self.sentence, re.IGNORECASE):
                return [found[which]]
        return found

    @property
    def undated(self) -> str:
        """The words before and behind the figure that name no period."""
        text = list(f"{self.head} {self.after}")
        behind = self.figure.end - len(self.head) - 1
        for one in periods(self.sentence):
            shift = 0 if one.start < self.figure.start else behind
            text[max(one.start - shift, 0) : max(one.end - shift, 0)] = " " * (one.end - one.start)
        return "".join(text)

    def windows(self) -> list[str]:
        """Where the label of the figure's row may stand, likeliest first."""
        return [self.before, self.head, f"{self.head} {self.after}"]
