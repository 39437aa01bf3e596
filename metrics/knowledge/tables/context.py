"""A figure with the words and the years around it: what it may be of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from .amounts import SCALES, Amount, currencies
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
_IN_SCALE = re.compile(
    r"\b(?:in|of)\s(?:US\s)?(?:\$|dollars?\s|USD\s)?(?:in\s)?(thousand|million|billion)s\b", re.IGNORECASE
)
_SCALE_BEHIND = re.compile(r"(?<=\))\s(thousand|million|billion)s?\b", re.IGNORECASE)
_CLAUSE = re.compile(r";|,?\s\b(?:while|whereas|but|compared (?:to|with)|versus)\b", re.IGNORECASE)


class About:
    """A figure with the words and periods around it.

    Args:
        figures: the amounts in the sentence.
        which: which of them it is.
        before: what is said before the sentence, the question first: it may name whom tables are of, and the scale.
    """

    def __init__(
        self,
        sentence: str,
        figures: Sequence[Amount],
        which: int,
        sources: Sequence[Source] = (),
        before: Sequence[str] = (),
    ) -> None:
        self.sentence = sentence
        self.asked = frozenset().union(*map(stems, before[:1]))
        self.scale = next((s for text in (sentence, *reversed(before)) if (s := _scale_of(text)) is not None), None)
        self.figure = _scaled(figures[which], sentence)
        self.figures = figures
        begin = figures[which - 1].end if which else 0
        end = figures[which + 1].start if which + 1 < len(figures) else len(sentence)
        self.before = sentence[begin : self.figure.start]
        self.after = sentence[self.figure.end : end]
        clause = _CLAUSE.search(self.after)
        self.after = self.after[: clause.start()] if clause else self.after
        self.head = sentence[: self.figure.start]
        self.words = stems(sentence)
        self.context = frozenset().union(*(stems(text) for source in sources for text in source.sentences))
        self.told = frozenset().union(*(source.words for source in sources))
        self.companies = frozenset().union(*(source.companies for source in sources))
        self.periods = self._periods(which)
        self.years = frozenset(one.year for one in self.periods if one.year is not None)
        self.hedged = _ABOUT.search(self.before[-40:]) is not None
        self.bound = self._bound(which)

    @property
    def in_full(self) -> bool:
        """Whether an amount of money is written to its last zeros and not in a table's scale: "$774,000"."""
        money = self.figure.money or currencies(self.after[:10])
        whole = not self.figure.decimals and self.figure.scale == 1 and not self.figure.percent
        return bool(money) and whole and self.figure.value != 0 and self.figure.value % 1_000 == 0

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
    def dated(self) -> frozenset[str]:
        """The words that name periods."""
        return stems(" ".join(self.sentence[one.start : one.end] for one in periods(self.sentence)))

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


def _scale_of(text: str) -> int | None:
    """The scale that a text says last that its amounts are in: "(in thousands)"."""
    found = _IN_SCALE.findall(text)
    return SCALES[found[-1].lower()] if found else None


def _scaled(figure: Amount, sentence: str) -> Amount:
    """A figure with the scale that stands behind its brackets: "$(5,000) thousand"."""
    behind = _SCALE_BEHIND.match(sentence, figure.end)
    if behind is None or figure.scale != 1:
        return figure
    return replace(figure, scale=SCALES[behind[1].lower()], written=f"{figure.written}{behind[0]}")
