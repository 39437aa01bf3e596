"""The options under `stepgauge:` in a task's YAML, and the other places they may come from.

From weakest to strongest: the core's defaults; the environment variable STEPGAUGE_OPTIONS (a JSON object), for every
task of every run; the task's own `stepgauge:` key; `--metadata '{"stepgauge": {…}}'` of one run.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...metrics import Gauge
from ...metrics.addresses import without_login
from ...metrics.names import unknown_name

ENVIRONMENT = "STEPGAUGE_OPTIONS"
KEY = "stepgauge"

# Options that this adapter itself reads; every other option is an argument of `Gauge`, which checks it.
_TEMPLATES = ("question", "gold", "choices", "passages")
_OWN = ("metrics", *_TEMPLATES)


@dataclass(frozen=True)
class Options:
    """One task's options, with names checked.

    Attributes:
        task: the task's name, for messages.
        gauge: arguments for `Gauge`, as given.
        metrics: names of the metrics to report, or `all`; None: the default columns.
        question, gold, choices, passages: a field of the document, or a Jinja template over it; None: see
            `documents.py`.
    """

    task: str
    gauge: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] | None = None
    question: str | None = None
    gold: str | None = None
    choices: str | None = None
    passages: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The given options, for the results file."""
        metrics = {"metrics": list(self.metrics)} if self.metrics else {}
        return {**self.gauge, **metrics, **self.templates}

    @property
    def templates(self) -> dict[str, str]:
        """The given templates, by option name."""
        return {name: value for name in _TEMPLATES if (value := getattr(self, name)) is not None}


def read_options(task: str, config: Mapping[str, Any]) -> Options:
    """Merge the sources for one task.

    Args:
        task: the task's name.
        config: the task's configuration after `inherit.complete` removed `base`; its `stepgauge` key and
            `metadata.stepgauge` are read.

    Raises:
        ValueError, TypeError: an unknown option or a value of the wrong type; names the task, the option, where it
            was given, and the nearest valid name.
    """
    metadata = config.get("metadata")
    sources = {
        f"environment variable {ENVIRONMENT}": _from_environment(),
        f"the task's {KEY!r} key": config.get(KEY),
        f"metadata.{KEY}": metadata.get(KEY) if isinstance(metadata, Mapping) else None,
    }
    known = [*_OWN, *(name for name in inspect.signature(Gauge).parameters if name != "progress")]
    merged: dict[str, Any] = {}
    for source, given in sources.items():
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise TypeError(f"task {task!r}: {source} must hold options by name, got {without_login(given)!r:.80}")
        for name in given:
            if name not in known:
                valid = ["base", *known] if "key" in source else known
                raise ValueError(f"task {task!r}, {source}: {unknown_name('option', name, valid)}")
        merged.update(given)
    if isinstance(merged.get("controls"), str):  # `--stepgauge controls=filler,shuffled`
        merged["controls"] = _split(merged["controls"])
    own = {name: merged.pop(name) for name in _OWN if name in merged}
    for name in _TEMPLATES:
        if own.get(name) is not None and not isinstance(own[name], str):
            raise TypeError(f"task {task!r}: option {name!r} must be text, got {own[name]!r:.80}")
    if own.get("metrics") is not None:
        own["metrics"] = _names(task, own["metrics"])
    return Options(task=task, gauge=merged, **own)


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _names(task: str, given: Any) -> tuple[str, ...]:
    names = _split(given) if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"task {task!r}: option 'metrics' must be a list of metric names, got {given!r:.80}")
    return tuple(dict.fromkeys(names))


def _from_environment() -> Any:
    text = os.environ.get(ENVIRONMENT)
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"environment variable {ENVIRONMENT} must hold a JSON object of options, got {without_login(text)!r:.80}: "
            f"{error}"
        ) from error
