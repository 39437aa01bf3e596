"""The order for a server that caches prefixes: a chain's longest sequence first, then all that branches off it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..tokenization.spans import TokenSpan

# A sequence that shares less than this with what is cached by then is a trunk itself (another control's steps).
_SHARED_WITH_A_TRUNK = 0.5


def trunks_first(chains: Sequence[Sequence[TokenSpan]]) -> list[list[list[tuple[int, int]]]]:
    """See `Dialect.stages`: a line for each chain, with its trunks one by one and then everything else at once."""
    return [[[(i, k) for k in stage] for stage in _stages(chain)] for i, chain in enumerate(chains) if chain]


def _stages(sequences: Sequence[TokenSpan]) -> list[list[int]]:
    """Stages of a chain: its trunks one by one, the longest first, then everything else at once."""
    trunks: list[int] = []
    rest: list[int] = []
    for i in sorted(range(len(sequences)), key=lambda i: -sequences[i].n):
        shared = max((_shared(sequences[i].ids, sequences[trunk].ids) for trunk in trunks), default=0)
        known = min(shared, sequences[i].start - 1) >= _SHARED_WITH_A_TRUNK * (sequences[i].start - 1)
        (rest if trunks and known else trunks).append(i)
    return [*([trunk] for trunk in trunks), *([rest] if rest else [])]


def _shared(left: np.ndarray, right: np.ndarray) -> int:
    n = min(len(left), len(right))
    different = np.flatnonzero(left[:n] != right[:n])
    return int(different[0]) if different.size else n
