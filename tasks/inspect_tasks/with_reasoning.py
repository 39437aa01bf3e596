"""Inspect task `stepgauge/with_reasoning`: any task with our scorer beside its own, from the command line alone."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task_with
from inspect_ai import task as inspect_task

from ...adapters.inspect.with_reasoning import with_reasoning as wrap


@inspect_task
def with_reasoning(task: str, task_args: dict[str, Any] | None = None, **options: Any) -> Task:
    """The task that `task` names, under its own name, with `stepgauge/reasoning` behind its own scorers.

    Args:
        task: what `inspect eval` takes: a registered name (`inspect_evals/gsm8k`) or a file (`my_tasks.py@arithmetic`).
        task_args: arguments of that task: `-T task_args='{"fewshot": 0}'`.
        **options: those of the scorer: `-T splitter=lines`.
    """
    wrapped = wrap(task, task_args, **options)
    return task_with(wrapped, name=wrapped.name)  # else the log would name this task, not the one it wraps
