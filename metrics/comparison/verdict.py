"""The verdict on a task: did accuracy and reasoning move, and were there enough questions to detect a drop?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .numbers import number, p_value
from .results import Direction, Row, Verdict


def decide(accuracy: Row | None, reasoning: Sequence[Row], *, alpha: float, min_share: float = 0.5) -> Verdict:
    """The rule of docs/compare.md.

    Args:
        accuracy: None if the runs have no accuracy.
        reasoning: the deciding measures. Down: one of them is significantly lower, even if another is higher. Up: one
            is significantly higher and none lower.
        alpha: the significance level for the Holm-corrected p.
        min_share: a measure that a smaller share of the pairs has can still show a change, but the verdict does not
            require power from it, unless no measure reaches this share.
    """
    pairs = max((row.n + sum(row.missing.values()) for row in reasoning), default=0)
    there = [row for row in reasoning if row.n > 0]
    asked = [row for row in there if row.n >= min_share * pairs] or there
    acc = _direction([accuracy] if accuracy else [], alpha)
    rea = _direction(reasoning, alpha)
    moved = [row for row in (accuracy, *reasoning) if row and _moved(row, alpha)]
    said = "; ".join(map(_told, moved)) or "no deciding measure differs significantly"
    if acc == "up" and rea == "down":
        return Verdict("trap", said, acc, rea)
    if "down" in (acc, rea):
        return Verdict("regression", said, acc, rea)
    weak = [row for row in asked if not _moved(row, alpha) and _short(row)]
    if acc == "not significant" and accuracy and rea == "not significant" and _short(accuracy):
        weak.insert(0, accuracy)
    if weak or rea == "not measured":
        return _underpowered(acc, rea, weak, said)
    if "up" in (acc, rea):
        return Verdict("gain", said, acc, rea)
    return Verdict("no change", f"{said}, and the smallest differences that matter would have been seen", acc, rea)


def _underpowered(acc: Direction, rea: Direction, weak: Sequence[Row], said: str) -> Verdict:
    if not weak:
        return Verdict("underpowered", f"{said}; no reasoning measure could be tested", acc, rea)
    needed = max((row.needed for row in weak if row.needed is not None), default=None)
    most = max(weak, key=lambda row: row.needed or 0)
    seen = f"a difference of {number(most.smallest)} {most.unit} in {most.label}"
    wanted = (
        f"{needed:,} questions would be needed to see {seen}, there are {most.n:,}" if needed else f"too few for {seen}"
    )
    return Verdict("underpowered", f"{said}; {wanted}", acc, rea, needed)


def _moved(row: Row, alpha: float) -> bool:
    return not math.isnan(row.p_holm) and row.p_holm < alpha and row.difference != 0


def _short(row: Row) -> bool:
    return row.needed is None or row.needed > row.n


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
