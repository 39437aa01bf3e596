"""Means over the questions of a scored file, repeats averaged first; missing values counted by reason.

A live run weights by question, too: lm-eval averages a document's repeats, Inspect a sample's epochs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..formats import rows as formats
from ..formats.entries import Unreadable
from ..formats.options import OptionError
from ..formats.rows import open_stream
from ..scored import SCORES, FieldError, is_row, scores_in
from .packed import Unpacker

_REASONS = 20  # distinct reasons kept per metric; the rest are counted together


@dataclass
class Mean:
    """A mean over the questions that have the number, each with the mean of its chains that have it.

    Attributes:
        n: chains that have the number.
        missing: why the others have not, {reason: chains}.
    """

    n: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    _chains: dict[str, tuple[float, int]] = field(default_factory=dict)  # sum and number of each question's

    def add(self, value: float | None, question: str, reason: str = "no reason given") -> None:
        if value is not None:
            self.n += 1
            total, count = self._chains.get(question, (0.0, 0))
            self._chains[question] = (total + value, count + 1)
            return
        known = reason in self.missing or len(self.missing) < _REASONS
        self.missing[reason if known else "other reasons"] += 1

    @property
    def of_questions(self) -> dict[str, float]:
        """Each question's number."""
        return {question: total / count for question, (total, count) in self._chains.items()}

    @property
    def mean(self) -> float | None:
        values = self.of_questions.values()
        return math.fsum(values) / len(values) if values else None

    def to_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "n": self.n, "questions": len(self._chains), "missing": dict(self.missing)}


def question_of(row: Mapping[str, Any]) -> str:
    """What a row's chain is a repeat of, among the rows of its file, task and model: a document, else a question."""
    return f"{row['doc_id']}\0{row['question_hash']}"


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a scored folder, unpacked, one at a time. Raises OptionError for one that was damaged since."""
    path = scores_in(folder)
    if path is None:
        raise OptionError(f"{folder}: its {SCORES} is gone; --restart scores the chains again")
    unpacker = Unpacker()
    with open_stream(path) as stream:
        for number, row in formats.read_rows(stream, array=False):
            try:
                if isinstance(row, Unreadable):
                    raise row
                if not is_row(row):
                    raise FieldError("it holds no score")
                unpacked = unpacker.unpack(row)
            except (Unreadable, FieldError) as error:
                raise OptionError(
                    f"{path}, row {number}: damaged ({error!s:.80}), so that chains cannot be summed up; "
                    "--restart scores them again"
                ) from error
            yield unpacked
