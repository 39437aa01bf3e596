"""What a comparison of two runs says: a `Row` per measure and a `Verdict`, per task and overall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..strict_json import without_nan

VerdictName = Literal["trap", "gain", "regression", "no change", "underpowered"]
Direction = Literal["up", "down", "not significant", "not measured"]


@dataclass(frozen=True)
class Row:
    """One measure in both runs, over the questions where both have it.

    Attributes:
        measure: its key, such as `infogain_nats`.
        label, unit: for people.
        role: `outcome` rows are tested and corrected together; `confounder` rows show what else differs, untested.
        higher_is_better: None where neither direction is.
        n: questions (repeats averaged) where both runs have the number.
        n_clusters: distinct question texts among them, the units of resampling.
        base, tuned: means over those n questions; nan when there are none.
        difference: tuned - base.
        low, high: 95 % interval of the difference, paired bootstrap over clusters.
        relative: difference / |base|; nan where base is 0.
        p: two-sided, paired permutation over clusters; nan for confounders.
        p_holm: p corrected by Holm over the outcomes of this task.
        missing: {reason: questions} for paired questions that lack the number in either run.
        sd: standard deviation of the per-cluster differences.
        smallest: the smallest difference that the verdict wants to be able to see; nan where it plays no part.
        needed: questions needed to see it with the wanted power; None where it plays no part or cannot be told.
    """

    measure: str
    label: str
    unit: str = ""
    role: Literal["outcome", "confounder"] = "outcome"
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
    """What a task's rows come to, by the rule in docs/compare.md.

    Attributes:
        name: trap, gain, regression, no change or underpowered.
        why: one sentence with the numbers it rests on.
        accuracy, reasoning: the direction of each.
        needed: questions that would be needed, when underpowered.
    """

    name: VerdictName
    why: str
    accuracy: Direction
    reasoning: Direction
    needed: int | None = None


@dataclass(frozen=True)
class TaskComparison:
    """One task (or subject, or everything: `task` None) compared.

    Attributes:
        n_pairs: questions that both runs answered.
        only_base, only_tuned: questions of one run alone, left out.
        notes: cautions that the numbers call for (chains got longer, …).
    """

    task: str | None
    n_pairs: int
    only_base: int
    only_tuned: int
    rows: Sequence[Row]
    verdict: Verdict
    notes: Sequence[str] = ()

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
        scorer: the scoring LM of both, for people.
        paired_by: how many questions were paired by which key, such as {"document id": 300}.
        tasks: one per task.
        overall: all pairs together; None where there is one task only.
        notes: about the pairing and the runs as a whole.
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
