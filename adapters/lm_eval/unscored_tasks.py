"""Reports why a task gets no reasoning scores, and which generative tasks over the same data lm-eval ships."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.group import Group
from lm_eval.api.task import Task

from .cot_detection import obstacle, output_type, sign
from .scorer import log

_SHOWN = 3
_READERS = ("json", "csv", "parquet", "text", "arrow")


def note_tasks_without_chain(tasks: Mapping[str, Task], groups: Mapping[str, Group], index: Mapping[str, Any]) -> None:
    """Log one line per data set and output type, in the first process only.

    Args:
        tasks, groups: the tasks and groups lm-eval loaded for the run.
        index: `TaskManager.task_index`, in which siblings are looked up.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    found: dict[tuple[str, str], list[Task]] = {}
    for task in tasks.values():
        kind = str(getattr(task, "OUTPUT_TYPE", None))
        if kind != "generate_until":
            found.setdefault((data_of(_config(task)), kind), []).append(task)
    for (data, kind), members in found.items():
        sets = {str(_config(task).get("dataset_name")) for task in members}
        siblings = generative_siblings(index, data, sets)
        named = f"generative sibling: {siblings}" if siblings else "lm-eval has no generative task over its data set"
        log.warning("[%s] %s: the model writes no chain; %s", _label(members, groups), kind, named)


def generative_siblings(index: Mapping[str, Any], data: str, sets: set[str]) -> str | None:
    """Names of the generative tasks over a data set, best first: those with a chain, then those over the same subsets.

    Args:
        data: the data set, as named by `data_of`.
        sets: its subsets (`dataset_name`) that the task uses.
    """
    ranked: list[tuple[bool, bool, str]] = []
    for name, entry in index.items():
        config = entry.cfg or {}
        if entry.yaml_path is None or not isinstance(config.get("task"), str) or data_of(config) != data:
            continue
        if output_type(config) == "generate_until":
            no_chain = obstacle(config) is not None or sign(config) is None
            ranked.append((no_chain, str(config.get("dataset_name")) not in sets, name))
    if not ranked:
        return None
    ranked.sort()
    best = [name for *rank, name in ranked if tuple(rank) == ranked[0][:2]]
    return _shortened(best)


def data_of(config: Mapping[str, Any]) -> str:
    """The data set a task reads: its path on the hub, or the files passed to one of the `datasets` readers."""
    path = str(config.get("dataset_path"))
    if path in _READERS:
        path += f" {(config.get('dataset_kwargs') or {}).get('data_files')}"
    return path


def _config(task: Task) -> dict[str, Any]:
    config = getattr(task, "config", None)
    names = ("dataset_path", "dataset_name", "dataset_kwargs")
    return {name: getattr(config, name, None) for name in names}


def _label(members: Sequence[Task], groups: Mapping[str, Group]) -> str:
    """The smallest group that contains all members, or else their names."""
    names = {task.task_name for task in members}
    holding = [group for group in groups.values() if names <= {task.task_name for task in group.get_all_tasks()}]
    if len(names) > 1 and holding:
        return min(holding, key=lambda group: len(group.get_all_tasks())).name
    return _shortened(sorted(names))


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
