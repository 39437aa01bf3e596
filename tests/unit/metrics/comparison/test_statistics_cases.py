"""Runs whose answer is known: a run against itself, tiny noise, a loss that matters, wordings of the last sentence."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from made_runs import chain, record, run

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.comparison import Record, Run, Settings, TaskComparison, compare_runs
from stepgauge.metrics.score import ControlScore

FAST = Settings(resamples=999)
DECIDING = ("infogain_nats_before_own_answer", "reasons_first", "supported_before_own_answer")


def side(name: str, gains, right):
    """A run with these gains before its own answer, which the last step states."""
    return run(
        name,
        [
            record(i, chain([-9.0, -9.0 + gain, -1.0]), accuracy={"correct": float(correct)})
            for i, (gain, correct) in enumerate(zip(gains, right, strict=True))
        ],
    )


def compared(base, tuned, **settings) -> TaskComparison:
    (task,) = compare_runs(base, tuned, dataclasses.replace(FAST, **settings)).tasks
    return task


def fewest(tests: int, alpha: float = 0.05) -> int:
    """The least n for which 2 / 2^n, the smallest p of a sign-flip test, times the number of tests is below alpha."""
    return next(n for n in range(1, 99) if tests * 2 / 2**n < alpha)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.065, 0.08])
@pytest.mark.parametrize("n", [3, 5, 6, 50, 200])
def test_nearly_equal_runs_are_never_unchanged_by_what_so_few_questions_cannot_show(n, noise):
    rng = np.random.default_rng(n)
    gains, right = rng.normal(2, 1, n), rng.random(n) < 0.5
    task = compared(side("base", gains, right), side("tuned", gains + noise * rng.normal(size=n), right))
    tests = sum(not math.isnan(row.p) for row in task.rows)
    assert tests == 3, "accuracy, gains, reasons first; no step of either run can be checked"
    for row in task.rows[:3]:
        assert row.needed is not None
        assert row.needed >= fewest(tests) == 7
    assert task.verdict.accuracy == task.verdict.reasoning == "not significant"
    # Runs that agree on each of n answers differ by less than 0.05 only from about 60 on.
    assert task.verdict.name == ("no change" if n == 200 else "underpowered")
    assert task.verdict.needed is None or task.verdict.needed > n


def test_three_questions_cannot_show_anything_and_the_verdict_says_how_many_could():
    task = compared(side("base", [1.0, 2.0, 3.0], [1, 0, 1]), side("tuned", [1.5, 2.25, 3.5], [1, 0, 1]))
    assert task.row("infogain_nats_before_own_answer").p == 0.25
    assert task.verdict.name == "underpowered"
    assert task.verdict.needed is not None
    assert task.verdict.needed >= 7


@pytest.mark.parametrize(("tests", "least"), [(1, 6), (2, 7), (3, 7), (4, 8)])
def test_fewest_questions_are_those_with_which_all_moving_one_way_is_significant(tests, least):
    """By the p of the comparison itself: `least` questions that all rise are significant, one fewer are not."""
    assert fewest(tests) == least
    measures = ("infogain_nats_before_own_answer", "infogain_nats", "n_steps", "tokens")[:tests]
    for n, direction in ((least, "up"), (least - 1, "not significant")):
        base, tuned = (
            run(name, [record(i, chain([-9.0, *[-9.0 + shift + i / 8] * (2 + shift)])) for i in range(n)])
            for name, shift in (("base", 0), ("tuned", 1))
        )
        assert compared(base, tuned, deciding=measures).verdict.reasoning == direction


def test_loss_that_reaches_past_what_matters_is_no_gain():
    """Accuracy .5 to .75, each chain loses 0.2 standard deviations; a test after correction may or may not see it."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        gains = rng.normal(2, 1, 300)
        base = side("base", gains, np.arange(300) % 4 < 2)
        tuned = side("tuned", gains - 0.2 * gains.std(ddof=1) + rng.normal(0, 0.9, 300), np.arange(300) % 4 < 3)
        task = compared(base, tuned)
        row = task.row("infogain_nats_before_own_answer")
        assert task.verdict.accuracy == "up"
        assert task.verdict.name != "gain" or row.low > -row.smallest
    # The loss alone, without noise beside it, is seen.
    tuned = side("tuned", gains - 0.2, np.arange(300) % 4 < 3)
    assert compared(base, tuned).verdict.name == "trap"


