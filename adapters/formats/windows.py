"""Groups the entries of all inputs into windows, counted from the start of the input."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .detect import items_of
from .entries import Entry, Passed, Skipped
from .sources import Source

WINDOW = 64


@dataclass
class Window:
    """Entries that are scored together, with the rows that were skipped or passed over on the way."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    last: bool = False


def windows(sources: Sequence[Source], size: int, limit: int | None = None) -> Iterator[Window]:
    """All of the input in windows of `size` rows (scorable or skipped); the last one may be empty."""
    window = Window()
    left = math.inf if limit is None else limit
    for source in sources:
        if left <= 0:
            break
        for item in items_of(source):
            if isinstance(item, Passed):
                window.passed[item.reason] += 1
                continue
            if len(window.entries) + len(window.skipped) == size:
                yield window
                window = Window()
            if isinstance(item, Skipped):
                window.skipped.append(item)
                continue
            window.entries.append(item)
            left -= 1
            if left <= 0:
                break
    for source in sources[:1]:
        source.wanted.check()
    window.last = True
    yield window
