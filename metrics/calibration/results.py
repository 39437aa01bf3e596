"""The result: a `CalibrationRow` per number, of each kind of confidence and of abstentions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..repeats.results import Cells
from ..strict_json import without_nan

Kind = Literal["own_option", "own_option_per_token", "agreement", "abstention"]


@dataclass(frozen=True)
class CalibrationRow:
    """A number of the base (or only) run, of the tuned run, and their difference, over the questions of both.

    Attributes:
        kind: what the confidence is, or `abstention`.
        measure: `accuracy`, `confidence`, `ece`, `ece_by_chance`, `brier`, `auroc`, `aurc`; of abstentions
            `abstained`, `undetermined`, `accuracy_answered`, `precision`, `recall`, `f1`.
        all: `n` counts questions; `missing` says why a number is nan, or why questions lack it.
    """

    kind: Kind
    measure: str
    label: str
    all: Cells


@dataclass(frozen=True)
class Calibration:
    """Calibration and abstention of one task.

    Attributes:
        task: None: all tasks.
        base, tuned: the runs' names; tuned is None for a run alone.
        accuracy: the run's metric that says what is right; None where there is none.
        rows: only of the kinds that any question has.
        missing: {kind: {reason: questions}} of the other kinds.
    """

    task: str | None
    base: str
    tuned: str | None
    accuracy: str | None
    rows: Sequence[CalibrationRow]
    missing: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def row(self, kind: Kind, measure: str) -> CalibrationRow:
        """Raises KeyError."""
        for row in self.rows:
            if (row.kind, row.measure) == (kind, measure):
                return row
        raise KeyError((kind, measure))

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: nan becomes null."""
        return without_nan(asdict(self))
