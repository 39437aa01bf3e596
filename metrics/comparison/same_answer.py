"""A run that gives one answer to most questions guesses, however its accuracy moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..printable import printable
from .flips import usual_answer
from .pairs import Pair

_FEWEST = 8  # questions with an answer
_MOST = 0.5  # of a run's answers
_OVER_GOLD = 1.5  # times as often as it is right


def same_answer(pairs: Sequence[Pair], metric: str) -> Iterator[str]:
    """A sentence for each run most of whose answers, as this accuracy metric saw them, are one and the same."""
    gold = Counter(answer for pair in pairs for answer in set(pair.base[0].answer))
    for which, sides in (("base", [pair.base for pair in pairs]), ("tuned", [pair.tuned for pair in pairs])):
        answers = Counter(answer for side in sides if (answer := usual_answer(side, metric)) is not None)
        if answers.total() < _FEWEST:
            continue
        ((answer, times),) = answers.most_common(1)
        if times >= _MOST * answers.total() and times > _OVER_GOLD * gold[answer]:
            right = f"; it is the gold answer of {gold[answer]:,}" if gold[answer] else ""
            shown = repr(printable(answer)[:40])
            yield f"the {which} run answers {shown} to {times:,} of {answers.total():,} questions{right}"
