"""One token sequence of which the end is scored, as a piece of a longer one that others share, and what follows it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NO_TOKENS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """Token ids up to the end of the scored span, and the index of the span's first token (at least 1).

    `TokenSpan(ids, start)` has ids of its own. Prefixes of one chain hold its ids once, as their trunk.

    Attributes:
        trunk: what the ids begin with; sequences of one chain have the same array.
        weights: (n - start,) what each scored token's log-probability counts; None: 1 each.
        cut: how many of the trunk's ids the sequence begins with; None: all.
        tail: the ids after them.
    """

    trunk: np.ndarray
    start: int
    weights: np.ndarray | None = None
    cut: int | None = None
    tail: np.ndarray = field(default_factory=lambda: NO_TOKENS)

    @property
    def shared(self) -> int:
        """The number of ids that come from the trunk."""
        return len(self.trunk) if self.cut is None else self.cut

    @property
    def n(self) -> int:
        """The number of ids."""
        return self.shared + len(self.tail)

    @property
    def ids(self) -> np.ndarray:
        """(n,) all ids, put together whenever they are asked for."""
        return np.concatenate([self.trunk[: self.shared], self.tail]) if len(self.tail) else self.trunk[: self.shared]

    @property
    def targets(self) -> np.ndarray:
        """(n - start,) the ids that are scored."""
        if self.start >= self.shared:
            return self.tail[self.start - self.shared :]
        return np.concatenate([self.trunk[self.start : self.shared], self.tail])


def common_prefix(left: np.ndarray, right: np.ndarray) -> int:
    """The number of ids with which both begin."""
    length = min(len(left), len(right))
    different = np.flatnonzero(left[:length] != right[:length])
    return int(different[0]) if different.size else length
