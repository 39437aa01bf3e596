"""`Source`: one input file, its format, and how its items are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .entries import Item, Passed, Skipped, Unreadable, Where
from .options import Settings, Wanted
from .rows import open_stream, read_rows

ReadRow = Callable[[Where, Mapping[str, Any]], Iterable[Item]]


@dataclass
class Source:
    """An input file.

    Attributes:
        name: the path as the user gave it, or found below the folder they gave.
        format: a key of `detect.FORMATS`.
        array: the file is one JSON array, not JSON Lines.
        settings, lm_eval_filter: how rows are read.
        wanted: which rows are read.
        size, done: bytes of the file, and how many have been read; for progress.
    """

    name: str
    format: str
    array: bool = False
    settings: Settings = field(default_factory=Settings)
    lm_eval_filter: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    size: int = 0
    done: int = 0

    @property
    def path(self) -> Path:
        return Path(self.name)


def row_items(source: Source, read_row: ReadRow, finish: Callable[[], Iterable[Item]] = tuple) -> Iterator[Item]:
    """Everything in a file of JSON rows, in order; `finish` gives what only shows at its end."""
    with open_stream(source.path) as stream:
        for number, row in read_rows(stream.bytes, array=source.array):
            source.done = stream.position()
            where = Where(source.name, number)
            try:
                if isinstance(row, Unreadable):
                    raise row
                if source.wanted.fits(row):
                    yield from read_row(where, row)
                else:
                    yield Passed("left out by --where")
            except Unreadable as problem:
                yield Skipped(where, problem.kind, str(problem))
    yield from finish()
    source.done = source.size
