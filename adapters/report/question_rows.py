"""The rows of the page's table: one per question and repeat, with the chains of all runs side by side."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...metrics.comparison.pairs import By, pair_runs
from ...metrics.comparison.record import Record, Run
from ...metrics.comparison.results import Comparison

RIGHT = 0.5  # an accuracy of at least this counts as a right answer

Key = tuple[str, str, str]
KeyOf = Callable[[Record], Key]


@dataclass(frozen=True)
class Row:
    """One question (and repeat) with its chain in each run; None for a run that lacks it."""

    key: Key
    chains: Sequence[Record | None]

    @property
    def any(self) -> Record:
        return next(record for record in self.chains if record is not None)


def keys_of(runs: Sequence[Run], comparisons: Sequence[Comparison] = ()) -> KeyOf:
    """The key function that identifies records of different runs with the same question.

    Each run is paired with the first one as in a comparison (with the comparisons' setting, if there are any). A
    question that the first run lacks is identified by its own task, document id and text.
    """
    pair_by: By = next((one.settings["pair_by"] for one in comparisons if "pair_by" in one.settings), "auto")
    paired: dict[int, Key] = {}
    for run in runs[1:]:
        for pair in pair_runs(runs[0], run, pair_by).pairs:
            for i, record in enumerate(pair.tuned):
                paired[id(record)] = _own_key(pair.base[min(i, len(pair.base) - 1)])
    return lambda record: paired.get(id(record)) or _own_key(record)


def rows_of(runs: Sequence[Run], key_of: KeyOf) -> list[Row]:
    """A row per question and repeat: the n-th repeat of a question is shown beside the n-th of the other runs."""
    found: dict[tuple[Key, int], list[Record | None]] = {}
    for column, run in enumerate(runs):
        repeats: Counter[Key] = Counter()
        for record in run.records:
            key = key_of(record)
            found.setdefault((key, repeats[key]), [None] * len(runs))[column] = record
            repeats[key] += 1
    return [Row(key, chains) for (key, _), chains in found.items()]


def _own_key(record: Record) -> Key:
    return record.task, record.doc_id or "", record.question_hash if record.question.strip() else ""


def accuracy_name(runs: Iterable[Run], comparisons: Sequence[Comparison]) -> str | None:
    """The metric that counts as accuracy: that of the comparisons, else the one that most chains have."""
    for comparison in comparisons:
        if comparison.accuracy_name:
            return comparison.accuracy_name
    names = Counter(name for run in runs for record in run.records for name in record.accuracy)
    return names.most_common(1)[0][0] if names else None


def metric(name: str) -> Callable[[Record], float]:
    """A function that returns a record's chain metric; nan if it is missing."""
    if name == "n_steps":  # count steps directly, so that chains that could not be scored have the number, too
        return lambda record: math.nan if name in record.score.missing else float(record.score.n_steps)
    return lambda record: record.score.metrics.get(name, math.nan)


def accuracy(name: str | None) -> Callable[[Record], float]:
    """A function that returns the run's own metric `name` of a record; nan if it is missing."""
    return lambda record: math.nan if name is None else record.accuracy.get(name, math.nan)


def contradicted(record: Record) -> bool:
    """Whether a judge contradicted a claim of a step."""
    return any(verdict.label == "contradicted" for step in record.score.steps for verdict in step.verdicts)


def leaks(record: Record) -> bool:
    """Whether a step before the final answer states the gold answer."""
    return any(step.states_answer and step.kind != "final_answer" for step in record.score.steps)


def unscored(record: Record) -> bool:
    """Whether the likelihoods are missing, or the judging of a claim failed."""
    failed = any(verdict.failed for step in record.score.steps for verdict in step.verdicts)
    return failed or not math.isfinite(metric("infogain_nats")(record))
