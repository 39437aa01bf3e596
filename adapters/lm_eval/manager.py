"""`ScoringTaskManager`: a task manager for lm-eval whose tasks score their chains and whose groups pool the scores.

lm-eval builds the tasks as usual: it resolves names, tags, groups, wildcards, YAML files, folders, overrides and tasks
that have a Python class. Scoring is then added to the finished tasks.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from .groups import show_reasoning
from .kept_yaml import kept_yaml
from .options import KEY
from .paths import include_path as our_tasks
from .task import score_chains
from .thinking import warn_of_stripped_thinking
from .unscored_tasks import note_tasks_without_chain


class ScoringTaskManager(TaskManager):
    """A `TaskManager` that also finds our own tasks, and passes `options` to every task.

    Attributes:
        options: for every task of the run; they override a task's own options and `metadata.stepgauge`.
    """

    options: Mapping[str, Any] = {}

    def __init__(self, verbosity: str | None = None, include_path: Any = None, **kwargs: Any) -> None:
        metadata = dict(kwargs.pop("metadata", None) or {})
        given = metadata.get(KEY)
        if self.options:
            metadata[KEY] = {**(given if isinstance(given, Mapping) else {}), **self.options}
        with kept_yaml():
            super().__init__(verbosity, include_path=_with_ours(include_path), metadata=metadata, **kwargs)

    def load(self, task_list: Any) -> Any:
        loaded = super().load(task_list)
        metadata = dict(self.metadata or {})
        tasks, groups = loaded["tasks"], loaded.get("groups", {})
        for task in tasks.values():
            score_chains(task, {**metadata, **_own_metadata(task)})
        for group in groups.values():
            show_reasoning(group)
        note_tasks_without_chain(tasks, groups, self.task_index)
        warn_of_stripped_thinking(metadata)
        return loaded


@contextmanager
def scoring_tasks(options: Mapping[str, Any]) -> Iterator[None]:
    """A context in which everything lm-eval runs in this process scores its chains with `options`."""
    home: Any = importlib.import_module("lm_eval.tasks")
    ours = type(TaskManager.__name__, (ScoringTaskManager,), {"options": dict(options)})
    original = home.TaskManager
    home.TaskManager = ours  # lm-eval's command line looks the name up there after parsing its arguments
    try:
        yield
    finally:
        home.TaskManager = original


def _with_ours(include_path: Any) -> list[Any]:
    """The include paths with our tasks before the user's: if names clash, lm-eval uses the task found last."""
    theirs = list(include_path) if isinstance(include_path, list | tuple) else [include_path] if include_path else []
    ours = Path(our_tasks()).resolve()
    return theirs if any(Path(path).resolve() == ours for path in theirs) else [ours, *theirs]


def _own_metadata(task: Any) -> dict[str, Any]:
    """A task's metadata: that of its YAML, overridden by the run's."""
    found = getattr(getattr(task, "config", None), "metadata", None)
    return dict(found) if isinstance(found, Mapping) else {}
