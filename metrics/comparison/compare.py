"""Compares a tuned run with a base run: `compare_runs`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from ..errors import StepgaugeError
from ..judge_measures.lines import judge_lines
from ..names import unknown_name
from ..printable import printable
from ..reliance.claims import claim_in, claim_lines, regrown_lines
from ..score import ARITHMETIC_ONLY, arithmetic_only
from .accuracy_names import AccuracyNames
from .cautions import cautions
from .flips import flips_of
from .measures import CONFOUNDERS, OUTCOMES, OVER_CONTROLS, REGROWN, RELIANCE, Measure
from .numbers import number
from .pairs import WORDS, By, Pair, Pairing, by_subject, pair_runs
from .power import questions_needed
from .record import Run
from .results import Comparison, Row, TaskComparison
from .same_answer import same_answer
from .scorers import check_scorers, cut_differently, each_by_itself, scorer_names
from .statistics import Clustered, clustered, holm, intervals, permutation_ps, share_interval
from .values import Values, lost, values_of
from .verdict import FIRST, RELIANCE_KEY, decide, sees_content

DECIDING = ("infogain_nats_before_own_answer", FIRST, "supported_before_own_answer")
_EQUAL = 1e-12


class NotComparable(StepgaugeError, ValueError):
    """The runs cannot be compared: different scorers, no question in both, an unknown name."""


@dataclass(frozen=True)
class Settings:
    """How a comparison is made.

    Attributes:
        by: one table per `task`, or per `subject` within the tasks.
        pair_by: as in `pair_runs`.
        accuracy: the run's metric that counts as accuracy; None takes the first that both runs have.
        deciding: the outcome measures that count as reasoning in the verdict; the others are exploratory.
        alpha: significance level of each verdict's tests, after Holm's correction.
        power: the power required to detect the smallest differences that matter.
        smallest_share: the smallest difference that matters in accuracy and in measures that are shares, such as KI.
        smallest_gain: the same for other measures, in standard deviations of the base run's questions.
        resamples, seed: for the bootstrap and the permutation tests.
        force: compare even if scorer or prompt template differ.
    """

    by: Literal["task", "subject"] = "task"
    pair_by: By = "auto"
    accuracy: str | None = None
    deciding: Sequence[str] = DECIDING
    alpha: float = 0.05
    power: float = 0.8
    smallest_share: float = 0.05
    smallest_gain: float = 0.2
    resamples: int = 9999
    seed: int = 0
    force: bool = False


def compare_runs(base: Run, tuned: Run, settings: Settings | None = None) -> Comparison:
    """Compare two runs question by question.

    Raises:
        NotComparable: the runs were scored with different scorers, share no question, or an option holds an unknown
            name; the message says which.
    """
    settings = settings or Settings()
    known = [measure.key for measure in OUTCOMES]
    for name in settings.deciding:
        if name not in known:
            raise NotComparable(unknown_name("measure", name, known))
    if RELIANCE_KEY in settings.deciding:
        raise NotComparable(f"{RELIANCE_KEY} decides by itself where both runs have it; leave it out")
    scored = [_scored(run) for run in (base, tuned)]
    notes = check_scorers(base, tuned, force=settings.force, error=NotComparable) if all(scored) else []
    if any(scored) and not all(scored):
        notes.append(f"{(base, tuned)[scored.index(False)].name} has no reasoning scores: accuracy alone is compared")
    if settings.by == "subject":
        base, tuned = by_subject(base), by_subject(tuned)
    pairing = pair_runs(base, tuned, settings.pair_by)
    if arithmetic_only(record.score for run in (base, tuned) for record in run.records):
        notes = [*notes, f"`ki` rests on equations alone ({ARITHMETIC_ONLY}) and says nothing of knowledge"]
    if not pairing.pairs:
        raise NotComparable(_nothing_in_common(base, tuned))
    own = each_by_itself(base, tuned)
    controls = [{name for record in run.records for name in record.score.controls} for run in (base, tuned)]
    if settings.deciding == DECIDING:
        gain, why_not = ([], []) if own else _gain(controls, pairing.pairs)
        settings = replace(settings, deciding=(*gain, *DECIDING[1:]))
        notes = [*notes, *why_not]
    names = AccuracyNames.of_pairs(pairing.pairs, settings.accuracy, error=NotComparable)
    if not names.chosen and not all(scored):
        raise NotComparable("the runs have neither reasoning scores nor an accuracy metric that both share")
    unasked = {one.key for name, one in OVER_CONTROLS.items() if not any(name in had for had in controls)}
    claims = [{claim_in(record.score.provenance) for record in run.records} - {None} for run in (base, tuned)]
    if not any(claims):
        unasked |= {one.key for one in RELIANCE}
    unasked |= {one.key for one in REGROWN} - {
        key for run in (base, tuned) for one in run.records for key in one.score.metrics
    }
    if all(claims):
        settings = replace(settings, deciding=(*settings.deciding, RELIANCE_KEY))
    unasked -= set(settings.deciding)
    measures = [
        one for one in (*OUTCOMES, *CONFOUNDERS) if (all(scored) or not one.of_score) and one.key not in unasked
    ]
    tasks = list(dict.fromkeys(pair.task for pair in pairing.pairs))
    compared = [_task(task, pairing, names, measures, settings, one_scorer=not own) for task in tasks]
    return Comparison(
        base=base.name,
        tuned=tuned.name,
        accuracy_name=names.of(None) or next(iter(names.chosen.values()), None),
        scorer=scorer_names(base, tuned) if all(scored) else "none",
        paired_by=pairing.by,
        tasks=compared,
        overall=_task(None, pairing, names, measures, settings, one_scorer=not own) if len(tasks) > 1 else None,
        notes=[
            *notes,
            *claim_lines(sorted(filter(None, set().union(*claims)))),
            *regrown_lines(record.score.provenance for run in (base, tuned) for record in run.records),
            *judge_lines(record.score for run in (base, tuned) for record in run.records),
            *names.notes,
            *(cut_differently(pairing.pairs) if all(scored) else ()),
            *_pairing_notes(pairing, base, tuned),
        ],
        settings=asdict(settings),
    )


def _task(
    task: str | None,
    pairing: Pairing,
    names: AccuracyNames,
    measures: Sequence[Measure],
    settings: Settings,
    *,
    one_scorer: bool,
) -> TaskComparison:
    pairs = [pair for pair in pairing.pairs if task is None or pair.task == task]
    if name := names.label(task):
        accuracy = Measure("accuracy", f"accuracy ({printable(name)})", "share", names.accuracy, of_score=False)
        found = values_of(pairs, accuracy)
        if not _is_share("accuracy", [accuracy], found):  # BLEU, a rating
            accuracy = replace(accuracy, unit="")
        measures = [accuracy, *measures]
    values = {measure.key: values_of(pairs, measure) for measure in measures}
    rows = _rows(measures, values, settings)
    acc = rows.get("accuracy")
    scored = "infogain" in rows
    deciding = [rows[key] for key in settings.deciding if key != RELIANCE_KEY] if scored else None
    reliance = rows[RELIANCE_KEY] if RELIANCE_KEY in settings.deciding else None

    def left_out(counts: Mapping[str, int]) -> int:
        return sum(counts.values()) if task is None else counts.get(task, 0)

    return TaskComparison(
        task=task,
        n_pairs=len(pairs),
        only_base=left_out(pairing.only_base),
        only_tuned=left_out(pairing.only_tuned),
        rows=[row for row in rows.values() if scored or row.n or row is acc],  # without scores no empty rows
        verdict=decide(
            acc, deciding, alpha=settings.alpha, sees_content=sees_content(deciding or ()), reliance=reliance
        ),
        notes=[
            *(same_answer(pairs, name) if name else ()),
            *(cautions(rows, values["infogain"].differences, one_scorer=one_scorer) if scored else ()),
            *(
                said
                for measure in measures
                if measure.key in (*settings.deciding, "ki")
                for said in lost(pairs, measure)
            ),
        ],
        flips=flips_of(pairs, names.accuracy, name) if name and task is not None else None,
    )


def _rows(measures: Sequence[Measure], values: Mapping[str, Values], settings: Settings) -> dict[str, Row]:
    """The rows of a table by measure; those of the family are tested and corrected together."""
    data = {
        key: clustered(found.differences, found.clusters)  # of those measures that any pair has
        for key, found in values.items()
        if found.base
    }
    bounded = {key for key in data if _is_share(key, measures, values[key])}
    free = [key for key in data if key not in bounded]
    found = intervals([data[key] for key in free], resamples=settings.resamples, seed=settings.seed)
    ends = {**dict(zip(free, found, strict=True)), **{key: share_interval(data[key]) for key in bounded}}
    family = [key for key in dict.fromkeys(("accuracy", *settings.deciding)) if key in data]
    ps = permutation_ps([data[key] for key in family], resamples=settings.resamples, seed=settings.seed)
    corrected = dict(zip(family, holm(ps), strict=True))
    tests = sum(not math.isnan(p) for p in ps)
    rows = {one.key: _row(one, values[one.key], data.get(one.key), ends.get(one.key)) for one in measures}
    deciding = {key: replace(rows[key], role="deciding") for key in ("accuracy", *settings.deciding) if key in rows}
    rows = {**deciding, **{key: row for key, row in rows.items() if key not in deciding}}
    for key, p in zip(family, ps, strict=True):
        share = key in bounded
        smallest = settings.smallest_share if share else settings.smallest_gain * _sd(values[key].base)
        needed = questions_needed(
            data[key], smallest, alpha=settings.alpha, power=settings.power, tests=tests, share=share
        )
        smallest = smallest if smallest > 0 else math.nan
        rows[key] = replace(rows[key], p=p, p_holm=corrected[key], smallest=smallest, needed=needed)
    return rows


def _row(measure: Measure, values: Values, data: Clustered | None, ends: tuple[float, float] | None) -> Row:
    base, tuned = values.base, values.tuned
    row = Row(
        measure=measure.key,
        label=measure.label,
        unit=measure.unit,
        role="confounder" if measure.role == "confounder" else "exploratory",
        higher_is_better=measure.higher_is_better,
        n=len(base),
        n_clusters=len(set(values.clusters)),
        missing=values.missing,
    )
    if data is None or ends is None:
        return row
    mean, after = math.fsum(base) / len(base), math.fsum(tuned) / len(tuned)
    # Summing equal values in another order changes the last bits; do not count that as a difference.
    difference = 0.0 if abs(data.mean) <= _EQUAL * max(abs(mean), abs(after)) else data.mean
    return replace(
        row,
        base=mean,
        tuned=after,
        difference=difference,
        low=ends[0],
        high=ends[1],
        relative=difference / abs(mean) if mean else math.nan,
        sd=data.sd,
    )


def _is_share(key: str, measures: Sequence[Measure], values: Values) -> bool:
    unit = next(measure.unit for measure in measures if measure.key == key)
    return unit == "share" and all(0 <= value <= 1 for value in (*values.base, *values.tuned))


def _gain(controls: Sequence[set[str]], pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    """The gain that decides, and a note where none does.

    That over filler, or else over foreign steps, where both runs were scored with that control; else the gain itself.
    It decides only if the steps of both runs together gain: with a scorer to which steps are a distraction a model
    that says more would count as one that reasons worse, and filler as better than steps. The mean over both runs does
    not change where a question's two values are swapped, so the permutation test keeps its level.
    """
    control = next((name for name in ("filler", "foreign") if all(name in had for had in controls)), None)
    (plain,) = (one for one in OUTCOMES if one.key == DECIDING[0])
    measure = OVER_CONTROLS[control] if control else plain
    values = values_of(pairs, measure)
    both = [*values.base, *values.tuned]
    if not both or (mean := math.fsum(both) / len(both)) >= 0:
        return [measure.key], []
    if control:
        why = f"to the scoring LM the steps of both runs are worth less than {control} ones ({number(mean)} nats)"
        return [], [f"{measure.label} does not decide: {why}; it cannot use them. A stronger scorer would tell"]
    return [], [
        f"{measure.label} does not decide: the steps of both runs make the gold answer less likely "
        f"({number(mean)} nats); the scoring LM cannot use them, and more reasoning would count "
        "as less. Controls (controls=filler) or a stronger scorer would tell"
    ]


def _scored(run: Run) -> bool:
    """Whether any chain of the run holds numbers of reasoning."""
    return any(record.score.metrics for record in run.records)


def _sd(values: Sequence[float]) -> float:
    """Standard deviation over questions; nan for fewer than two."""
    if len(values) < 2:
        return math.nan
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def paired(base: Run, tuned: Run | None, settings: Settings) -> Sequence[Pair]:
    """The pairs of two runs for tables beside this one, or of a run with itself.

    Raises:
        NotComparable: no question is in both, or different scorers have scored them.
    """
    if tuned is None:
        return pair_runs(base, base, settings.pair_by).pairs
    if _scored(base) and _scored(tuned):
        check_scorers(base, tuned, force=settings.force, error=NotComparable)
    pairs = pair_runs(base, tuned, settings.pair_by).pairs
    if not pairs:
        raise NotComparable(_nothing_in_common(base, tuned))
    return pairs


def _nothing_in_common(base: Run, tuned: Run) -> str:
    def about(run: Run) -> str:
        tasks = sorted({record.task for record in run.records})
        return f"{run.name} ({len(run.records):,} chains of {', '.join(tasks)[:120] or 'no task'})"

    return f"no question is in both runs: {about(base)} and {about(tuned)}"


def _pairing_notes(pairing: Pairing, base: Run, tuned: Run) -> list[str]:
    notes = []
    n = len(pairing.pairs)
    if pairing.unpaired:
        left, right = sum(pairing.only_base.values()), sum(pairing.only_tuned.values())
        shares = ", ".join(
            f"{count:,} of {count + n:,} questions ({count / (count + n):.0%}) only in {run.name}"
            for count, run in ((left, base), (right, tuned))
            if count
        )
        notes.append(f"left out: {shares}")
    if count := pairing.by.get(WORDS):
        notes.append(
            f"{count:,} questions were paired by their words and signs: case, punctuation, layout, and a label such as "
            '"Question:" before or "Answer:" after them were ignored'
        )
    if pairing.other_text:
        notes.append(
            f"{pairing.other_text:,} document ids are in both runs with another question text, so they were not "
            "paired by id (--pair-by id pairs them)"
        )
    if pairing.across_tasks:
        notes.append("the runs share no task name; questions were paired by their text alone")
    for name, most in pairing.repeats.items():
        notes.append(f"{name}: up to {most} chains a question, averaged per question")
    return notes
