"""Reads the chains that a scorer is fitted on from files of finished runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...metrics import Trace
from ...metrics.fitting import question_hashes
from ...metrics.retrieval.manifest import sha256
from .sources import Source
from .windows import WINDOW, windows

log = logging.getLogger(__name__)

_WARNED = 3  # times that a skipped row is shown


@dataclass
class FittingData:
    """What was read.

    Attributes:
        chains: in the order of the files.
        skipped: rows that cannot be read, and rows without a chain of their own, counted by reason.
    """

    chains: list[Trace] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def read_chains(sources: Sequence[Source], limit: int | None = None) -> FittingData:
    """All chains of the input. Raises OptionError where `--where` names a field that no row has."""
    data = FittingData()
    for window in windows(sources, WINDOW, limit):
        data.chains += [entry.trace for entry in window.entries]
        data.skipped.update(window.passed)
        for item in window.skipped:
            if sum(data.skipped.values()) < _WARNED:
                log.warning("skipped %s: %s", item.where, item.reason)
            data.skipped[item.kind] += 1
    return data


def asked_in(sources: Sequence[Source]) -> frozenset[str]:
    """Hashes of all questions in these files."""
    entries = (entry for window in windows(sources, WINDOW) for entry in window.entries)
    return frozenset(found for entry in entries for found in question_hashes(entry.trace))


def digests(sources: Sequence[Source]) -> Mapping[str, str]:
    """SHA-256 of each file by its name; by the path as given where two are called alike."""
    names = Counter(source.path.name for source in sources)
    return {
        source.path.name if names[source.path.name] == 1 else source.name: sha256(source.path) for source in sources
    }
