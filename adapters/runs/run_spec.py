"""Parses `[NAME=]PATH[::MODEL]`, which names a run on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..formats.options import OptionError

SYNTAX = "[NAME=]PATH[::MODEL]"
ACCEPTED = (
    "what `stepgauge score` wrote (its folder, or scores.jsonl), lm-eval's output (its folder, or a "
    "samples_*.jsonl), Inspect logs, or chains in another form that `stepgauge score` reads"
)


@dataclass(frozen=True)
class Spec:
    """One run as the user named it.

    Attributes:
        text: the spec as given.
        path: an existing file or folder.
        name: the run's name in tables; None: the model's name.
        model: which of several models is meant; None: not given.
    """

    text: str
    path: Path
    name: str | None = None
    model: str | None = None

    @property
    def folder(self) -> str:
        """The folder's name, used for runs whose files name no model."""
        path = self.path.resolve()
        return (path.parent if self.path.is_file() else path).name or str(path)


def parse_spec(text: str) -> Spec:
    """Parse one spec. "=" and "::" that are part of an existing path belong to the path.

    Raises:
        OptionError: no such file or folder, or an empty part.
    """
    if not text.strip():
        raise OptionError(f"an empty path; expected {SYNTAX}, where PATH is {ACCEPTED}")
    for name, path, model in _readings(text):
        if path and Path(path).exists():
            if name is not None and not name.strip():
                raise OptionError(f"{text}: nothing before '='; expected {SYNTAX}")
            if model is not None and not model.strip():
                raise OptionError(f"{text}: no model after '::'; expected {SYNTAX}")
            return Spec(text, Path(path), name and name.strip(), model and model.strip())
    named = text.partition("=")
    path = (named[2] if named[1] and "/" not in named[0] else text).partition("::")[0]
    if not path:
        raise OptionError(f"{text}: no path; expected {SYNTAX}, where PATH is {ACCEPTED}")
    raise OptionError(f"{path}: no such file or folder; expected {ACCEPTED}")


def _readings(text: str) -> Iterator[tuple[str | None, str, str | None]]:
    """(name, path, model) for each way to read a spec, the one with the longest path first."""
    name, equals, rest = text.partition("=")
    for given, remainder in ((None, text), *(((name, rest),) if equals else ())):
        yield given, remainder, None
        at = remainder.find("::")
        while at >= 0:
            yield given, remainder[:at], remainder[at + 2 :]
            at = remainder.find("::", at + 1)
