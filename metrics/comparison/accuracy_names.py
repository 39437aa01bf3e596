"""Which of a run's own metrics counts as accuracy, for each task: tasks of one run have different ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import Missing
from ..names import unknown_name
from .pairs import Pair
from .record import Record


@dataclass(frozen=True)
class AccuracyNames:
    """The metric of each task.

    Attributes:
        chosen: {task: metric}; tasks whose runs share no metric are not in it.
        others: {task: the further metrics that both runs have there}.
        by_record: the same by the tasks of the records, which a run may call otherwise.
    """

    chosen: Mapping[str, str]
    others: Mapping[str, Sequence[str]]
    by_record: Mapping[str, str]

    @classmethod
    def of_pairs(cls, pairs: Sequence[Pair], wanted: str | None, *, error: type[Exception]) -> AccuracyNames:
        """The metric asked for where a task has it, else the first that both runs have there.

        Raises:
            error: no task has the metric asked for.
        """
        both: dict[str, list[str]] = {}
        for task in dict.fromkeys(pair.task for pair in pairs):
            left, right = (
                dict.fromkeys(
                    name for pair in pairs if pair.task == task for one in getattr(pair, side) for name in one.accuracy
                )
                for side in ("base", "tuned")
            )
            both[task] = [name for name in left if name in right]
        known = list(dict.fromkeys(name for names in both.values() for name in names))
        if wanted is not None and wanted not in known:
            raise error(unknown_name("accuracy metric of both runs", wanted, known))
        chosen = {
            task: wanted if wanted is not None and wanted in names else names[0]
            for task, names in both.items()
            if names
        }
        others = {task: [name for name in names if name != chosen[task]] for task, names in both.items() if names}
        by_record = {
            one.task: chosen[pair.task]
            for pair in pairs
            if pair.task in chosen
            for one in (pair.base[0], pair.tuned[0])
        }
        return cls(chosen, others, by_record)

    def accuracy(self, record: Record) -> float:
        """The record's accuracy. Raises Missing."""
        name = self.by_record.get(record.task)
        value = math.nan if name is None else record.accuracy.get(name, math.nan)
        if math.isnan(value):
            raise Missing(f"the run has no {name or 'accuracy metric that both runs have'} for it")
        return value

    def of(self, task: str | None) -> str | None:
        """The metric of a task; of all together the one that all have, or None."""
        if task is not None:
            return self.chosen.get(task)
        names = set(self.chosen.values())
        return next(iter(names)) if len(names) == 1 else None

    def label(self, task: str | None) -> str:
        """The metric of a task, or those of all tasks; "" where there is none."""
        return ", ".join(dict.fromkeys(self.chosen.values())) if task is None else self.chosen.get(task, "")

    @property
    def notes(self) -> list[str]:
        """Which metric was taken where there was a choice, and how to take another."""
        out: dict[str, list[str]] = {}
        for task, name in self.chosen.items():
            if self.others[task]:
                said = f"accuracy is {name}; --accuracy NAME takes another: {', '.join(self.others[task])}"
                out.setdefault(said, []).append(task or "(no task name)")
        return [f"{', '.join(tasks[:5])}{', …' if len(tasks) > 5 else ''}: {said}" for said, tasks in out.items()]
