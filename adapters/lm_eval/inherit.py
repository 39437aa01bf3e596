"""Fills a task's configuration from a task that lm-eval knows by name.

`simple_evaluate(tasks=[{"task": "gsm8k_cot", "class": StepTask}])` passes only those two keys to the class (lm-eval
0.4.13 does not merge an inline dict with the registered task), and our YAMLs cannot `include` lm-eval's, because they
do not know its folder.
"""

from __future__ import annotations

import functools
from copy import deepcopy
from typing import Any

from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from ...metrics.names import unknown_name
from .kept_yaml import kept_yaml
from .options import KEY
from .paths import include_path

# Keys that place a task in lm-eval's index; a task does not inherit them.
_PLACEMENT = ("tag", "group", "task_list", "task_alias", "include", "class")


@functools.cache
def _index() -> dict[str, Any]:
    with kept_yaml():
        return TaskManager(include_path=include_path()).task_index


def is_complete(config: dict[str, Any]) -> bool:
    """Whether a configuration defines its documents, its prompt and its metrics."""
    has_documents = bool(config.get("dataset_path") or config.get("custom_dataset"))
    asks = bool(config.get("use_prompt")) or config.get("doc_to_text") is not None
    judges = bool(config.get("use_prompt") or config.get("process_results")) or config.get("doc_to_target") is not None
    return has_documents and asks and judges


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """Fill `config` from `stepgauge: {base: <task>}` or, if it is incomplete, from the registered task it names.

    Keys in `config` take precedence; `metadata` and our options are merged key by key. `base` is removed.

    Raises:
        ValueError: lm-eval knows no task of that name, or it is a group or a Python class.
    """
    options = config.get(KEY) or {}
    if not isinstance(options, dict):
        return config  # `read_options` reports the mistake
    options = dict(options)
    base = options.pop("base", None)
    merged = {**config, KEY: options}
    if base is None and not is_complete(config):
        base = config.get("task")
    seen: set[str] = set()
    while base is not None and base not in seen:
        seen.add(base)
        merged, base = _inherit(merged, base)
    return merged


def _inherit(config: dict[str, Any], base: str) -> tuple[dict[str, Any], str | None]:
    """`config` merged over the registered task `base`, and the name of the task that `base` inherits from, if any."""
    name = config.get("task")
    entry = _index().get(base)
    if entry is None or entry.yaml_path is None:
        alike = sorted(key for key in _index() if key[:3] == str(base)[:3])
        raise ValueError(
            f"task {name!r} is not configured in full, and lm-eval has no task of that name to take the rest from: "
            f"{unknown_name('task', base, alike[:20])}. For a task of your own give the whole configuration"
        )
    inherited = deepcopy(load_yaml(entry.yaml_path, resolve_func=True))
    if not isinstance(inherited.get("task"), str):
        raise ValueError(f"task {name!r}: {base!r} is a group; name one of its tasks")
    options = dict(inherited.get(KEY) or {})
    next_base = options.pop("base", None)
    if "class" in inherited and next_base is None and not is_complete(inherited):
        raise ValueError(
            f"task {name!r}: {base!r} is the Python class {inherited['class']!r}; "
            "use `stepgauge.adapters.lm_eval.reasoning(<that class>)` as its class"
        )
    merged = {key: value for key, value in inherited.items() if key not in _PLACEMENT} | config
    merged[KEY] = {**options, **config[KEY]}
    merged["metadata"] = {**(inherited.get("metadata") or {}), **(config.get("metadata") or {})}
    return merged, next_base
