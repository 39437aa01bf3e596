"""Checkpoints of one training, each compared with the first: when accuracy and reasoning moved, and whether for good.

The rule is that of `verdict.py`. Since a series asks about every checkpoint, the p of all of them are corrected
together (Holm 1979), so that the chance of a false alarm stays below alpha for the whole series.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..strict_json import without_nan
from .numbers import number
from .results import Comparison, Row, TaskComparison, Verdict
from .statistics import holm
from .verdict import RELIANCE_KEY, decide, sees_content

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Checkpoint:
    """One run of a series against its first.

    Attributes:
        run: its name.
        position: the last number in its name, such as its training step; None where not every run has one.
        n_pairs: questions in both.
        rows: accuracy and the deciding measures, by key; `p_holm` is corrected over the whole series.
        verdict: by the rule of `compare`, with that p.
    """

    run: str
    position: float | None
    n_pairs: int
    rows: Mapping[str, Row]
    verdict: Verdict


@dataclass(frozen=True)
class Series:
    """A training's checkpoints in order.

    Attributes:
        base: the run that the others are compared with.
        unit: what counts the checkpoints, such as "step".
        position: the base's place; None where not every run has one.
        checkpoints: all others.
        turned: the checkpoint from which on reasoning is lower than at the base at every one; None where it is not so
            at the last.
        trapped: likewise, from which on accuracy is also higher: the trap.
        alpha: level of all tests together.
        notes: what every comparison says of its runs.
    """

    base: str
    unit: str
    position: float | None
    checkpoints: Sequence[Checkpoint]
    turned: str | None
    trapped: str | None
    alpha: float
    notes: Sequence[str] = ()

    @property
    def measures(self) -> list[str]:
        """Keys of the measures that any checkpoint has, accuracy first."""
        return list(dict.fromkeys(key for one in self.checkpoints for key in one.rows))

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: nan becomes null."""
        return without_nan(asdict(self))

    def sentences(self) -> list[str]:
        """What the series shows, in words."""
        count = len(self.checkpoints)
        names = {one.run: self.name(one) for one in self.checkpoints}
        out = []
        if self.turned is not None:
            first = next(one for one in self.checkpoints if one.run == self.turned)
            out.append(
                f"reasoning turned at {names[self.turned]} and stays lower than at {self.base_name}: {_fell(first)}"
            )
        elif passing := [one for one in self.checkpoints if one.verdict.reasoning == "down"]:
            where = ", ".join(names[one.run] for one in passing)
            out.append(f"reasoning is lower than at {self.base_name} at {where}, not at the end")
        else:
            out.append(f"at no checkpoint is reasoning significantly lower than at {self.base_name}")
        if self.trapped is not None:
            out.append(f"from {names[self.trapped]} on that is a trap: more answers are right")
        open_ = sum(one.verdict.name == "underpowered" for one in self.checkpoints)
        if open_:
            of = "the verdict is" if count == 1 else f"{open_} of {count} verdicts are"
            out.append(f"{of} underpowered: what matters could have been missed")
        return [*out, *self.notes]

    def name(self, checkpoint: Checkpoint) -> str:
        """`step 300`, or the run's name where it has no number."""
        return checkpoint.run if checkpoint.position is None else f"{self.unit} {_plain(checkpoint.position)}"

    @property
    def base_name(self) -> str:
        """Likewise of the base."""
        return self.base if self.position is None else f"{self.unit} {_plain(self.position)}"


def in_order(names: Sequence[str], *, base: bool = False) -> list[int]:
    """Indices of a series' runs in its order: by the last number in their names; as given where one has none.

    A first run without a number, or one that was chosen as the base, stays first.

    Args:
        base: whether the first was chosen.
    """
    positions = [_position(name) for name in names]
    kept = [0] if base or (positions and positions[0] is None) else []
    rest = [i for i in range(len(names)) if i not in kept]
    if all(positions[i] is not None for i in rest):
        rest.sort(key=lambda i: positions[i] or 0.0)
    return [*kept, *rest]


def series_of(comparisons: Sequence[Comparison], unit: str = "checkpoint") -> Series:
    """Put comparisons with one base in a series, in the order given (`in_order`).

    Args:
        unit: what counts the checkpoints.

    Raises ValueError for none, or for different bases.
    """
    if not comparisons or len({one.base for one in comparisons}) > 1:
        raise ValueError("a series is made of comparisons with one base")
    alpha = float(comparisons[0].settings.get("alpha", 0.05))
    whole = [one.overall or one.tasks[0] for one in comparisons]
    deciding = [[row for row in task.rows if row.role == "deciding"] for task in whole]
    corrected = iter(holm([row.p for rows in deciding for row in rows]))
    rows = [[replace(row, p_holm=next(corrected)) for row in one] for one in deciding]
    tests = sum(not math.isnan(row.p) for one in rows for row in one)
    base, positions = _position(comparisons[0].base), [_position(one.tuned) for one in comparisons]
    numbered = all(at is not None for at in positions) and len(set(positions)) == len(positions)
    checkpoints = [
        Checkpoint(
            run=one.tuned,
            position=at if numbered else None,
            n_pairs=task.n_pairs,
            rows={row.measure: row for row in its},
            verdict=_verdict(task, its, alpha, tests),
        )
        for one, at, task, its in zip(comparisons, positions, whole, rows, strict=True)
    ]
    return Series(
        base=comparisons[0].base,
        unit=unit,
        position=base if numbered else None,
        checkpoints=checkpoints,
        turned=for_good(checkpoints, lambda one: one.reasoning == "down"),
        trapped=for_good(checkpoints, lambda one: one.name == "trap"),
        alpha=alpha,
        notes=[note for note in comparisons[0].notes if all(note in one.notes for one in comparisons)],
    )


def for_good(checkpoints: Sequence[Checkpoint], holds: Callable[[Verdict], bool]) -> str | None:
    """The run of the first checkpoint from which on it holds of every verdict; None where not of the last."""
    found = None
    for one in reversed(checkpoints):
        if not holds(one.verdict):
            break
        found = one.run
    return found


def _verdict(task: TaskComparison, rows: Sequence[Row], alpha: float, tests: int) -> Verdict:
    accuracy = next((row for row in rows if row.measure == "accuracy"), None)
    reliance = next((row for row in rows if row.measure == RELIANCE_KEY), None)
    reasoning = [row for row in rows if row.measure not in ("accuracy", RELIANCE_KEY)]
    scored = any(row.measure == "infogain" for row in task.rows)
    return decide(
        accuracy,
        reasoning if scored else None,
        alpha=alpha,
        sees_content=sees_content(reasoning),
        reliance=reliance,
        tests=tests,
    )


def _position(name: str) -> float | None:
    numbers = _NUMBER.findall(name)
    return float(numbers[-1]) if numbers and len(numbers[-1]) < 16 else None


def _plain(position: float) -> str:
    return f"{position:,.0f}" if position.is_integer() else f"{position:g}"


def _fell(checkpoint: Checkpoint) -> str:
    """The deciding measure that fell most clearly, in words."""
    of_reasoning = [row for key, row in checkpoint.rows.items() if key not in ("accuracy", RELIANCE_KEY)]
    lower = [row for row in of_reasoning if row.difference < 0]
    row = min((row for row in lower if not math.isnan(row.p_holm)), key=lambda row: row.p_holm)
    return f"{row.label} {number(row.base)} → {number(row.tuned)}"