@pytest.mark.parametrize(("level", "verdict"), [(2.0, "trap"), (-2.0, "underpowered")])
def test_gain_of_a_scorer_that_steps_distract_does_not_decide(level, verdict):
    """A model that says more loses more of such a scorer's likelihood: neither a loss of reasoning, nor a gain."""
    rng = np.random.default_rng(3)
    gains = rng.normal(level, 1, 300)
    base = side("base", gains, np.arange(300) % 4 < 2)
    tuned = side("tuned", gains - 0.5, np.arange(300) % 4 < 3)
    comparison = compare_runs(base, tuned, FAST)
    (task,) = comparison.tasks
    assert task.verdict.name == verdict
    decides = level > 0
    row = task.row("infogain_nats_before_own_answer")
    assert (row.role == "deciding") == decides
    assert any("does not decide" in note for note in comparison.notes) != decides
    # Which of a question's two values is the tuned run's does not matter to it, so the test keeps its level.
    swapped = rng.random(300) < 0.5
    one, other = (
        run(
            name,
            [pair[i ^ swap] for pair, swap in zip(zip(base.records, tuned.records, strict=True), swapped, strict=True)],
        )
        for i, name in enumerate(("base", "tuned"))
    )
    assert (compared(one, other).row("infogain_nats_before_own_answer").role == "deciding") == decides
    # Who asks for it by name gets it.
    asked = compared(base, tuned, deciding=("infogain_nats_before_own_answer",))
    assert asked.verdict.name == "trap"


def test_gain_is_where_the_lower_bound_of_each_deciding_measure_is_above_the_smallest_loss():
    rng = np.random.default_rng(1)
    gains = rng.normal(2, 1, 300)
    base = side("base", gains, np.arange(300) % 4 < 2)
    tuned = side("tuned", gains + rng.normal(0, 0.5, 300), np.arange(300) % 4 < 3)
    row = compared(base, tuned).row("infogain_nats_before_own_answer")
    sd = row.smallest / FAST.smallest_gain
    for smallest, name in ((-row.low / sd * 1.001, "gain"), (-row.low / sd * 0.999, "underpowered")):
        assert compared(base, tuned, smallest_gain=smallest).verdict.name == name


def test_no_change_is_where_the_whole_interval_lies_inside_the_smallest_differences():
    rng = np.random.default_rng(2)
    gains = rng.normal(2, 1, 300)
    base = side("base", gains, [1] * 300)
    tuned = side("tuned", gains + rng.normal(0, 0.5, 300), [1] * 300)
    row = compared(base, tuned).row("infogain_nats_before_own_answer")
    edge = max(-row.low, row.high) / (row.smallest / FAST.smallest_gain)
    for smallest, name in ((edge * 1.001, "no change"), (edge * 0.999, "underpowered")):
        assert compared(base, tuned, smallest_gain=smallest).verdict.name == name


def test_a_further_row_that_does_not_decide_changes_neither_p_nor_verdict():
    """`ki` makes two further rows of numbers."""
    rng = np.random.default_rng(3)
    gains, after, right = rng.normal(2, 1, 60), rng.normal(2.4, 1, 60), rng.random(60) < 0.5
    plain = compared(side("b", gains, right), side("t", after, right))

    def judged(one: Record) -> Record:
        metrics = {**one.score.metrics, "ki": rng.random(), "ki_coverage": rng.random()}
        return dataclasses.replace(one, score=dataclasses.replace(one.score, metrics=metrics))

    more = compared(*(run(n, list(map(judged, side(n, g, right).records))) for n, g in (("b", gains), ("t", after))))
    assert more.row("ki").n == 60
    assert more.row("ki").role == "exploratory"
    assert math.isnan(more.row("ki").p)
    assert more.row("ki").low < more.row("ki").high
    assert plain.verdict == more.verdict
    assert [(row.measure, row.p_holm) for row in plain.rows[:3]] == [(row.measure, row.p_holm) for row in more.rows[:3]]


LAST = (
    "She sold 48 clips in April and 24 in May, so the result is \\boxed{72}.",
    "The number of clips sold in those 2 months is \\boxed{72}.",
    "So she sold 72 clips altogether.",
)


