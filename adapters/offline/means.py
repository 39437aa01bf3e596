"""Means over the rows of a scored file, with missing values counted by reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .out_folder import SCORES

_REASONS = 20  # distinct reasons kept per metric; the rest are counted together


@dataclass
class Mean:
    """A mean over the values that exist, their number, and why the others are missing."""

    n: int = 0
    total: float = 0.0
    missing: Counter[str] = field(default_factory=Counter)

    def add(self, value: float | None, reason: str = "no reason given") -> None:
        if value is not None:
            self.n += 1
            self.total += value
            return
        known = reason in self.missing or len(self.missing) < _REASONS
        self.missing[reason if known else "other reasons"] += 1

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    def to_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "n": self.n, "missing": dict(self.missing)}


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a scored folder, one at a time."""
    with (folder / SCORES).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
