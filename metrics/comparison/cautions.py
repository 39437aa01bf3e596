"""Cautions: one sentence for each other difference between two runs that could explain a difference in InfoGain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .results import Row

_RULED = 0.5  # caution when the largest 1 % of the differences make up at least this share of the total
_ROUNDING = 1e-3


def cautions(rows: Mapping[str, Row], infogain: Sequence[float], *, one_scorer: bool = True) -> list[str]:
    """Sentences for a task's table.

    Args:
        rows: the task's rows by measure.
        infogain: the differences in `infogain`, one per question.
        one_scorer: whether one scoring LM scored both runs.
    """
    notes: list[str] = []
    steps = rows["n_steps"]
    if _differs(steps):
        notes.append(
            f"chains went from {steps.base:.1f} to {steps.tuned:.1f} steps; `infogain` divides by the number of steps "
            "and falls with it, `infogain, same length` does not"
        )
    plain, matched = rows["infogain"], rows["infogain_same_length"]
    if plain.difference * matched.difference < 0 and (_differs(plain) or _differs(matched)):
        notes.append("`infogain` and `infogain, same length` point in opposite directions")
    if ruled := _ruled_by_few(infogain):
        notes.append(
            f"half or more of all movement in `infogain` is that of {ruled} of {len(infogain):,} questions "
            "(perplexity is unbounded); `infogain_nats` is not ruled by them"
        )
    for key, what in (
        ("truncated", "the share of responses that were cut off"),
        ("unfinished", "the share of responses that end mid-sentence (cut off, perhaps)"),
        ("answer_stating_share", "the share of steps that state the answer"),
    ):
        row = rows[key]
        if _differs(row):
            notes.append(f"{what} went from {row.base:.0%} to {row.tuned:.0%}")
    total, before = rows["infogain_nats"], rows["infogain_nats_before_answer"]
    if _differs(total) and not _differs(before) and before.n:
        notes.append(
            "the difference in `infogain_nats` falls on steps that state the answer; before them there is none"
        )
    for key in ("ppl_0", "question_length") if one_scorer else ("question_length",):
        # Rounding of PPL_0 depends on the batch and can shift every question in the same direction.
        if _differs(rows[key]) and abs(rows[key].relative) > _ROUNDING:
            notes.append(f"{rows[key].label} differs between the runs, so the questions were not put the same way")
    judged = rows["ki"]
    if judged.n and judged.n < 0.5 * (judged.n + sum(judged.missing.values())):
        whole = judged.n + sum(judged.missing.values())
        notes.append(f"`ki` rests on {judged.n:,} of {whole:,} questions")
    return notes


def _differs(row: Row) -> bool:
    """Whether the 95 % interval excludes 0."""
    return row.low > 0 or row.high < 0


def _ruled_by_few(infogain: Sequence[float]) -> int:
    """Number of questions in the largest 1 % of absolute differences if they make up half of the total; else 0."""
    moves = sorted(map(abs, infogain), reverse=True)
    few = max(1, len(moves) // 100)
    if len(moves) < 20 or not sum(moves):
        return 0
    return few if sum(moves[:few]) >= _RULED * sum(moves) else 0
