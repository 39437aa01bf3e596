"""Which of a run's own metrics counts as accuracy, for each task: tasks of one run have different ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import StepgaugeError
from ..names import unknown_name
from .pairs import Pair


class NoSuchAccuracy(StepgaugeError, ValueError):
    """The metric asked for is in no task of both runs."""


@dataclass(frozen=True)
class AccuracyNames:
    """The metric of each task.

    Attributes:
        chosen: {task: metric}; tasks whose runs share no metric are not in it.
        others: {task: the further metrics that both runs have there}.
    """

    chosen: Mapping[str, str]
    others: Mapping[str, Sequence[str]]

    @classmethod
    def of_pairs(cls, pairs: Sequence[Pair], wanted: str | None) -> AccuracyNames:
        """The metric asked for where a task has it, else the first that both runs have there.

        Raises:
            NoSuchAccuracy: no task has the metric asked for.
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
            raise NoSuchAccuracy(unknown_name("accuracy metric of both runs", wanted, known))
        chosen = {task: wanted if wanted in names else names[0] for task, names in both.items() if names}
        others = {task: [name for name in names if name != chosen[task]] for task, names in both.items() if names}
        return cls({task: str(name) for task, name in chosen.items()}, others)

    def of(self, task: str | None) -> str | None:
        """The metric of a task; of all together the one that all have, or None."""
        if task is not None:
            return self.chosen.get(task)
        names = set(self.chosen.values())
        return next(iter(names)) if len(names) == 1 else None

    @property
    def notes(self) -> list[str]:
        """Which metric was taken where there was a choice, and how to take another."""
        out: dict[str, list[str]] = {}
        for task, name in self.chosen.items():
            if self.others[task]:
                said = f"accuracy is {name}; --accuracy NAME takes another: {', '.join(self.others[task])}"
                out.setdefault(said, []).append(task or "(no task name)")
        return [f"{', '.join(tasks[:5])}{', …' if len(tasks) > 5 else ''}: {said}" for said, tasks in out.items()]
