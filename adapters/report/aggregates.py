"""The numbers behind the plots: means over questions, curves along chains, gains of steps."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...metrics.columns import added_columns
from ...metrics.comparison.record import Record, Run
from ...metrics.score import ChainScore
from .question_rows import Key, KeyOf
from .sanitize import one_line

Array = NDArray[np.float64]

GRID = np.linspace(0, 1, 21)  # relative positions in a chain
_NAME = 60  # maximum characters of the name of a task or subject
_RUN = 40  # of the name of a run: what a legend on a phone has room for
_PATH = re.compile(r"[^\s()<>]*/[^\s()<>]*[^\s()<>/]/*")  # a path or a hub id
_CACHED = re.compile(r"/models--[^/]+?--([^/]+)/snapshots/[^/]+/?$")  # where the hub's client keeps a model
_Z = 1.959964


@dataclass(frozen=True)
class Mean:
    """A mean over n questions with its 95 % interval (normal approximation; nan for n < 2)."""

    mean: float
    low: float
    high: float
    n: int


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and interval of at least one value."""
    array = np.asarray(values, dtype=float)
    half = _Z * float(array.std(ddof=1)) / math.sqrt(len(array)) if len(array) > 1 else math.nan
    mean = float(array.mean())
    return Mean(mean, mean - half, mean + half, len(array))


def names(runs: Sequence[Run]) -> list[str]:
    """The runs' names, short and cleaned for a legend, made unique again if that made them equal."""
    short = [_short(run.name) for run in runs]
    out: list[str] = []
    for run, name in zip(runs, short, strict=True):
        shown = one_line(name if short.count(name) == 1 else run.name, _RUN) or "(no name)"
        out.append(shown if shown not in out else f"{shown} ({len(out) + 1})")
    return out


def _short(name: str) -> str:
    """A model's name without the folders or the organisation before it; any other name as it is."""
    if cached := _CACHED.search(name):
        return cached[1]
    return name.rstrip("/").rpartition("/")[2] if _PATH.fullmatch(name) else name


def added(runs: Sequence[Run]) -> list[str]:
    """The names of numbers that options and plugins added to the runs' chains."""
    return added_columns(dict.fromkeys(name for run in runs for record in run.records for name in record.score.metrics))


def group_name(runs: Sequence[Run]) -> str:
    """The noun for a group in the plots: "subject" if chains have one, else "task"."""
    return "subject" if any(record.subject for run in runs for record in run.records) else "task"


def grouped(runs: Sequence[Run]) -> Callable[[Record], str]:
    """The key function for groups in plots: a record's subject, prefixed with its task if there are several tasks."""
    tasks = {record.task for run in runs for record in run.records}
    by_subject = group_name(runs) == "subject"

    def group(record: Record) -> str:
        task = record.task or "(no task)"
        if not by_subject or not record.subject:
            return one_line(task, _NAME)
        return one_line(record.subject if len(tasks) == 1 else f"{task} · {record.subject}", _NAME)

    return group


def by_question(run: Run, number: Callable[[Record], float], key_of: KeyOf) -> dict[Key, tuple[Record, float]]:
    """Each question's number, averaged over its repeats, with one of its records; without a number it is left out."""
    values: dict[Key, list[float]] = defaultdict(list)
    records: dict[Key, Record] = {}
    for record in run.records:
        value = number(record)
        if math.isfinite(value):
            values[key_of(record)].append(value)
            records.setdefault(key_of(record), record)
    return {key: (records[key], float(np.mean(those))) for key, those in values.items()}


def shared(found: Sequence[set[Key]]) -> tuple[set[Key], bool]:
    """The questions for which all runs have a number, and True; all questions and False if there are none."""
    common = set.intersection(*found) if found else set()
    if common and len(found) > 1:
        return common, True
    return set().union(*found), False


def by_group(
    runs: Sequence[Run], number: Callable[[Record], float], key_of: KeyOf
) -> tuple[list[dict[str, Mean]], bool]:
    """For each run {group: mean}, over the questions for which all runs have the number, if there are any.

    Returns:
        The means, and whether they are restricted to such shared questions.
    """
    group = grouped(runs)
    found = [by_question(run, number, key_of) for run in runs]
    keys, common = shared([set(one) for one in found])
    out = []
    for one in found:
        values: dict[str, list[float]] = defaultdict(list)
        for key, (record, value) in one.items():
            if key in keys:
                values[group(record)].append(value)
        out.append({name: mean_of(those) for name, those in values.items()})
    return out, common


def largest_groups(means: Sequence[dict[str, Mean]], limit: int) -> tuple[list[str], int]:
    """The `limit` groups with the most questions, in alphabetical order, and how many groups were left out."""
    sizes: dict[str, int] = defaultdict(int)
    for one in means:
        for name, mean in one.items():
            sizes[name] += mean.n
    kept = sorted(sizes, key=lambda name: (-sizes[name], name))[:limit]
    return sorted(kept, key=str.casefold), len(sizes) - len(kept)


def of_gold(score: ChainScore) -> Sequence[float]:
    """After 0..t steps, log p of the gold answer per answer token."""
    return score.log_likelihoods_per_token


def of_own(score: ChainScore) -> Sequence[float]:
    """After 0..t steps, log p of the chain's own answer, where reliance was measured."""
    return score.own_log_likelihoods


def curves(run: Run, key_of: KeyOf, levels: Callable[[ChainScore], Sequence[float]]) -> dict[Key, Array]:
    """For each question these log-probabilities along `GRID`, averaged over repeats."""
    found: dict[Key, list[Array]] = defaultdict(list)
    for record in run.records:
        values = np.asarray(levels(record.score), dtype=float)
        if len(values) > 1 and np.isfinite(values).all():
            at = np.linspace(0, 1, len(values))
            found[key_of(record)].append(np.interp(GRID, at, values))
    return {key: np.mean(those, axis=0) for key, those in found.items()}


def gains(run: Run) -> Array:
    """The gains of all steps, in nats."""
    values = np.array([step.gain for record in run.records for step in record.score.steps], dtype=float)
    return values[np.isfinite(values)]
