"""Inspect task `stepgauge/with_reasoning`: adds our scorer to any task from the command line."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task_with
from inspect_ai import task as inspect_task

from ...adapters.inspect.with_reasoning import with_reasoning as wrap


@inspect_task
def with_reasoning(task: str, task_args: dict[str, Any] | None = None, **options: Any) -> Task:
    """The task that `task` names, under its own name, with `stepgauge/reasoning` after its own scorers.

    Args:
        task: as for `inspect eval`: a registered name (`inspect_evals/gsm8k`) or a file (`my_tasks.py@arithmetic`).
        task_args: arguments of that task: `-T task_args='{"fewshot": 0}'`.
        **options: options of the scorer: `-T splitter=lines`.
    """
    wrapped = wrap(task, task_args, **options)
    return task_with(wrapped, name=wrapped.name)  # otherwise the log would name this task instead of the wrapped one
