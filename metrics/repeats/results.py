"""The result: a `RepeatRow` per measure, for all questions and by the length of their responses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..strict_json import without_nan


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with its 95 % interval; nan where no question has the number.

    Attributes:
        n: questions that have it.
        missing: {reason: questions} for the others.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Cells:
    """One measure: of the base (or only) run, of the tuned run, and their difference over the questions of both."""

    base: Estimate
    tuned: Estimate | None = None
    difference: Estimate | None = None


@dataclass(frozen=True)
class RepeatRow:
    """A measure over all responses, and without those that were cut off.

    Attributes:
        kept: the same without the responses that were cut off; None where none was, or the measure is their share.
        bucket: questions by the length of their responses (`short`, `middle`, `long`); "" for all questions.
    """

    measure: str
    label: str
    unit: str
    all: Cells
    kept: Cells | None = None
    bucket: str = ""


@dataclass(frozen=True)
class Repeats:
    """The repeats of one task.

    Attributes:
        task: None: all tasks.
        base, tuned: the runs' names; tuned is None for a run alone.
        accuracy: the run's metric that says what is right; None where there is none.
        samples: {responses per question: questions} of each run.
        buckets: the largest mean number of characters in the buckets `short` and `middle`; empty without buckets.
        reading: what the table says, in sentences.
    """

    task: str | None
    base: str
    tuned: str | None
    accuracy: str | None
    n_questions: int
    samples: Sequence[Mapping[int, int]]
    rows: Sequence[RepeatRow]
    buckets: Sequence[float] = ()
    reading: Sequence[str] = ()

    def row(self, measure: str, bucket: str = "") -> RepeatRow:
        """Raises KeyError."""
        for row in self.rows:
            if (row.measure, row.bucket) == (measure, bucket):
                return row
        raise KeyError(measure)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: nan becomes null."""
        return without_nan(asdict(self))
