"""`--dry-run`: shows what the inputs contain and how chains would be split into steps; scores and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from ...metrics.names import lookup
from ...metrics.plugins import registry
from ...metrics.printable import printable
from ...metrics.segment import CHOSEN, Splitter, segment
from ..formats.detect import FORMATS
from ..formats.entries import Entry
from ..formats.sources import Source
from .progress import Progress
from .run import WINDOW, windows

_SHOWN_REASONS = 30


@dataclass
class Found:
    """What one input contains.

    Attributes:
        without: chains that will lack numbers, by reason; `chains` counts them, too.
    """

    source: Source
    chains: int = 0
    steps: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)


def look(
    sources: Sequence[Source],
    splitter: str | Splitter = "auto",
    limit: int | None = None,
    progress: Progress | None = None,
) -> tuple[list[Found], Counter[str]]:
    """Read everything and split it into steps; returns what each input contains, and skipped rows by reason."""
    found = {source.name: Found(source) for source in sources}
    passed: Counter[str] = Counter()
    named = isinstance(splitter, str)
    cut = lookup("splitter", {**CHOSEN, **registry().splitters}, splitter) if named else splitter
    with progress or Progress(sources, limit) as bar:
        for window in windows(sources, WINDOW, limit):
            passed.update(window.passed)
            for skipped in window.skipped:
                found[skipped.where.file].skipped[skipped.kind] += 1
            for entry in window.entries:
                _count(found[entry.where.file], entry, cut)
            bar.scored(len(window.entries))
    return list(found.values()), passed


def _count(found: Found, entry: Entry, splitter: Splitter) -> None:
    found.chains += 1
    try:
        cut = segment([entry.trace], splitter)[0]
    except ValueError:  # a third-party splitter's failure
        found.without["the splitter failed"] += 1
        return
    found.steps += len(cut.steps)
    if not cut.steps:
        found.without["the response holds no text" if not entry.trace.response.strip() else "no step"] += 1
    if not entry.trace.answers:
        found.without["no gold answer"] += 1
    for note in (*entry.notes, *cut.notes):
        found.without[f"note: {note}" if len(found.without) < _SHOWN_REASONS else "other notes"] += 1


def found_table(found: Sequence[Found]) -> Table:
    """A table with one row per input and one for each reason."""
    table = Table(box=None, pad_edge=False)
    for title in ("input", "format", "chains", "steps", "steps a chain", "skipped"):
        name = title in ("input", "format")
        table.add_column(title, justify="left" if name else "right", no_wrap=not name, overflow="fold")
    for one in found:
        numbers = (f"{one.chains:,}", f"{one.steps:,}", f"{one.steps / one.chains:.1f}" if one.chains else "–")
        title = FORMATS[one.source.format].title if one.source.problem is None else "–"
        table.add_row(Text(printable(one.source.path.name)), title, *numbers, f"{one.skipped.total():,}")
        for reason, count in one.skipped.most_common(_SHOWN_REASONS):
            table.add_row(Text(f"  skipped: {printable(reason)}"), "", "", "", "", f"{count:,}")
        for reason, count in one.without.most_common(_SHOWN_REASONS):
            table.add_row(Text(f"  {printable(reason)}"), "", f"{count:,}", "", "", "")
    return table
