"""A group's row in lm-eval's table: its tasks' reasoning scores, pooled over the documents that have the number.

lm-eval weights each task by all of its documents. That is wrong for numbers that some documents lack (KI counts only
chains with a checkable step), and one task without the number makes the group's mean nan. `Mean.count` says how
many documents each task's mean covers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.group import Group
from lm_eval.api.task import Task

from .aggregate import Mean
from .scorer import UNSCORED, log
from .task import PIPELINE, scorer_of

NOT_AVAILABLE = "N/A"  # as lm-eval writes it


class ReasoningGroup(Group):
    """A group whose row shows reasoning scores beside the metrics that the group itself aggregates."""

    @property
    def has_aggregation(self) -> bool:
        return super().has_aggregation or bool(self._scored())

    def aggregate(self, task_metrics: dict[str, Any]) -> Any:
        """lm-eval's row plus pooled reasoning scores, which replace those that the group itself lists."""
        row: dict[str, Any] = dict(super().aggregate(task_metrics))
        scored = self._scored()
        rows = [task_metrics[task.task_name] for task in scored if task.task_name in task_metrics]
        if not rows:
            return row
        row.setdefault("sample_len", sum(task_row.get("sample_len", 0) for task_row in rows))
        columns = dict.fromkeys(name for task in scored for name in _columns(task))
        return row | roll_up(rows, list(columns), weight_by_size=self._weights_by_size())

    def _scored(self) -> list[Task]:
        return [task for task in self.get_all_tasks() if scorer_of(task) is not None]

    def _weights_by_size(self) -> bool:
        """The weighting of the group's own metrics; lm-eval's default if it has none."""
        own = self.aggregate_metric_list or []
        return not own or any(entry.weight_by_size for entry in own)


def show_reasoning(group: Group) -> None:
    """Make a finished group pool its tasks' reasoning scores, if any of its tasks has some."""
    tasks = group.get_all_tasks()
    scored = [task for task in tasks if scorer_of(task) is not None]
    if not scored or type(group) is not Group:
        return
    group.__class__ = ReasoningGroup  # same fields: the group keeps its name, its alias and its place in other groups
    if len(scored) < len(tasks):
        log.info("[%s] its row rolls up reasoning scores of %d of %d tasks", group.name, len(scored), len(tasks))


def roll_up(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, weight_by_size: bool = True
) -> dict[str, Any]:
    """One group row from its tasks' rows.

    Args:
        rows: the tasks' metrics, keyed `<metric>,<pipeline>`, means as `Mean`.
        columns: names of the metrics to pool.
        weight_by_size: weight each task's mean by the number of documents it covers; otherwise weight tasks equally.

    Returns:
        `{"<metric>,reasoning": mean, "<metric>_stderr,reasoning": standard error or "N/A", …}` and the sum of
        `n_unscored`. A metric that no document has is nan.
    """
    out: dict[str, Any] = {}
    for name in columns:
        found: list[tuple[Mean, Any]] = []
        for row in rows:
            mean = row.get(f"{name},{PIPELINE}")
            if isinstance(mean, Mean) and mean.count:
                found.append((mean, row.get(f"{name}_stderr,{PIPELINE}", NOT_AVAILABLE)))
        counts = [mean.count for mean, _ in found]
        weights = counts if weight_by_size else [1] * len(found)
        total = sum(weights)
        value = math.fsum(mean * weight for (mean, _), weight in zip(found, weights, strict=True))
        out[f"{name},{PIPELINE}"] = Mean(value / total, sum(counts)) if total else Mean(math.nan)
        out[f"{name}_stderr,{PIPELINE}"] = _stderr([stderr for _, stderr in found], counts, weight_by_size)
    out[f"{UNSCORED},{PIPELINE}"] = sum(row.get(f"{UNSCORED},{PIPELINE}", 0) for row in rows)
    out[f"{UNSCORED}_stderr,{PIPELINE}"] = NOT_AVAILABLE
    return out


def _stderr(stderrs: Sequence[Any], counts: Sequence[int], weight_by_size: bool) -> Any:
    """Standard error by lm-eval's formulas: from the pooled variance, or for the mean of independent means."""
    if not stderrs or NOT_AVAILABLE in stderrs:
        return NOT_AVAILABLE
    if not weight_by_size:
        return math.sqrt(math.fsum(stderr**2 for stderr in stderrs)) / len(stderrs)
    squares = math.fsum((count - 1) * stderr**2 * count for stderr, count in zip(stderrs, counts, strict=True))
    return math.sqrt(squares / (sum(counts) - len(counts)) / sum(counts))


def _columns(task: Task) -> Sequence[str]:
    scorer = scorer_of(task)
    return scorer.columns if scorer is not None else ()