@pytest.mark.parametrize("gold", ["72", "96"])
@pytest.mark.parametrize("computed", [True, False])
def test_wording_of_the_last_sentence_leaves_the_deciding_measures_alone(tiny_scorer, gold, computed):
    """Right or wrong, computed before or only there: what counts comes before the chain's own answer."""
    steps = ["In April she sold 48 clips.", "In May she sold 48 / 2 = 24 clips."]
    steps += ["Together that is 48 + 24 = 72."] if computed else []
    question = "Natalia sold clips to 48 of her friends in April, and half as many in May. How many in total?"
    gauge = Gauge(scorer=tiny_scorer)
    found = []
    for last in LAST:
        (score,) = gauge.score([Trace(question, "\n".join([*steps, last]), gold)])
        found.append(record(0, score, question=question))
    for one, other in itertools.pairwise(found):
        task = compared(run("base", [one]), run("tuned", [other]))
        for name in DECIDING:
            row = task.row(name)
            assert row.n == 1
            assert row.difference == pytest.approx(0, abs=1e-5), (name, LAST)


def test_supported_steps_count_before_the_own_answer_and_fall_with_filler_and_order():
    question = "Natalia sold clips to 48 of her friends in April, and half as many in May. How many in 2 such springs?"
    steps = ["In May she sold 48 / 2 = 24 clips.", "In a spring that is 48 + 24 = 72.", "In two it is 2 * 72 = 144."]
    versions = {
        "whole": (steps, 2 / 3, 1),  # two of the three steps up to the one with 144
        "answer first": (steps[::-1], 0, 0),
        "emptied": ([], 0, 0),
        "filler": (["Let me think.", "One part at a time.", "It is good to be careful."], 0, 1),
    }
    gauge = Gauge(scorer=None)
    for name, (given, share, first) in versions.items():
        (score,) = gauge.score([Trace(question, "\n".join([*given, "The answer is 144."]), "144")])
        whole = gauge.score([Trace(question, "\n".join([*steps, "The answer is 144."]), "144")])[0]
        task = compared(run("base", [record(0, whole)]), run("tuned", [record(0, score)]))
        assert task.row("supported_before_own_answer").tuned == pytest.approx(share), name
        assert task.row("reasons_first").tuned == first, name


# --- accuracy alone


def unscored(name: str, right) -> Run:
    nothing = {"steps": [], "log_likelihoods": [], "metrics": {}, "missing": {}, "provenance": {}}
    score = dataclasses.replace(chain([-9.0, -1.0]), **nothing)
    return run(name, [record(i, score, accuracy={"correct": float(one)}) for i, one in enumerate(right)])


@pytest.mark.parametrize(
    ("before", "after", "n", "name"),
    [(0.25, 0.75, 100, "up"), (0.75, 0.25, 100, "down"), (0.5, 0.5, 100, "no change"), (0.5, 0.5, 20, "underpowered")],
)
def test_runs_without_scores_are_compared_by_accuracy_alone(before, after, n, name):
    base, tuned = (unscored(run, np.arange(n) % 4 < 4 * share) for run, share in (("base", before), ("tuned", after)))
    comparison = compare_runs(base, tuned, FAST)
    (task,) = comparison.tasks
    assert [row.measure for row in task.rows] == ["accuracy"]
    assert (task.verdict.name, task.verdict.reasoning, comparison.scorer) == (name, "not measured", "none")


def test_accuracy_has_mc_nemars_exact_p_and_bonett_and_prices_interval():
    """10 questions of 60 change, 8 of them to right. Both by hand."""
    base = [1] * 2 + [0] * 8 + [1] * 50
    tuned = [0] * 2 + [1] * 8 + [1] * 50
    row = compare_runs(unscored("b", base), unscored("t", tuned), FAST).tasks[0].row("accuracy")
    assert row.p == pytest.approx(2 * sum(math.comb(10, k) for k in range(3)) / 2**10)
    up, down = 9 / 62, 3 / 62
    half = 1.959964 * math.sqrt((up + down - (up - down) ** 2) / 62)
    assert (row.low, row.high) == pytest.approx((up - down - half, up - down + half))


def test_one_scored_run_and_one_unscored_are_compared_by_accuracy_and_it_is_said():
    scored = side("scored", [1.0] * 20, [1] * 20)
    comparison = compare_runs(scored, unscored("plain", [1] * 20), FAST)
    assert [row.measure for row in comparison.tasks[0].rows] == ["accuracy"]
    assert any("plain has no reasoning scores" in note for note in comparison.notes)


