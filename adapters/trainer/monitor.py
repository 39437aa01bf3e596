"""What an evaluation shows: its numbers for the trainer's log, and the verdicts against earlier evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...metrics.comparison import Comparison, NotComparable, Run, Settings, TaskComparison, compare_runs
from ...metrics.comparison.numbers import number
from ...metrics.printable import printable
from ..offline.summary import Group
from .questions import ACCURACY

PREFIX = "stepgauge/"
TRAP = "trap"


@dataclass(frozen=True)
class Against:
    """An evaluation compared with an earlier one; where that is not possible, why."""

    step: int
    compared: TaskComparison | None
    why_not: str = ""

    @property
    def trap(self) -> bool:
        return self.compared is not None and self.compared.verdict.name == TRAP

    def __str__(self) -> str:
        if self.compared is None:
            return f"step {self.step}: not comparable: {printable(self.why_not)}"
        return f"step {self.step}: {self.compared.verdict.name}: {printable(self.compared.verdict.why)}"


def against(step: int, earlier: Run, now: Run, settings: Settings) -> Against:
    """The verdict of `stepgauge compare`, on the questions that both answered."""
    try:
        compared: Comparison = compare_runs(earlier, now, settings)
    except NotComparable as error:
        return Against(step, None, str(error))
    return Against(step, compared.all[-1])


def curves(group: Group, columns: Sequence[str], truncated: float) -> dict[str, float]:
    """The means by name, and for each column how many answers lack it. A mean of none is left out."""
    found: dict[str, float] = {}
    for name, mean in [(ACCURACY, group.accuracy[ACCURACY]), *((one, group.metrics[one]) for one in columns)]:
        if mean.mean is not None:
            found[PREFIX + name] = mean.mean
        if name != ACCURACY:
            found[f"{PREFIX}missing/{name}"] = float(mean.missing.total())
    return {**found, f"{PREFIX}truncated": truncated}


def decisive(found: Against) -> Iterator[tuple[str, float]]:
    """What the verdict rests on beside accuracy, as it is in the later evaluation."""
    for row in found.compared.rows if found.compared else ():
        if row.role == "deciding" and row.measure != ACCURACY and not math.isnan(row.tuned):
            yield f"{PREFIX}deciding/{row.measure}", row.tuned


def told(logs: dict[str, float], columns: Sequence[str]) -> str:
    """`accuracy 0.55, infogain_nats_before_answer 1.2`: an evaluation in a line."""
    names = [name for name in (ACCURACY, *columns) if PREFIX + name in logs]
    return ", ".join(f"{name} {number(logs[PREFIX + name])}" for name in names)


def accuracy(run: Run) -> float:
    """The mean over the answers of a run; nan without any."""
    values = [record.accuracy[ACCURACY] for record in run.records if ACCURACY in record.accuracy]
    return math.fsum(values) / len(values) if values else math.nan
