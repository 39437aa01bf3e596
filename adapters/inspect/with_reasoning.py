"""Puts our scorer beside the scorers of any Inspect task, without editing the task."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from inspect_ai import Task, task_with
from inspect_ai.scorer import Scorer
from inspect_ai.util import registry_info

from .options import OptionError, Options
from .scorers import reasoning
from .viewer import viewer_config


def with_reasoning(
    task: Task | str | Callable[..., Task],
    task_args: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> Task:
    """The task with `reasoning(**options)` behind its own scorers.

    Its scorers, their order and their metrics stay as they are, so the headline metric and what an agent's loop reads
    between attempts do, too; our columns are coloured in the log viewer. A `reasoning` scorer that the task has
    already is replaced. A `Task` that is passed in is not changed: the result is a shallow copy, which shares its
    dataset and solver.

    Args:
        task: a `Task`, a function that makes one, or what `inspect eval` takes: a registered name
            (`inspect_evals/gsm8k`) or a file (`my_tasks.py`, `my_tasks.py@arithmetic`).
        task_args: arguments to make the task with.
        **options: see `Options`.

    Raises:
        OptionError: a wrong option, no such task, more than one, arguments for a task that is already made, or a task
            whose epochs are reduced by `collect`, which takes no scores with several values.
    """
    ours = reasoning(**options)
    made = _made(task, dict(task_args or {}))
    if any(registry_info(reducer).name.endswith("collect") for reducer in made.epochs_reducer or []):
        # Inspect would end the run with an error after its last sample.
        raise OptionError(
            f"with_reasoning: {made.name} reduces epochs by 'collect', which takes no dictionaries of values"
        )
    others = [scorer for scorer in made.scorer or [] if not _is_ours(scorer)]
    # a copy, since task_with() changes the task it is given
    return task_with(copy.copy(made), scorer=[*others, ours], viewer=viewer_config(made.viewer))


def _made(task: Task | str | Callable[..., Task], arguments: dict[str, Any]) -> Task:
    if isinstance(task, str):
        return _by_name(task, arguments)
    if isinstance(task, Task):
        if arguments:
            raise OptionError(
                f"with_reasoning: {task.name} is already made; give task_args={arguments!r} to its function"
            )
        return task
    made = task(**arguments)
    if not isinstance(made, Task):
        raise OptionError(
            f"with_reasoning: expected a function that returns a Task, got {made!r:.80} from {task!r:.80}"
        )
    return made


def _by_name(name: str, arguments: dict[str, Any]) -> Task:
    # Inspect has no public function that makes a task from what its command line takes.
    from inspect_ai._eval.loader import load_tasks
    from inspect_ai._util.registry import registry_find

    try:
        tasks = load_tasks([name], arguments)
    except FileNotFoundError as error:
        raise OptionError(f"with_reasoning: no task {name!r}: {error}") from error
    if not tasks:
        known = [registry_info(found).name for found in registry_find(lambda info: info.type == "task")]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)  # not all of them: there may be hundreds
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise OptionError(
            f"with_reasoning: unknown task {name!r}{hint} Expected a registered name or a file with tasks."
        )
    if len(tasks) > 1:
        found = ", ".join(f"{name}@{task.name}" for task in tasks)
        raise OptionError(f"with_reasoning: expected one task, {name!r} holds {len(tasks)}: name one of {found}")
    return tasks[0]


def _is_ours(scorer: Scorer) -> bool:
    return registry_info(scorer).name == registry_info(reasoning).name
