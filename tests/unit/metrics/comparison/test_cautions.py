"""What a comparison says beside its numbers: cautions, questions left out, and what counts as which measure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import pytest
from made_runs import chain, record, run
from scripted_likelihoods import scripted_gauge

from stepgauge.metrics import ChainScore, Trace
from stepgauge.metrics.comparison import Comparison, Settings, TaskComparison, compare_runs
from stepgauge.metrics.comparison.flips import Flip, Flips, flip_lines
from stepgauge.metrics.comparison.measures import first_ppl


def compared(base: Iterable[ChainScore], tuned: Iterable[ChainScore]) -> TaskComparison:
    runs = (run(name, [record(i, one) for i, one in enumerate(side)]) for name, side in (("b", base), ("t", tuned)))
    return compare_runs(*runs, Settings(resamples=199)).tasks[0]


def said(task: TaskComparison, words: str) -> bool:
    return any(words in note for note in task.notes)


# --- cautions


def jitter(i: int) -> float:
    return i % 3 / 100


@pytest.mark.parametrize(("base", "tuned"), [(2, 5), (5, 2)])
def test_change_of_length_is_told_in_either_direction(base, tuned):
    def chains(steps: int):
        return [chain([-2.0] * steps + [-1.0]) for _ in range(12)]

    same, changed = compared(chains(base), chains(base)), compared(chains(base), chains(tuned))
    assert said(changed, f"chains went from {base}.0 to {tuned}.0 steps")
    assert not said(same, "chains went")


@pytest.mark.parametrize(("last", "opposite"), [(-0.5, True), (-1.5, False)])
def test_larger_drop_over_more_steps_is_told_where_the_forms_of_infogain_disagree(last, opposite):
    short = [chain([-2.0, -1.0 - jitter(i)]) for i in range(12)]
    long = [chain([-2.0, -2.0, -2.0, last - jitter(i)]) for i in range(12)]
    task = compared(short, long)
    assert task.row("infogain").difference < 0
    assert (task.row("infogain_same_length").difference > 0) == opposite
    assert said(task, "point in opposite directions") == opposite


@pytest.mark.parametrize(
    ("n", "largest", "ruled"),
    [(100, 99.0, 1), (100, 98.0, 0), (20, 19.0, 1), (19, 1000.0, 0), (300, 99.0, 3), (20, 0, 0)],
)
def test_few_questions_that_hold_half_of_the_movement_are_told(n, largest, ruled):
    """Hundredths of the questions, rounded down, and at least one. All others move by 1, some of them down."""
    count = max(1, n // 100)
    moves = [largest] * count + [(-1.0 if i % 4 else 1.0) if largest else 0.0 for i in range(n - count)]
    base = [chain([-2.0, -1.0], infogain=5.0) for _ in moves]
    tuned = [chain([-2.0, -1.0], infogain=5.0 + move) for move in moves]
    task = compared(base, tuned)
    assert said(task, f"half or more of all movement in `infogain` is that of {ruled} of {n} questions") == bool(ruled)
    assert said(task, "half or more") == bool(ruled)


@pytest.mark.parametrize(("before", "told"), [(1.0, True), (1.5, False), (math.nan, False)])
def test_difference_that_falls_on_steps_with_the_answer_is_told(before, told):
    """Before the answer it goes as often up as down, or up."""
    base = [chain([-4.0, -3.0, -2.0], infogain_nats_before_answer=1.0) for _ in range(12)]
    tuned = [chain([-4.0, -3.0, -1.0], infogain_nats_before_answer=before + (-1) ** i / 8) for i in range(12)]
    assert said(compared(base, tuned), "falls on steps that state the answer") == told


@pytest.mark.parametrize(("shift", "told"), [(0.5, True), (-0.5, True), (0.0005, False), (0.0, False)])
def test_other_perplexity_of_the_questions_is_told_unless_it_is_rounding(shift, told):
    base, tuned = ([chain([-2.0 + by, -1.0]) for _ in range(12)] for by in (0.0, shift))
    assert said(compared(base, tuned), "PPL_0 differs between the runs") == told


@pytest.mark.parametrize(("count", "told"), [(0, False), (1, True), (5, True), (6, False), (12, False)])
def test_index_of_fewer_than_half_of_the_questions_is_told(count, told):
    def chains():
        return [chain([-2.0, -1.0], ki=1.0 if i < count else math.nan) for i in range(12)]

    assert said(compared(chains(), chains()), f"`ki` rests on {count} of 12 questions") == told


@pytest.mark.parametrize(
    ("base", "tuned", "told"), [(12, 6, True), (6, 12, True), (12, 7, False), (10, 5, True), (9, 0, False)]
)
def test_measure_that_one_run_has_for_half_of_the_others_questions_is_told(base, tuned, told):
    def chains(count: int):
        return [chain([-2.0, -1.0], ki=1.0 if i < count else math.nan) for i in range(14)]

    words = f"`ki` could be computed for {base} questions of the base run and {tuned} of the other"
    assert said(compared(chains(base), chains(tuned)), words) == told


# --- what counts as which measure


def test_perplexity_of_a_question_is_that_of_one_answer_token():
    one = chain([-4.0, -1.0], n_answer=2)
    assert compared([one], [one]).row("ppl_0").base == pytest.approx(math.exp(2))


def final(score: ChainScore, *indices: int) -> ChainScore:
    steps = [dataclasses.replace(s, kind="final_answer") if i in indices else s for i, s in enumerate(score.steps)]
    return dataclasses.replace(score, steps=steps)


def test_chain_that_reasons_before_it_announces_keeps_what_its_reasoning_gained():
    one = final(chain([-4.0, -2.5, -1.0], infogain_nats_without_final=1.5), 1)
    assert compared([one], [one]).row("infogain_nats_without_final").base == 1.5


def test_announcement_that_was_not_scored_has_no_gain_of_0():
    one = final(chain([-4.0, -2.5], infogain_nats_without_final=math.nan, missing="too long"), 0)
    row = compared([dataclasses.replace(one, log_likelihoods=[])] * 2, [one] * 2).row("infogain_nats_without_final")
    assert (row.n, row.missing) == (0, {"too long": 2})


@pytest.mark.parametrize(
    ("text", "is_final", "unfinished"),
    [("so 2 + 2", False, 1.0), ("so 2 + 2 = 4.", False, 0.0), ("she said “four.”", False, 0.0), ("4", True, 0.0)],
)
def test_response_that_ends_with_a_sentence_or_an_answer_is_finished(text, is_final, unfinished):
    one = chain([-4.0, -2.5, -1.0], texts=["Add them", text])
    one = final(one, 1) if is_final else one
    assert compared([one], [one]).row("unfinished").base == unfinished


def test_tokens_that_were_not_counted_are_missing():
    one = chain([-4.0, -2.5, -1.0])
    uncounted = dataclasses.replace(one, steps=[one.steps[0], dataclasses.replace(one.steps[1], n_tokens=None)])
    row = compared([one, one], [one, uncounted]).row("tokens")
    assert (row.n, row.base, row.missing) == (1, 8.0, {"the chain was not tokenized": 1})


def test_run_that_does_not_say_what_was_cut_off_has_no_share_of_it():
    one = chain([-4.0, -1.0])
    row = compared([one], [one]).row("truncated")
    assert (row.n, row.missing) == (0, {"the run does not say whether a response was cut off": 1})


def test_number_that_a_run_does_not_have_is_missing_with_its_reason():
    one = chain([-4.0, -1.0])
    runs = [
        run(name, [record(0, one, accuracy={"right": 1.0}), record(1, one, accuracy=accuracy)])
        for name, accuracy in (("b", {"right": 1.0}), ("t", {}))
    ]
    task = compare_runs(*runs, Settings(resamples=199)).tasks[0]
    assert task.row("accuracy").missing == {"the run has no right for it": 1}
    assert task.row("leak_share").missing == {"leak_share was not computed": 2}
    assert (task.row("accuracy").base, task.row("accuracy").n) == (1.0, 1)


# --- questions


def plain(number: int, **fields):
    return record(number, chain([-4.0, -2.0 + number / 10]), **fields)


def both(base, tuned, **settings) -> Comparison:
    return compare_runs(run("b", base), run("t", tuned), Settings(resamples=199, **settings))


def test_questions_left_out_are_counted_per_task_and_together():
    base = [plain(i, task="law") for i in range(4)] + [plain(i + 10, task="art") for i in range(3)]
    tuned = [plain(i, task="law") for i in range(3)] + [plain(i + 11, task="art") for i in range(4)]
    found = both(base, tuned)
    assert [(one.task, one.n_pairs, one.only_base, one.only_tuned) for one in found.all] == [
        ("law", 3, 1, 0),
        ("art", 2, 1, 2),
        (None, 5, 2, 2),
    ]


def test_only_ids_that_are_in_both_runs_are_told_to_have_another_text():
    base = [plain(i) for i in range(4)]
    tuned = [plain(0), plain(2, question="Another one?"), plain(3, question="Yet another?")]
    assert any(note.startswith("2 document ids are in both runs") for note in both(base, tuned).notes)


def test_without_texts_documents_are_paired_by_id_and_drawn_each_by_itself():
    base, tuned = ([plain(i, question=text) for i in range(6)] for text in ("", " \n"))
    found = both(base, tuned)
    assert found.paired_by == {"document id, for want of a text": 6}
    assert found.tasks[0].row("infogain_nats").n_clusters == 6


def test_white_space_makes_no_other_question():
    base, tuned = ([plain(i, question=f"What{gap}is {i}?", doc_id=None) for i in range(3)] for gap in (" ", "  \n"))
    assert both(base, tuned).paired_by == {"question text": 3}


def test_records_without_an_id_are_no_pair_by_id():
    assert (
        both([plain(0), plain(1, doc_id=None)], [plain(0), plain(1, doc_id=None)], pair_by="id").tasks[0].n_pairs == 1
    )


def test_question_without_a_subject_stays_in_its_task():
    records = [plain(0, subject="law"), plain(1)]
    assert [task.task for task in both(records, records, by="subject").tasks] == ["law", "task"]


def test_accuracy_is_the_first_metric_that_both_runs_have():
    base = [plain(i, accuracy={"only here": 1.0, "strict": 1.0, "exact": 0.0}) for i in range(2)]
    tuned = [plain(i, accuracy={"exact": 0.0, "strict": 0.5}) for i in range(2)]
    found = both(base, tuned)
    assert (found.accuracy_name, found.tasks[0].row("accuracy").tuned) == ("strict", 0.5)


def test_lengths_of_repeats_are_averaged_before_those_of_the_runs():
    """Two repeats of 1 and 3 steps, against one of 6: drops are divided by 4."""
    base = [record(0, chain([-2.0, -1.0])), record(0, chain([-2.0, -2.0, -2.0, -1.0]))]
    tuned = [record(0, chain([-2.0] * 6 + [-1.0]))]
    row = both(base, tuned).tasks[0].row("infogain_same_length")
    assert (row.base, row.tuned) == pytest.approx(((math.exp(2) - math.exp(1)) / 4,) * 2)


def test_same_values_in_another_order_are_no_difference():
    values = [0.1, 0.2, 0.3, 0.7, 1e-9]
    base, tuned = (
        [record(i, chain([-9.0, -9.0], infogain_nats=value)) for i, value in enumerate(order)]
        for order in (values, values[::-1])
    )
    row = both(base, tuned).tasks[0].row("infogain_nats")
    assert row.difference == 0


def test_ppl_before_any_step_has_the_token_count_of_its_own_prefix():
    """Of two accepted answers the long one is likelier before the step, the short one after it."""
    shares = [{"7": (0.02, 1), "seven eggs": (0.06, 3)}, {"7": (0.5, 1), "seven eggs": (0.125, 3)}]

    def says(steps, text):
        probability, tokens = shares[len(steps)][text]
        return math.log(probability), tokens

    asked = Trace("How many eggs?", "Hens lay eggs.", ["7", "seven eggs"])
    (found,) = scripted_gauge(says).score([asked])
    assert first_ppl(record(1, found)) == pytest.approx(0.08 ** (-1 / 3))


def test_a_flip_of_a_run_that_holds_no_answer_is_no_abstention():
    flips = Flips(0, 0, [Flip("1", "Why?", None, "B", 0.0, 1.0)], [])
    assert flip_lines(flips)[1] == "wrong → right: 1: “Why?”: (no answer recorded) → B"
