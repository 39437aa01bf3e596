"""What a seed of `trap_seeds` shows, from the evaluations that its trainings left: verdicts, and when things moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison.sft_trap_training import EVALUATIONS
from stepgauge.adapters.runs import load_runs
from stepgauge.metrics.comparison import Comparison, Run, TaskComparison, compare_runs, series_of
from stepgauge.metrics.comparison.series import Checkpoint, for_good
from stepgauge.metrics.strict_json import without_nan

MEASURES = {
    "accuracy": "accuracy",
    "supported_before_own_answer": "supported steps",
    "ki_coverage": "KI coverage",
    "infogain_nats_before_answer": "InfoGain before the answer, nats",
    "early_answer_area_before_answer": "early answer area",
    "necessary_share_before_answer": "necessary steps",
    "reasons_first": "reasons first",
}
# Of each model's own chains under itself as the scorer.
BY_ITSELF = ("early_answer_area_before_answer", "necessary_share_before_answer", "true_thinking_before_answer")


def steps_of(phase: Path) -> list[str]:
    """The evaluations of a phase in order, as `stepgauge compare` takes them."""
    return [str(path) for path in sorted((phase / EVALUATIONS).glob("step-*"))]


def summary(base: str, phase: Path, itself: tuple[Run, Run], *, follows: bool) -> dict[str, Any]:
    """A phase against the base, checkpoint by checkpoint, and its end against its own start.

    Args:
        base: the base's evaluation.
        itself: the base's and the phase's own chains, each scored by the model that wrote them.
        follows: whether the phase starts from another model than the base, whose numbers then are its first.
    """
    first, *runs = load_runs([f"base={base}", *steps_of(phase)])
    compared = [compare_runs(first, run) for run in (runs if follows else runs[1:])]
    series = series_of(compared, "step")
    found = {
        "checkpoints": [
            _numbers(one, checkpoint) for one, checkpoint in zip(compared, series.checkpoints, strict=True)
        ],
        "accuracy_rose": _when(series.checkpoints, lambda verdict: verdict.accuracy == "up"),
        "reasoning_fell": _when(series.checkpoints, lambda verdict: verdict.reasoning == "down"),
        "trapped": _when(series.checkpoints, lambda verdict: verdict.name == "trap"),
        "by_itself": _rows(compare_runs(*itself), BY_ITSELF),
    }
    if follows:
        undone = compare_runs(runs[0], runs[-1])
        found["against_start"] = {"verdict": _whole(undone).verdict.name, "rows": _rows(undone, tuple(MEASURES))}
    return without_nan(found)


def _numbers(compared: Comparison, checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "step": checkpoint.position,
        "verdict": _whole(compared).verdict.name,
        "verdict_in_series": checkpoint.verdict.name,
        "rows": _rows(compared, tuple(MEASURES)),
    }


def _rows(compared: Comparison, measures: Sequence[str]) -> dict[str, Any]:
    rows = {row.measure: row for row in _whole(compared).rows}
    return {
        name: {"base": row.base, "tuned": row.tuned, "difference": row.difference, "n": row.n}
        for name in measures
        if (row := rows.get(name)) is not None and row.n
    }


def _whole(compared: Comparison) -> TaskComparison:
    return compared.overall or compared.tasks[0]


def _when(checkpoints: Sequence[Checkpoint], holds: Callable[..., bool]) -> float | None:
    """The step from which on it holds at every checkpoint of the series."""
    first = for_good(checkpoints, holds)
    return next((one.position for one in checkpoints if one.run == first), None)
