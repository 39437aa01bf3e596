"""`calibrations_of`: a table per task of a run, or of two runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..comparison.accuracy_names import AccuracyNames
from ..comparison.compare import NotComparable, Settings, paired
from ..comparison.record import Run
from .results import Calibration
from .table import calibration_of, more_than_rates


def calibrations_of(
    base: Run, tuned: Run | None, settings: Settings, *, beside_accuracy: bool = False
) -> list[Calibration]:
    """The tables of each task, and of several tasks together where they have an accuracy metric in common.

    Args:
        beside_accuracy: only tables with more than the rates of abstention, which other tables have beside accuracy.
            Of the others nothing is resampled.

    Raises:
        NotComparable: no question is in both runs, different scorers have scored them, or the accuracy metric asked
            for is in none of the tasks.
    """
    pairs = paired(base, tuned, settings)
    names = AccuracyNames.of_pairs(pairs, settings.accuracy, error=NotComparable)
    tasks: Sequence[str | None] = list(dict.fromkeys(pair.task for pair in pairs))
    runs = [base.name, *([tuned.name] if tuned else [])]
    drawn = {"resamples": settings.resamples, "seed": settings.seed}
    return [
        calibration_of(pairs, runs, names.of(task), task=task, **drawn)
        for task in [*tasks, *([None] if len(tasks) > 1 and names.of(None) else [])]
        if not beside_accuracy or more_than_rates(pairs, len(runs), names.of(task), task)
    ]