# --- controls


def test_gain_over_filler_before_the_own_answer_decides_where_both_runs_were_scored_with_it(tiny_scorer):
    """The control's likelihood is that of the chain whose steps before its own answer are the filler lines."""
    question = "Natalia sold clips to 48 of her friends in April, and half as many in May. How many in total?"
    response = (
        "In May she sold 48 / 2 = 24 clips.\nIt is a nice day.\nTogether that is 48 + 24 = 72.\nThe answer is 72."
    )
    gauge = Gauge(scorer=tiny_scorer, controls=["filler"])
    (score,) = gauge.score([Trace(question, response, "96")])
    control = score.controls["filler"]
    assert len(control.steps_before_own_answer) == 2
    assert len(control.steps_before_answer) == 4, "no step states the gold answer"
    texts = "\n".join([*control.steps_before_own_answer, "The answer is 72."])
    (filler,) = gauge.score([Trace(question, texts, "96")])
    assert control.log_likelihood_before_own_answer == pytest.approx(filler.log_likelihoods[2], abs=1e-4)
    sides = [run(name, [record(0, score, question=question)]) for name in ("base", "tuned")]
    rows = {row.measure: row for row in compare_runs(*sides, FAST).tasks[0].rows}
    row = rows["gain_over_filler_before_own_answer"]
    assert row.role == ("deciding" if row.base >= 0 else "exploratory")
    assert rows["infogain_nats_before_own_answer"].role == "exploratory"
    assert row.base == pytest.approx(score.log_likelihoods[2] - filler.log_likelihoods[2], abs=1e-4)


def test_control_scored_before_own_answers_were_looked_at_is_read_without_them(tiny_scorer):
    (score,) = Gauge(scorer=tiny_scorer, controls=["filler"]).score([Trace("2 + 2?", "2 + 2 = 4.\nIt is 4.", "4")])
    data = score.to_dict()
    for name in ("steps_before_own_answer", "log_likelihood_before_own_answer"):
        del data["controls"]["filler"][name]
    assert math.isnan(type(score).from_dict(data).controls["filler"].log_likelihood_before_own_answer)


@pytest.mark.parametrize(("over", "decides"), [(0.5, True), (-0.5, False)])
def test_a_control_that_is_worth_more_than_steps_decides_nothing(over, decides):
    """More right, and the gain over filler up: no *gain* where filler is worth more to the scorer than the steps."""

    def scored(name, gain, right):
        rows = []
        for i in range(60):
            score = chain([-9.0, -9.0 + gain + i % 5 / 50, -1.0])
            filler = ControlScore(["Hm."], ["Hm."], -9.0, -9.0, (), ["Hm."], -9.0)
            rows.append(
                record(
                    i, dataclasses.replace(score, controls={"filler": filler}), accuracy={"correct": float(right(i))}
                )
            )
        return run(name, rows)

    found = compare_runs(
        scored("base", over - 0.1, lambda i: i % 2), scored("tuned", over + 0.1, lambda i: i % 6), FAST
    )
    (task,) = found.tasks
    roles = {row.measure: row.role for row in task.rows}
    assert (roles["gain_over_filler_before_own_answer"] == "deciding") == decides
    assert roles["infogain_nats_before_own_answer"] == "exploratory"
    assert (task.verdict.name == "gain") == decides
    assert any("worth less than filler" in note for note in found.notes) == (not decides)


@pytest.mark.parametrize(("times", "said"), [(40, True), (19, False)])
def test_a_run_that_gives_one_answer_to_most_questions_is_named(times, said):
    def answering(name, answers):
        rows = [
            record(i, chain([-9.0, -8.0, -1.0]), accuracy={"correct": 0.0}, read_answers={"correct": answer})
            for i, answer in enumerate(answers)
        ]
        return run(name, rows)

    base = answering("base", [str(i) for i in range(40)])
    tuned = answering("tuned", ["9" if i < times else str(100 + i) for i in range(40)])
    (task,) = compare_runs(base, tuned, FAST).tasks
    notes = [note for note in task.notes if "answers '9'" in note]
    assert len(notes) == said
    assert all(note.startswith(f"the tuned run answers '9' to {times} of 40 questions") for note in notes)
