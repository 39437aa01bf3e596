"""Chooses one splitter for runs that are scored together, so that chains which are compared are cut alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...metrics.segment import auto_choices
from ..formats.sources import Source
from ..formats.windows import WINDOW, windows


def one_splitter(sources: Sequence[Source], limit: int | None = None) -> tuple[str, Counter[str]]:
    """Reads all inputs once.

    Returns:
        The splitter that `auto` chooses for most chains (`auto:lines`; of equally many the coarsest), and for how many
        it chooses which. "auto" where there is no chain.
    """
    counts: Counter[str] = Counter()
    for window in windows(sources, WINDOW, limit):
        for entry in window.entries:
            counts.update(auto_choices(entry.trace))
    for source in sources:
        source.done = 0
    order = ("numbered", "paragraphs", "lines", "sentences")
    most = max(order, key=lambda name: (counts[name], -order.index(name)))
    return (f"auto:{most}" if counts[most] else "auto"), counts
