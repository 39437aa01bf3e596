"""Selects one of the models at a path, and gives runs the names that tables show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...metrics.model_names import short_names
from ...metrics.names import unknown_name
from ..formats.options import OptionError
from ..scored import SCORES_FILES
from .run_spec import Spec


def choose_model(models: Sequence[str], wanted: str, path: Path) -> str:
    """The model of that name, else the only one whose name contains it, ignoring case.

    Raises:
        OptionError: no model matches, or several do.
    """
    if wanted in models:
        return wanted
    folded = wanted.casefold()
    alike = [name for name in models if name.casefold() == folded] or [
        name for name in models if folded in name.casefold()
    ]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise OptionError(f"{path}::{wanted}: fits several models: {', '.join(alike)}; name one of them")
    raise OptionError(f"{path}::{wanted}: {unknown_name('model', wanted, models)}")


def several_models(spec: Spec, models: Sequence[str]) -> OptionError:
    """The error for a path with several models where one is needed."""
    name = f"{spec.name}=" if spec.name else ""
    example = f"{name}{spec.path}::{models[0]}"
    return OptionError(
        f"{spec.path}: holds {len(models)} models: {', '.join(models)}; "
        f"choose one with PATH::MODEL, such as '{example}'"
    )


def names_of(runs: Sequence[tuple[Spec, str]]) -> list[str]:
    """A name for each (spec, model): the given one, else the model's; runs of one model get their paths.

    Raises:
        OptionError: a name or a run is given twice.
    """
    given = [spec.name for spec, _ in runs if spec.name is not None]
    for name, count in Counter(given).items():
        if count > 1:
            raise OptionError(f"the name {name!r} is given to {count} runs; names must differ")
    short = short_names(model for _, model in runs)
    out = [spec.name or short[model] for spec, model in runs]
    unnamed: dict[str, list[int]] = {}
    for index, (spec, model) in enumerate(runs):
        if spec.name is None:
            unnamed.setdefault(model, []).append(index)
    for model, alike in unnamed.items():
        if len(alike) > 1:
            for index, name in zip(alike, _distinct([runs[index][0].path for index in alike], model), strict=True):
                out[index] = name
        elif short[model] in given:
            out[alike[0]] = f"{short[model]} ({runs[alike[0]][0].folder})"
    for name, count in Counter(out).items():
        if count > 1:
            raise OptionError(f"{count} runs would be called {name!r}; give them names with NAME=PATH")
    return out


def _distinct(paths: Sequence[Path], model: str) -> list[str]:
    """The shortest distinguishing parts of the paths."""
    parts = [_folder(path).parts for path in paths]
    if len(set(parts)) < len(parts):
        twice = next(path for path, of_path in zip(paths, parts, strict=True) if parts.count(of_path) > 1)
        raise OptionError(f"{twice}: model {model!r} of it is given twice; tell the runs apart with NAME=PATH")
    while min(map(len, parts)) > 1 and len({one[0] for one in parts}) == 1:
        parts = [one[1:] for one in parts]
    while min(map(len, parts)) > 1 and len({one[-1] for one in parts}) == 1:
        parts = [one[:-1] for one in parts]
    if len({len(one) for one in parts}) == 1:
        for single in zip(*parts, strict=True):
            if len(set(single)) == len(single):
                return list(single)
    return ["/".join(one) for one in parts]


def _folder(path: Path) -> Path:
    resolved = path.resolve()
    return resolved.parent if resolved.name in SCORES_FILES else resolved
