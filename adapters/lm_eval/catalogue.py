"""Finds the tasks in lm-eval's index that have a usable chain of thought, by rules instead of a hand-written list.

`cot_detection.py` holds the rules. Reads only YAML and the source text of `!function`s: loads no data set and imports
no task code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import lm_eval.tasks

from .cot_detection import gold_source, obstacle, sign

_SHIPPED = Path(lm_eval.tasks.__file__).parent


@dataclass(frozen=True)
class ChainTask:
    """One task with a usable chain.

    Attributes:
        name: as in lm-eval's `--tasks`.
        groups: groups and tags it belongs to directly.
        gold: where its gold answer comes from.
        sign: why a chain of thought is expected.
        folder: its folder in lm-eval's task folder, or the folder of a YAML from elsewhere.
        data: path of its data set.
    """

    name: str
    groups: tuple[str, ...]
    gold: str
    sign: str
    folder: str
    data: str


@dataclass(frozen=True)
class Family:
    """Tasks in one folder over one data set: variants of prompt, subject or language."""

    tasks: tuple[ChainTask, ...]

    @property
    def name(self) -> str:
        """The task's name, or the common prefix of the tasks' names followed by `*`."""
        names = [task.name for task in self.tasks]
        shared = _common_prefix(names)
        if len(names) == 1:
            return shared
        if shared not in names:
            shared = shared[: max(shared.rfind("_"), shared.rfind("-")) + 1]
        return f"{shared}*" if shared else f"{self.tasks[0].folder}/*"

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups and tags of its tasks, those with the most tasks first."""
        counts: dict[str, int] = {}
        for task in self.tasks:
            for group in task.groups:
                counts[group] = counts.get(group, 0) + 1
        return tuple(sorted(counts, key=lambda group: (-counts[group], group)))

    @property
    def gold(self) -> tuple[str, ...]:
        """Where the tasks' gold answers come from, most frequent first."""
        return _most_frequent(task.gold for task in self.tasks)

    @property
    def signs(self) -> tuple[str, ...]:
        """Why chains are expected, most frequent first."""
        return _most_frequent(task.sign for task in self.tasks)


def chain_tasks(index: Mapping[str, Any]) -> list[ChainTask]:
    """Tasks with a usable chain, by name.

    Args:
        index: `lm_eval.tasks.TaskManager().task_index`.
    """
    containers = _containers(index)
    out = []
    for name, entry in sorted(index.items()):
        config = entry.cfg or {}
        if entry.yaml_path is None or not isinstance(config.get("task"), str) or obstacle(config) is not None:
            continue
        why = sign(config)
        if why is not None:
            groups = tuple(sorted({*containers.get(name, ()), *entry.tags}))
            folder = _folder(Path(entry.yaml_path))
            out.append(ChainTask(name, groups, gold_source(config) or "", why, folder, str(config.get("dataset_path"))))
    return out


def families(tasks: Iterable[ChainTask]) -> list[Family]:
    """Group tasks by folder and data set, sorted by family name."""
    found: dict[tuple[str, str], list[ChainTask]] = {}
    for task in tasks:
        found.setdefault((task.folder, task.data), []).append(task)
    return sorted((Family(tuple(members)) for members in found.values()), key=lambda family: family.name)


def matching(tasks: Sequence[ChainTask], pattern: str | None) -> list[ChainTask]:
    """Tasks whose name, group, tag or folder matches a wildcard pattern; without wildcards, contains the text."""
    if not pattern:
        return list(tasks)
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    return [task for task in tasks if any(fnmatchcase(name, wanted) for name in (task.name, task.folder, *task.groups))]


def _containers(index: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each task, group or tag the groups that list it as a member."""
    out: dict[str, set[str]] = {}
    for name, entry in index.items():
        if entry.kind.name == "GROUP":
            _add_members(name, (entry.cfg or {}).get("task"), out)
    return out


def _add_members(group: str, members: Any, out: dict[str, set[str]]) -> None:
    for member in [members] if isinstance(members, str) else members or []:
        if isinstance(member, Mapping):
            if isinstance(member.get("task"), list):  # a group defined inline in a group
                _add_members(str(member.get("group", group)), member["task"], out)
            member = member.get("group") or member.get("task")
        if isinstance(member, str):
            out.setdefault(member, set()).add(group)


def _folder(path: Path) -> str:
    try:
        return path.relative_to(_SHIPPED).parts[0]
    except ValueError:
        return str(path.parent)


def _common_prefix(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    return first[: next((i for i, letter in enumerate(first) if letter != last[i : i + 1]), len(first))]


def _most_frequent(values: Iterable[str]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return tuple(sorted(counts, key=lambda value: -counts[value]))
