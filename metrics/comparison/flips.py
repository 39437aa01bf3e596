"""Questions that one run gets right and the other wrong, in both directions: what is behind a change in accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import Missing
from ..printable import printable
from .pairs import Pair
from .record import Record

_QUESTION = 100
_ANSWER = 40
_SHOWN = 5
_HALF = 0.5


@dataclass(frozen=True)
class Flip:
    """One question that flipped.

    Attributes:
        question: its beginning.
        base_answer, tuned_answer: as the accuracy metric saw them; of several responses the most frequent; None where
            no answer is known.
        base, tuned: accuracy, averaged over a run's responses.
    """

    doc_id: str | None
    question: str
    base_answer: str | None
    tuned_answer: str | None
    base: float
    tuned: float


@dataclass(frozen=True)
class Flips:
    """Questions by what became of them. A run gets one right if its accuracy there is above 0.5, wrong if below.

    Attributes:
        up, down: wrong → right, and right → wrong.
        neither: questions where a run's accuracy is exactly 0.5.
    """

    both_right: int
    both_wrong: int
    up: Sequence[Flip]
    down: Sequence[Flip]
    neither: int = 0


def flips_of(pairs: Sequence[Pair], accuracy: Callable[[Record], float], name: str) -> Flips:
    """The flips among the pairs that have an accuracy in both runs."""
    counts: Counter[str] = Counter()
    moved: dict[str, list[Flip]] = {"up": [], "down": []}
    for pair in pairs:
        try:
            base, tuned = (_mean([accuracy(one) for one in side]) for side in (pair.base, pair.tuned))
        except Missing:
            continue
        if _HALF in (base, tuned):
            counts["neither"] += 1
        elif (base > _HALF) == (tuned > _HALF):
            counts["both right" if base > _HALF else "both wrong"] += 1
        else:
            first = pair.base[0]
            question = " ".join(first.question[: 4 * _QUESTION].split())
            cut = question if len(question) <= _QUESTION else question[: _QUESTION - 1] + "…"
            moved["up" if tuned > base else "down"].append(_flip(pair, name, cut, base, tuned))
    return Flips(counts["both right"], counts["both wrong"], moved["up"], moved["down"], counts["neither"])


def _flip(pair: Pair, name: str, question: str, base: float, tuned: float) -> Flip:
    return Flip(
        pair.base[0].doc_id, question, usual_answer(pair.base, name), usual_answer(pair.tuned, name), base, tuned
    )


def flip_lines(flips: Flips) -> list[str]:
    """Counts in one line, then the first questions of each direction."""
    up, down = len(flips.up), len(flips.down)
    rest = [f"{flips.both_right:,} right in both", f"{flips.both_wrong:,} wrong in both"]
    rest += [f"{flips.neither:,} half right in one"] if flips.neither else []
    out = [f"flips: {up:,} wrong → right, {down:,} right → wrong; {', '.join(rest)}"]
    for title, some in (("wrong → right", flips.up), ("right → wrong", flips.down)):
        out += [f"{title}: {_told(one)}" for one in some[:_SHOWN]]
        if len(some) > _SHOWN:
            out.append(f"{title}: {len(some) - _SHOWN:,} more (--format json lists all)")
    return [printable(line) for line in out]


def _told(flip: Flip) -> str:
    name = f"{flip.doc_id}: " if flip.doc_id is not None else ""
    return f"{name}“{flip.question}”: {_short(flip.base_answer)} → {_short(flip.tuned_answer)}"


def _short(answer: str | None) -> str:
    if answer is None:
        return "(no answer recorded)"  # one may stand in the response all the same
    return answer if len(answer) <= _ANSWER else answer[: _ANSWER - 1] + "…"


def usual_answer(records: Sequence[Record], name: str) -> str | None:
    """A run's answer to a question, as this metric saw it: of several responses the most frequent one."""
    answers = Counter(found for one in records if (found := one.answer_under(name)) is not None)
    return answers.most_common(1)[0][0] if answers else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
