"""The verdict on a task: did accuracy and reasoning move, and if not, could a difference that matters be missed?

A direction needs a test that is significant after Holm's correction over accuracy and the deciding measures. That a
measure has *not* fallen (or not changed) needs its 95 % interval above -smallest (or within ±smallest). These must hold
for each measure, so no correction is needed: together they are wrong no more often than one of them (Berger 1982,
intersection-union). The level is 2.5 % on each side, as for non-inferiority in trials (ICH E9); two one-sided tests at
5 % would take the 90 % interval, which is not the one that the table shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .numbers import number, p_value
from .power import fewest_clusters
from .results import Direction, Row, Verdict

FIRST = "reasons_first"  # the one deciding measure that does not see what steps say
RELIANCE_KEY = "early_answer_area_before_answer"  # whether the own answer hangs on the steps


def decide(
    accuracy: Row | None,
    reasoning: Sequence[Row] | None,
    *,
    alpha: float,
    min_share: float = 0.5,
    sees_content: bool = True,
    reliance: Row | None = None,
    tests: int | None = None,
) -> Verdict:
    """The rule of docs/compare.md.

    Args:
        accuracy: None if the runs have no accuracy.
        reasoning: the deciding measures; None for runs without reasoning scores, whose verdict is on accuracy alone.
            Down: one of them is significantly lower, even if another is higher. Up: one is significantly higher and
            none lower.
        alpha: the significance level for the Holm-corrected p.
        min_share: a measure that a smaller share of the pairs has can still show a change, but the verdict does not
            ask for its interval, unless no measure reaches this share.
        sees_content: whether one of the measures depends on what the steps say. Without one, that reasoning did not
            fall is never said.
        reliance: whether the own answer hangs on the steps; None for runs of which one was not asked.
        tests: over how many p Holm's correction went; None: over those of this task.
    """
    family = [row for row in (accuracy, *(reasoning or ()), reliance) if row]
    acc = _direction([accuracy] if accuracy else [], alpha)
    rea = _direction(reasoning or [], alpha)
    moved = [row for row in family if _moved(row, alpha)]
    said = "; ".join(map(_told, moved)) or "no deciding measure differs significantly"
    if acc == "up" and rea == "down":
        return Verdict("trap", said, acc, rea)
    if "down" in (acc, rea):
        return Verdict("down" if reasoning is None else "regression", said, acc, rea)
    asked = [*([accuracy] if accuracy else []), *_asked(reasoning or [], min_share)]
    least = fewest_clusters(alpha, tests or sum(not math.isnan(row.p) for row in family))
    if reliance is not None and _direction([reliance], alpha) == "down":
        if accuracy is None or not accuracy.n:
            return Verdict("underpowered", f"{said}; whether accuracy holds is not known", acc, rea)
        if acc == "up" or _closed(accuracy, least, below_only=True):
            return Verdict("decorative", said, acc, rea)
        return _underpowered(acc, rea, [accuracy], least, said)
    asked += _common([reliance] if reliance else [], min_share)
    up = "up" in (acc, rea)
    if up and reasoning is None:
        return Verdict("up", said, acc, rea)
    open_ = [row for row in asked if not _closed(row, least, below_only=up)]
    if open_ or (rea == "not measured" and (reasoning is not None or acc == rea)):
        return _underpowered(acc, rea, open_, least, said)
    if reasoning is not None and not sees_content:
        why = (
            "nothing that decides depends on what the steps say: no gain of a scorer that can use them, no checked step"
        )
        return Verdict("underpowered", f"{said}; {why}", acc, rea)
    if up:
        return Verdict("gain", f"{said}; no deciding measure fell by as much as matters", acc, rea)
    return Verdict("no change", f"{said}, and the intervals exclude every difference that matters", acc, rea)


def sees_content(deciding: Sequence[Row]) -> bool:
    """Whether a measure decides that depends on what the steps say, and not only on whether there are any."""
    return any(row.n > 0 and row.measure != FIRST for row in deciding)


def _asked(reasoning: Sequence[Row], min_share: float) -> list[Row]:
    return _common(reasoning, min_share) or [row for row in reasoning if row.n > 0]


def _common(rows: Sequence[Row], min_share: float) -> list[Row]:
    """Those that at least this share of the pairs has."""
    pairs = max((row.n + sum(row.missing.values()) for row in rows), default=0)
    return [row for row in rows if row.n > 0 and row.n >= min_share * pairs]


def _closed(row: Row, least: int, *, below_only: bool) -> bool:
    """Whether the interval excludes a loss that matters, and also a rise unless `below_only`.

    Not with fewer clusters than the test needs to find any difference: where nothing could have been seen, nothing is
    excluded.
    """
    return row.n_clusters >= least and row.low > -row.smallest and (below_only or row.high < row.smallest)


def _underpowered(acc: Direction, rea: Direction, open_: Sequence[Row], least: int, said: str) -> Verdict:
    if not open_:
        what = "accuracy" if rea == "not measured" == acc else "reasoning measure"
        return Verdict("underpowered", f"{said}; no {what} could be tested", acc, rea)
    short = [row for row in open_ if row.needed is not None and row.needed > row.n]
    if short:
        most = max(short, key=lambda row: row.needed or 0)
        wanted = (
            f"{most.needed:,} questions would be needed to see a difference of {number(most.smallest)} {most.unit} in "
            f"{most.label}, there are {most.n:,}"
        )
        return Verdict("underpowered", f"{said}; {wanted}", acc, rea, most.needed)
    row = open_[0]
    if math.isnan(row.low):
        why = f"{row.n_clusters:,} questions are too few for an interval of {row.label}"
    elif math.isnan(row.smallest):
        why = f"the base run's {row.label} does not vary, so no difference in it can be called one that matters"
    elif row.n_clusters < least:
        why = f"{row.n_clusters:,} different questions are fewer than the {least} with which a test can decide"
    else:
        why = (
            f"the interval of {row.label}, {number(row.low, sign=True)} to {number(row.high, sign=True)}, does not "
            f"exclude a difference that matters ({number(row.smallest)} {row.unit})"
        )
    return Verdict("underpowered", f"{said}; {why}", acc, rea)


def _moved(row: Row, alpha: float) -> bool:
    return not math.isnan(row.p_holm) and row.p_holm < alpha and row.difference != 0


def _direction(rows: Sequence[Row], alpha: float) -> Direction:
    if all(math.isnan(row.p_holm) for row in rows):
        return "not measured"
    moved = [row for row in rows if _moved(row, alpha)]
    if any(row.difference < 0 for row in moved):
        return "down"
    return "up" if moved else "not significant"


def _told(row: Row) -> str:
    way = "up" if row.difference > 0 else "down"
    return f"{row.label} {way} {number(row.base)} → {number(row.tuned)} (p {p_value(row.p_holm)})"
