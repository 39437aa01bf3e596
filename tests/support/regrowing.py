"""Models under test that go on with a response by a rule: what they write is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from stepgauge.metrics.likelihood import Unscored
from stepgauge.metrics.reliance.regrowing import Beginning, Continuation

_NUMBER = re.compile(r"\d+")


class Rule:
    """Goes on as a function of question and beginning says, and keeps what it was given.

    Attributes:
        given: every beginning, in order.
    """

    def __init__(self, rule: Callable[[str, str], str | Continuation | Unscored]) -> None:
        self._rule = rule
        self.given: list[Beginning] = []

    def continued(self, beginnings: Sequence[Beginning]) -> list[Continuation | Unscored]:
        self.given += beginnings
        found = [self._rule(one.trace.question, one.text) for one in beginnings]
        return [Continuation(one) if isinstance(one, str) else one for one in found]


def from_the_steps(question: str, beginning: str) -> str:
    """Doubles the last number that stands there: the answer of a model that needs its steps."""
    del question
    return f"The answer is {2 * int(_NUMBER.findall(beginning)[-1])}."


def from_the_question(question: str, beginning: str) -> str:
    """Says the number behind "key" in the question, whatever stands in the steps."""
    del beginning
    return f"The answer is {_NUMBER.findall(question.partition('key')[2])[0]}."
