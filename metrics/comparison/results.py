"""The result of comparing two runs: a `Row` per measure and a `Verdict`, per task and overall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..strict_json import without_nan
from .flips import Flips

VerdictName = Literal["trap", "decorative", "gain", "regression", "up", "down", "no change", "underpowered"]
Role = Literal["deciding", "exploratory", "confounder"]
Direction = Literal["up", "down", "not significant", "not measured"]


@dataclass(frozen=True)
class Row:
    """One measure in both runs, over the questions where both have it.

    Attributes:
        measure: its key, such as `infogain_nats`.
        label, unit: for display.
        role: `deciding` rows (accuracy and the measures chosen for the verdict) are tested and corrected together;
            `exploratory` rows have an uncorrected interval and no test; `confounder` rows show other differences.
        higher_is_better: None where neither direction is better.
        n: questions (repeats averaged) where both runs have the number.
        n_clusters: distinct question texts among them, the units of resampling.
        base, tuned: means over those n questions; nan when there are none.
        difference: tuned - base.
        low, high: 95 % interval of the difference over clusters, of this row alone: Bonett and Price's for numbers
            between 0 and 1, else a paired bootstrap.
        relative: difference / |base|; nan where base is 0.
        p: two-sided paired permutation test over clusters; nan for rows that do not decide.
        p_holm: p after Holm's correction over the deciding rows of this task.
        missing: {reason: questions} for paired questions that lack the number in either run.
        sd: standard deviation of the per-cluster differences.
        smallest: the smallest difference that matters; nan for rows that do not decide.
        needed: questions needed to tell it from none with the required power; None for rows that do not decide, or
            where it cannot be computed.
    """

    measure: str
    label: str
    unit: str = ""
    role: Role = "exploratory"
    higher_is_better: bool | None = None
    n: int = 0
    n_clusters: int = 0
    base: float = math.nan
    tuned: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    relative: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    missing: Mapping[str, int] = field(default_factory=dict)
    sd: float = math.nan
    smallest: float = math.nan
    needed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The conclusion from a task's rows, by the rule in docs/compare.md.

    Attributes:
        name: trap, regression, decorative, gain, no change or underpowered; of runs without reasoning scores up, down,
            no change or underpowered.
        why: one sentence with the numbers behind it.
        accuracy, reasoning: the direction in which each moved.
        needed: questions that would be needed, if underpowered.
    """

    name: VerdictName
    why: str
    accuracy: Direction
    reasoning: Direction
    needed: int | None = None


@dataclass(frozen=True)
class TaskComparison:
    """The comparison on one task or subject, or on everything (`task` None).

    Attributes:
        n_pairs: questions that both runs answered.
        only_base, only_tuned: questions found in one run only; they are left out.
        notes: cautions about reading the numbers (chains got longer, …).
        flips: questions that one run gets right and the other wrong; None overall, and for runs without accuracy.
    """

    task: str | None
    n_pairs: int
    only_base: int
    only_tuned: int
    rows: Sequence[Row]
    verdict: Verdict
    notes: Sequence[str] = ()
    flips: Flips | None = None

    def row(self, measure: str) -> Row:
        """Raises KeyError."""
        for row in self.rows:
            if row.measure == measure:
                return row
        raise KeyError(measure)


@dataclass(frozen=True)
class Comparison:
    """A tuned run against a base run.

    Attributes:
        base, tuned: names of the runs.
        accuracy_name: the run's metric that counts as accuracy; None where there is none.
        scorer: the scoring LM of both runs, for display.
        paired_by: how many questions each key paired, such as {"document id": 300}.
        tasks: one entry per task.
        overall: all pairs together; None if there is only one task.
        notes: remarks on the pairing and on the runs as a whole.
        settings: alpha, power, resamples, seed, deciding measures, smallest differences.
    """

    base: str
    tuned: str
    accuracy_name: str | None
    scorer: str
    paired_by: Mapping[str, int]
    tasks: Sequence[TaskComparison]
    overall: TaskComparison | None = None
    notes: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all(self) -> list[TaskComparison]:
        """The tasks, then overall."""
        return [*self.tasks, *([self.overall] if self.overall else [])]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: nan becomes null."""
        return without_nan(asdict(self))
