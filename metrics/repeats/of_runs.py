"""`repeats_in`: the tables of a run, or of two runs, for each task in which questions have several responses."""

from __future__ import annotations

from collections.abc import Sequence

from ..comparison import NotComparable, Run, Settings
from ..comparison.accuracy_names import AccuracyNames
from ..comparison.compare import paired
from .results import Repeats
from .table import repeats_of


def repeats_in(base: Run, tuned: Run | None = None, settings: Settings | None = None) -> list[Repeats]:
    """A table for each task with repeats, and one of several tasks together; [] without repeats.

    Args:
        tuned: compared with `base` question by question; None: `base` alone.
        settings: how questions are paired, the accuracy metric, and the resampling; the rest is not looked at.

    Raises:
        NotComparable: no question is in both runs, different scorers have scored them, or no task has the accuracy
            metric asked for.
    """
    settings = settings or Settings()
    repeated = [pair for pair in paired(base, tuned, settings) if len(pair.base) > 1 and len(pair.tuned) > 1]
    if not repeated:
        return []
    accuracy = AccuracyNames.of_pairs(repeated, settings.accuracy, error=NotComparable)
    tasks: Sequence[str | None] = list(dict.fromkeys(pair.task for pair in repeated))
    if len(tasks) > 1 and accuracy.of(None) is not None:  # else the tasks have no metric in common
        tasks = [*tasks, None]
    return [
        repeats_of(
            repeated,
            [base.name, *([tuned.name] if tuned else [])],
            accuracy.of(task),
            task=task,
            resamples=settings.resamples,
            seed=settings.seed,
        )
        for task in tasks
    ]
