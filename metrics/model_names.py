"""Names of models as tables show them: a model loaded from a folder is called by that folder, not by the way to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# Of an absolute path, also behind a provider of Inspect's ("hf//tmp/run/model"). A relative one was typed by somebody.
_PATH = re.compile(r"(?:[\w-]+/)?/|~|[A-Za-z]:[\\/]|\\\\")
_SNAPSHOT = re.compile(r"models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\][^/\\]+[/\\]?$")  # in the hub's cache


def short_names(models: Iterable[str]) -> dict[str, str]:
    """`{model: its name}`: the last part of a path, or as many as tell it from the others; other names as they are."""
    parts = {model: _parts(model) for model in dict.fromkeys(models)}
    length = dict.fromkeys(parts, 1)
    while True:
        names = {model: "/".join(of_model[-length[model] :]) for model, of_model in parts.items()}
        alike: dict[str, list[str]] = {}
        for model, name in names.items():
            alike.setdefault(name, []).append(model)
        unclear = [one for same in alike.values() if len(same) > 1 for one in same if length[one] < len(parts[one])]
        if not unclear:
            return {model: name if len(alike[name]) == 1 else model for model, name in names.items()}
        for model in unclear:
            length[model] += 1


def _parts(model: str) -> list[str]:
    if (cached := _SNAPSHOT.search(model)) is not None:
        return [f"{cached[1]}/{cached[2]}"]
    if not _PATH.match(model):
        return [model]
    return [part for part in re.split(r"[/\\]", model) if part] or [model]


def source_of(model: str) -> str:
    """A hub id or a folder as transformers takes it."""
    return str(Path(model).expanduser()) if model.startswith("~") else model


def called(source: str) -> str:
    """What to call a checkpoint: a folder by its own name, as where it lies says nothing; a hub id as it is."""
    return Path(source).name if Path(source).is_dir() else source
