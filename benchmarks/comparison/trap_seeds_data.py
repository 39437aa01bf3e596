"""Small sums for `trap_seeds`: what bases are trained on, what they are tuned on after that, and what is held out.

    Question: Ann has 7 apples, finds 5, loses 4 and buys 2. How many apples are that?
    Answer: First 7 + 5 = 12 apples.
    Then 12 - 4 = 8 apples.
    Then 8 + 2 = 10 apples.
    The answer is 10.

Two to four operations with numbers from 1 to 9, results from 1 to 19, the answer from 1 to 9 and, as in
`sft_trap_data`, no number of the question and no earlier result: no step gives it away by holding it.

Half of the questions of `train` and `test` have an artifact, as data sets that people make do (Gururangan et al. 2018,
1803.02324): what is counted goes with the answer, apples with 1, pencils with 2 and so on. So more than half of the
answers can be guessed without any sum. A corpus has none of it, and a reader of solutions knows nothing of it.

Every sum belongs to one of three pools by its numbers, so none is on two sides, in any seed.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

from benchmarks.comparison.sft_trap_data import FILLERS, LARGEST_ANSWER, NAMES, THINGS, Problem

Pool = Literal["corpus", "train", "test"]
_HUNDREDTHS: dict[Pool, range] = {"corpus": range(70), "train": range(70, 90), "test": range(90, 100)}
_LARGEST = 19
_GAINS = ("finds", "buys", "gets", "wins")
_LOSSES = ("loses", "sells", "eats", "drops")
# Shares of a corpus: solutions in full, with remarks in between, cut short before the answer, the answer alone.
_FORMS = {"full": 0.5, "remarks": 0.2, "short": 0.15, "direct": 0.15}
_CUED = 0.5  # share of the questions to train on and of the held-out ones whose thing goes with the answer
_SLIPS = 0.1  # share of the solutions in which one result is wrong, and what follows computed from it


@dataclass(frozen=True)
class _Sum:
    """A start and what is added to it, one after the other."""

    name: str
    thing: str
    start: int
    changes: Sequence[int]

    @property
    def key(self) -> str:
        return " ".join([str(self.start), *(f"{change:+d}" for change in self.changes)])

    def results(self) -> list[int]:
        return list(accumulate(self.changes, initial=self.start))

    def steps(self, results: Sequence[int]) -> list[str]:
        """A line for each operation, from the start and the results as given, right or wrong."""
        lines = []
        for (before, after), change in zip(pairwise(results), self.changes, strict=True):
            equation = f"{before} {'+' if change > 0 else '-'} {abs(change)} = {after}"
            lines.append(f"{'Then' if lines else 'First'} {equation} {self.thing}.")
        return lines


def problems(pool: Pool, count: int, seed: int | str) -> list[Problem]:
    """`count` different problems of a pool, with their solutions."""
    draw = random.Random(f"{pool} {seed}")
    found: dict[str, Problem] = {}
    while len(found) < count:
        one = _drawn(pool, draw)
        results = one.results()
        question = _question(one, draw)
        found.setdefault(one.key, Problem(question, one.steps(results), str(results[-1]), one.key))
    return list(found.values())


def corpus(count: int, seed: int | str) -> Iterator[tuple[str, str]]:
    """Questions, each with a solution as people write them: most of them in steps, some short, some wrong."""
    draw = random.Random(f"corpus {seed}")
    for _ in range(count):
        one = _drawn("corpus", draw)
        yield _question(one, draw), _solution(one, draw)


def readings(count: int, seed: int | str) -> Iterator[tuple[str, str]]:
    """Questions, each with the beginning of a right solution, none or all of it, maybe with remarks, and the answer.

    Who learns from these can say how likely an answer is behind any part of a chain, and behind remarks alone.
    """
    draw = random.Random(f"readings {seed}")
    for _ in range(count):
        one = _drawn("corpus", draw)
        results = one.results()
        lines = one.steps(results)
        kept = draw.randint(0, len(lines))
        lines = [line if i < kept else "" for i, line in enumerate(lines)]
        if draw.random() < 0.5:
            lines = _with_remarks(lines, draw)
        lines = [line for line in lines if line]
        yield _question(one, draw), "\n".join([*lines, f"The answer is {results[-1]}."])


def _drawn(pool: Pool, draw: random.Random) -> _Sum:
    while True:
        changes = [draw.choice((-1, 1)) * draw.randint(1, 9) for _ in range(draw.randint(2, 4))]
        one = _Sum(draw.choice(NAMES), draw.choice(THINGS), draw.randint(1, 9), changes)
        *before, answer = one.results()
        seen = {*before, *map(abs, changes)}
        if not all(1 <= n <= _LARGEST for n in before) or not 1 <= answer <= LARGEST_ANSWER or answer in seen:
            continue
        if zlib.crc32(one.key.encode()) % 100 in _HUNDREDTHS[pool]:
            return replace(one, thing=THINGS[answer - 1]) if pool != "corpus" and draw.random() < _CUED else one


def _question(one: _Sum, draw: random.Random) -> str:
    told = [f"{draw.choice(_GAINS if change > 0 else _LOSSES)} {abs(change)}" for change in one.changes]
    events = f"{', '.join(told[:-1])} and {told[-1]}"
    return f"{one.name} has {one.start} {one.thing}, {events}. How many {one.thing} are that?"


def _solution(one: _Sum, draw: random.Random) -> str:
    (form,) = draw.choices(list(_FORMS), list(_FORMS.values()))
    results = one.results()
    if form in ("full", "remarks") and draw.random() < _SLIPS:
        at, off = draw.randrange(1, len(results)), draw.choice((-2, -1, 1, 2))
        slipped = [*results[:at], *(n + off for n in results[at:])]
        results = slipped if min(slipped) >= 0 else results
    lines = one.steps(results)
    if form == "remarks":
        lines = _with_remarks(lines, draw)
    elif form == "short":
        lines = lines[: draw.randrange(1, len(lines))]
    elif form == "direct":
        lines = []
    return "\n".join([*lines, f"The answer is {results[-1]}."])


def _with_remarks(lines: Sequence[str], draw: random.Random) -> list[str]:
    return [line for step in lines for line in ([draw.choice(FILLERS), step] if draw.random() < 0.5 else [step])]
