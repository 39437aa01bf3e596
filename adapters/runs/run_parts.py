"""What readers return (`Part`: one model's records in one file; `Found`), and the filter for records (`Keep`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import Record
from ...metrics.names import unknown_name
from ..formats.entries import UNREADABLE_FILE, Unreadable
from ..formats.options import OptionError, Wanted

log = logging.getLogger(__name__)

FIELDS = ("task", "subject", "doc_id", "model")
_SHOWN = 10
_WARNED = 3  # rows of a file that are named on the way


@dataclass
class Part:
    """The records of one model in one file, in file order, with notes about them.

    Attributes:
        model: its name; the folder's name if the file names no model.
        scored: whether the file holds scores of ours.
    """

    file: Path
    model: str
    records: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scored: bool = True


@dataclass
class Found:
    """What a reader found: the parts of files with scores of ours, and of files without.

    Attributes:
        damaged: {file: why nothing of it can be read}.
    """

    parts: list[Part] = field(default_factory=list)
    unscored: list[Part] = field(default_factory=list)
    damaged: dict[Path, str] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        self.parts += other.parts
        self.unscored += other.unscored
        self.damaged |= other.damaged

    def leave_out(self, file: Path, problem: object) -> None:
        """Note that nothing of a file can be read, and warn."""
        log.warning("%s: left out: %s", file, problem)
        self.damaged[file] = str(problem)


class LostRows:
    """Counts a file's rows that cannot be read, and warns of the first ones."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reasons: list[str] = []

    def add(self, where: str, problem: object) -> None:
        self._reasons.append(f"{where}: {problem}")
        if len(self._reasons) <= _WARNED:
            log.warning("left out: %s", self._reasons[-1])

    def notes(self, *, read: bool) -> list[str]:
        """What a reader of the numbers should know. Raises Unreadable unless another row of the file could be read."""
        if not self._reasons:
            return []
        if not read:
            raise Unreadable(UNREADABLE_FILE, f"no row in it can be read; the first: {self._reasons[0]}")
        count = plural(len(self._reasons), "row")
        return [f"{self._file.name}: {count} that cannot be read left out; the first: {self._reasons[0]}"]


Which = TypeVar("Which")


def take_newest(task: str, versions: Sequence[tuple[Which, Path]], read: Callable[[Path, Which], Part]) -> Found:
    """The newest of several runs of a task that has scores of ours; if none has, the newest.

    Args:
        versions: a description and the file of each run, newest first.
        read: returns a run's records. One that raises Unreadable is left out.

    Returns:
        The part of that run, with a note about the others.
    """
    found = Found()
    newest: Part | None = None
    for which, path in versions:
        try:
            part = read(path, which)
        except Unreadable as problem:
            found.leave_out(path, problem)
            continue
        newest = part if newest is None or part.scored else newest
        if part.scored:
            break
    if newest is None:
        return found
    if others := [other.name for _, other in versions if other not in (newest.file, *found.damaged)]:
        newest.notes.append(f"task {task}: {newest.file.name} was taken, the newest; left out: {', '.join(others)}")
    found.add(Found([newest]) if newest.scored else Found(unscored=[newest]))
    return found


class Keep:
    """`--where` for one path: filters records and remembers which values occurred.

    Attributes:
        folder: used as the model's name if a file names none.
    """

    def __init__(self, pairs: Sequence[str], folder: str) -> None:
        """Raises OptionError for a text that is not FIELD=VALUE, and for a field that is not in `FIELDS`."""
        self.folder = folder
        self._pairs = list(pairs)
        self._wanted = Wanted.parse(pairs)
        self._seen: dict[str, dict[str, None]] = {}
        for name in self._wanted.fields:
            if name not in FIELDS:
                raise OptionError(f"--where: {unknown_name('field', name, FIELDS)}")

    def model(self, name: str | None) -> str:
        return name or self.folder

    def fits(self, *, task: str | None, subject: str | None, doc_id: str | None, model: str | None) -> bool:
        row = {"task": task, "subject": subject, "doc_id": doc_id, "model": self.model(model)}
        for name in self._wanted.fields:
            values = self._seen.setdefault(name, {})
            if row[name] is not None and len(values) <= _SHOWN:
                values[row[name]] = None
        return self._wanted.fits(row)

    def nothing_fits(self) -> str:
        """A message that the filter left nothing, with the values that occurred."""
        there = (f"{name} has {_listed(values)}" for name, values in self._seen.items())
        return f"no chain fits --where {' '.join(self._pairs)}; {'; '.join(there)}"


def _listed(values: Iterable[str]) -> str:
    shown = [f"{value:.60}" for value in values]
    more = ", …" if len(shown) > _SHOWN else ""
    return (", ".join(shown[:_SHOWN]) or "no value") + more
