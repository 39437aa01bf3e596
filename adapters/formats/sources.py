"""`Source`: one input file, its format, and how its items are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...metrics.errors import StepgaugeError
from .entries import Item, Passed, Skipped, Unreadable, Where
from .options import Settings, Wanted
from .rows import Row, open_stream, read_rows

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
        problem: why nothing of the file can be read; it then counts as one row that is skipped.
    """

    name: str
    format: str
    array: bool = False
    settings: Settings = field(default_factory=Settings)
    lm_eval_filter: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    size: int = 0
    done: int = 0
    problem: Unreadable | None = None

    @property
    def path(self) -> Path:
        return Path(self.name)


def row_items(source: Source, read_row: ReadRow, finish: Callable[[], Iterable[Item]] = tuple) -> Iterator[Item]:
    """Everything in a file of JSON rows, in order; `finish` gives what only shows at its end. Raises Unreadable."""
    with open_stream(source.path) as stream:
        for number, row in read_rows(stream, array=source.array):
            source.done = stream.position()
            yield from _items_in(source, Where(source.name, number), row, read_row)
    yield from finish()
    source.done = source.size


def _items_in(source: Source, where: Where, row: Row, read_row: ReadRow) -> Iterator[Item]:
    try:
        if isinstance(row, Unreadable):
            raise row
        if source.wanted.fits(row):
            yield from read_row(where, row)
        else:
            yield Passed("left out by --where")
    except Unreadable as problem:
        yield Skipped(where, problem.kind, str(problem))
    except StepgaugeError:  # an option does not fit the file
        raise
    # Readers refuse what they know of by Unreadable. What nobody thought of costs its own row, too, and is named.
    except Exception as error:
        yield Skipped(where, "the row cannot be read", f"the row cannot be read: {type(error).__name__}: {error}"[:300])
