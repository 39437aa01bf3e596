"""`repeats_of`: the table of a run with several responses to a question, or of two such runs, question by question."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..comparison.measures import OUTCOMES, SAME_LENGTH
from ..comparison.pairs import Pair, by_side
from ..comparison.statistics import Clustered, clustered, intervals, share_interval, unanimous_interval
from ..errors import Missing
from .estimators import pass_at_k, pass_hat_k
from .reading import reading
from .results import Cells, Estimate, RepeatRow, Repeats
from .values import (
    RepeatMeasure,
    Responses,
    accuracies,
    answer_entropy,
    between,
    cut_off,
    gains,
    longer_minus_shorter,
    majority,
    mean_accuracy,
    of_k,
    spread,
)

_GAIN_UNITS = ("nats", "bits", "PPL")
_LARGEST_VARIANCE = 0.5  # of two shares, 0 and 1; of more it is smaller
_ROUNDING = 1e-12  # sums of equal numbers in another order
_BUCKETS = ("short", "middle", "long")


_Question = tuple[str, tuple[Responses, ...]]  # cluster; the responses of each run


def repeats_of(
    pairs: Sequence[Pair],
    names: Sequence[str],
    accuracy: str | None,
    *,
    task: str | None = None,
    resamples: int = 9999,
    seed: int = 0,
) -> Repeats:
    """The numbers of the questions that every run answered twice or more.

    Args:
        pairs: questions; of a run alone both sides are the same and `tuned` is not looked at.
        names: of the base run, and of the tuned run where there is one.
        accuracy: the metric that says what is right; None: none does.
        task: only its questions; None: all.
    """
    sides = len(names)
    questions = [one for one in by_side(pairs, sides, task) if all(len(responses) > 1 for responses in one[1])]
    samples = [dict(sorted(Counter(len(one[1][side]) for one in questions).items())) for side in range(sides)]
    kept = [(cluster, tuple(_kept(one) for one in sides_)) for cluster, sides_ in questions]
    drops = any(
        len(a) != len(b)
        for one, other in zip(questions, kept, strict=True)
        for a, b in zip(one[1], other[1], strict=True)
    )
    n = min((max(count, key=lambda size: count[size]) for count in samples if count), default=0)
    measures = _measures(accuracy, n)
    parts: list[tuple[str, RepeatMeasure, list[_Question], list[_Question] | None]] = [
        ("", one, questions, kept if drops and one.key != "cut_off" else None) for one in measures
    ]
    edges, buckets = _by_length(questions)
    chosen = {"pass@1", f"pass@{n}", f"pass^{n}", "within", "between", "cut_off"}
    parts += [(name, one, members, None) for name, members in buckets.items() for one in measures if one.key in chosen]
    rows = _rows(parts, resamples=resamples, seed=seed)
    rows = [row for row in rows if not row.bucket or row.all.base.n]
    return Repeats(
        task=task,
        base=names[0],
        tuned=names[1] if sides > 1 else None,
        accuracy=accuracy,
        n_questions=len(questions),
        samples=samples,
        rows=rows,
        buckets=edges,
        reading=reading(rows, n, names),
    )


def ks(n: int) -> list[int]:
    """1, 2, 4, … and n."""
    return sorted({2**power for power in range(n.bit_length()) if 2**power <= n} | ({n} if n else set()))


def _kept(responses: Responses) -> Responses:
    return [one for one in responses if one.cut_off is not True]


def _measures(accuracy: str | None, n: int) -> list[RepeatMeasure]:
    out: list[RepeatMeasure] = []
    if accuracy is not None:
        name = accuracy

        def values_of(responses: Responses) -> list[float]:
            return accuracies(responses, name)

        within = spread(values_of)
        out.append(RepeatMeasure("pass@1", f"pass@1 ({name})", "share", mean_accuracy(name)))
        out.append(RepeatMeasure("within", "variance within questions", "share²", within, share=False))
        out.append(RepeatMeasure("between", "variance between questions", "share²", within, between(values_of), False))
        sizes = [k for k in ks(n) if k > 1]
        out += [RepeatMeasure(f"pass@{k}", f"pass@{k}", "share", of_k(pass_at_k, name, k)) for k in sizes]
        out += [RepeatMeasure(f"pass^{k}", f"pass^{k}", "share", of_k(pass_hat_k, name, k)) for k in sizes]
        # Of two responses the vote is a draw: maj@1 and maj@2 are pass@1.
        out += [RepeatMeasure(f"maj@{k}", f"maj@{k}", "share", majority(name, k)) for k in sizes if k > 2]
        out.append(RepeatMeasure("longer", "longer − shorter half", "share", longer_minus_shorter(name), share=False))
    out.append(RepeatMeasure("entropy", "entropy of answers", "bits", answer_entropy(accuracy), share=False))
    out.append(RepeatMeasure("cut_off", "cut off", "share", cut_off))
    for one in OUTCOMES:
        if one.unit in _GAIN_UNITS and one is not SAME_LENGTH:
            values = gains(one)
            unit = f"{one.unit}²"
            out.append(RepeatMeasure(f"within {one.key}", f"within: {one.label}", unit, spread(values), share=False))
    return out


def _by_length(questions: Sequence[_Question]) -> tuple[list[float], dict[str, list[_Question]]]:
    """Thirds of the questions by the mean number of characters of all their responses."""
    lengths = [[one.length for side in sides for one in side] for _, sides in questions]
    if len(questions) < len(_BUCKETS) or any(length is None for of_question in lengths for length in of_question):
        return [], {}
    means = [math.fsum(length or 0 for length in of_question) / len(of_question) for of_question in lengths]
    ordered = sorted(means)
    edges = [ordered[len(ordered) * part // len(_BUCKETS) - 1] for part in (1, 2)]
    out: dict[str, list[_Question]] = {name: [] for name in _BUCKETS}
    for question, mean in zip(questions, means, strict=True):
        out[_BUCKETS[sum(mean > edge for edge in edges)]].append(question)
    return edges, {name: members for name, members in out.items() if members}


@dataclass
class _Column:
    """Numbers of some questions, before their interval is known."""

    values: list[float]
    clusters: list[str]
    missing: dict[str, int]
    measure: RepeatMeasure
    difference: bool = False

    def estimate(self, drawn: tuple[float, float] | None) -> Estimate:
        """With its interval: `drawn` from the bootstrap, unless questions do not differ: then that draws no others."""
        data = self.data
        if data is None:
            return Estimate(missing=self.missing)
        ends = drawn or share_interval(data)
        if drawn and max(self.values) - min(self.values) <= _ROUNDING:
            ends = math.nan, math.nan
            if self.measure.share:
                ends = unanimous_interval(self.values[0], len(data.sums))
            elif self.difference and self.measure.unit == "share²":
                ends = share_interval(data, _LARGEST_VARIANCE)
        return Estimate(_rounded(data.mean), *ends, len(self.values), self.missing)

    @property
    def data(self) -> Clustered | None:
        return clustered(self.values, self.clusters) if self.values else None


def _rows(
    parts: Sequence[tuple[str, RepeatMeasure, list[_Question], list[_Question] | None]], *, resamples: int, seed: int
) -> list[RepeatRow]:
    columns: list[list[list[_Column]]] = []
    for _, measure, questions, kept in parts:
        columns.append([_columns(measure, some) for some in (questions, kept) if some is not None])
    flat = [column for row in columns for cells in row for column in cells]
    data = [None if column.measure.share and column.difference else column.data for column in flat]
    boot = [i for i, one in enumerate(data) if one is not None]
    ends = dict(zip(boot, intervals([d for d in data if d is not None], resamples=resamples, seed=seed), strict=True))
    estimates = iter(column.estimate(ends.get(i)) for i, column in enumerate(flat))
    rows: list[RepeatRow] = []
    for (bucket, measure, *_), cells in zip(parts, columns, strict=True):
        made = [Cells(*(next(estimates) for _ in one)) for one in cells]
        rows.append(
            RepeatRow(measure.key, measure.label, measure.unit, made[0], made[1] if len(made) > 1 else None, bucket)
        )
    return [row for row in rows if row.all.base.n or not row.measure.startswith("within ")]


def _columns(measure: RepeatMeasure, questions: Sequence[_Question]) -> list[_Column]:
    """A column for each run, and of two runs one for their difference, over the questions that have it in each."""
    found: list[_Question] = []
    values: list[list[float]] = []
    missing: Counter[str] = Counter()
    for cluster, sides in questions:
        try:
            values.append([measure.of(responses) for responses in sides])
        except Missing as reason:
            missing[reason.reason] += 1
            continue
        found.append((cluster, sides))
    if measure.joint is not None and len(found) > 1:
        by_side = [measure.joint([sides[side] for _, sides in found]) for side in range(len(found[0][1]))]
        values = [list(one) for one in zip(*by_side, strict=True)]
    elif measure.joint is not None:
        missing["fewer than two questions"] += len(found)
        found, values = [], []
    clusters = [cluster for cluster, _ in found]
    sides_ = len(questions[0][1]) if questions else 1
    out = [_Column([one[side] for one in values], clusters, dict(missing), measure) for side in range(sides_)]
    if sides_ > 1:
        out.append(_Column([after - before for before, after in values], clusters, dict(missing), measure, True))
    return out


def _rounded(value: float) -> float:
    return value if abs(value) > _ROUNDING else 0.0
