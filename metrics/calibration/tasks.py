"""`calibrations_of`: a table per task of a run, or of two runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..comparison.accuracy_names import AccuracyNames
from ..comparison.compare import NotComparable, Settings, paired
from ..comparison.record import Run
from .results import Calibration
from .table import calibration_of


def calibrations_of(base: Run, tuned: Run | None, settings: Settings) -> list[Calibration]:
    """The tables of each task, and of several tasks together where they have an accuracy metric in common.

    Raises:
        NotComparable: no question is in both runs, different scorers have scored them, or the accuracy metric asked
            for is in none of the tasks.
    """
    pairs = paired(base, tuned, settings)
    names = AccuracyNames.of_pairs(pairs, settings.accuracy, error=NotComparable)
    tasks: Sequence[str | None] = list(dict.fromkeys(pair.task for pair in pairs))
    runs = [base.name, *([tuned.name] if tuned else [])]
    return [
        calibration_of(pairs, runs, names.of(task), task=task, resamples=settings.resamples, seed=settings.seed)
        for task in [*tasks, *([None] if len(tasks) > 1 and names.of(None) else [])]
    ]
