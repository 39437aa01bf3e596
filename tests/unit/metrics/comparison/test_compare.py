"""Comparing two runs: pairs, statistics against slow oracles, confounders and verdicts."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from made_runs import chain, drawn, record, run
from sweeps import sweep

from stepgauge.metrics.comparison import NotComparable, Settings, compare_runs, question_hash

FAST = Settings(resamples=999, deciding=("infogain_nats", "infogain_nats_without_final", "ki"))


def values(numbers, **fields):
    """A run with `infogain_nats` set to each number, over a two-step chain."""
    return [record(i, chain([-9.0, -9.0, -9.0 + x]), **fields) for i, x in enumerate(numbers)]


# --- pairs


def test_chains_are_paired_by_question_whatever_their_order():
    base = run("base", values([1.0, 2.0, 3.0]))
    tuned = run("tuned", list(reversed(values([1.5, 2.5, 3.5]))))
    row = compare_runs(base, tuned, FAST).tasks[0].row("infogain_nats")
    assert (row.n, row.base, row.tuned) == (3, 2.0, 2.5)
    assert (row.low, row.high) == pytest.approx((0.5, 0.5))


def test_same_row_number_with_another_question_is_no_pair_unless_asked_for():
    base = run("base", values([1.0, 2.0, 3.0]))
    other = record(2, chain([-9.0, -5.0]), question="Something else?")
    tuned = run("tuned", [*values([1.0, 2.0]), other])
    comparison = compare_runs(base, tuned, FAST)
    (task,) = comparison.tasks
    assert (task.n_pairs, task.only_base, task.only_tuned) == (2, 1, 1)
    assert any("another question text" in note for note in comparison.notes)
    assert any("1 of 3 questions (33%) only in base" in note for note in comparison.notes)
    assert compare_runs(base, tuned, dataclasses.replace(FAST, pair_by="id")).tasks[0].n_pairs == 3


def test_runs_with_other_ids_or_other_task_names_are_paired_by_the_question_and_say_so():
    base = run("base", values([1.0, 2.0, 3.0]))
    tuned = run("tuned", values([1.0, 2.0, 3.0], task="other", doc_id=None))
    comparison = compare_runs(base, tuned, FAST)
    assert comparison.paired_by == {"question text": 3}
    assert any("share no task name" in note for note in comparison.notes)


def test_repeats_are_averaged_and_a_missing_number_is_counted_with_its_reason():
    base = run("base", [*values([1.0, 2.0]), record(0, chain([-9.0, -9.0, -6.0]))])
    gone = chain([-9.0, -8.0], infogain_nats=math.nan, missing="no gold answer")
    tuned = run("tuned", [record(0, chain([-9.0, -9.0, -4.0])), record(1, gone)])
    comparison = compare_runs(base, tuned, FAST)
    row = comparison.tasks[0].row("infogain_nats")
    assert (row.n, row.base, row.tuned) == (1, 2.0, 5.0)  # (1 + 3) / 2 against 5
    assert row.missing == {"no gold answer": 1}
    assert any("base: up to 2 chains a question" in note for note in comparison.notes)


def test_questions_of_one_text_are_drawn_together():
    same = [{"question": "The same?", "doc_id": str(i)} for i in range(6)]
    base = [record(i, chain([-9.0, -8.0]), **same[i]) for i in range(6)] + values([1.0] * 4, task="task")
    tuned = [record(i, chain([-9.0, -7.0 + i]), **same[i]) for i in range(6)] + values([1.0] * 4, task="task")
    row = compare_runs(run("base", base), run("tuned", tuned), FAST).tasks[0].row("infogain_nats")
    assert (row.n, row.n_clusters) == (10, 5)


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        (
            {"task": "task", "question": "Nothing in common?"},
            {},
            "no question is in both runs: base (3 chains of task)",
        ),
        ({}, {"accuracy": "exct"}, "unknown accuracy metric of both runs 'exct'; did you mean 'exact'?"),
        ({}, {"deciding": ("infogain_nat",)}, "did you mean 'infogain_nats'?"),
    ],
)
def test_what_cannot_be_compared_is_one_error(change, settings, said):
    base = run("base", values([1.0, 2.0, 3.0], accuracy={"exact": 1.0}))
    tuned = run("tuned", values([1.0, 2.0, 3.0], accuracy={"exact": 0.0}, **change))
    with pytest.raises(NotComparable) as caught:
        compare_runs(base, tuned, Settings(resamples=99, **settings))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["scorer", "revision", "template", "variant"])
def test_runs_scored_otherwise_are_refused_unless_forced(name):
    base = run("base", values([1.0, 2.0, 3.0]))
    changed = {name: "x", **({"source": "/models/x"} if name == "scorer" else {})}
    other = [
        dataclasses.replace(one, score=dataclasses.replace(one.score, provenance={**one.score.provenance, **changed}))
        for one in base.records
    ]
    with pytest.raises(NotComparable, match=f"different settings of '{name}'"):
        compare_runs(base, run("tuned", other), FAST)
    assert name in compare_runs(base, run("tuned", other), dataclasses.replace(FAST, force=True)).notes[0]


# --- pairs across frameworks


@pytest.mark.parametrize(
    ("base", "tuned", "pairs"),
    [
        (
            "Question: Which organ makes bile?\nA. Spleen\nB. Liver\nExplanation:",
            "Which organ makes bile?\nA) Spleen\nB) Liver",
            1,
        ),
        ("Q: What is 5 - 3?\nA:", "What is 5 − 3?", 1),
        ("What is 5 - 3?", "What is 5 + 3?", 0),
        ("How many eggs?\nAnswer:", "HOW MANY EGGS", 1),
        ("Which organ makes bile?\nA. Spleen\nB. Liver", "Which organ makes bile?\nA) Liver\nB) Spleen", 0),
        ("Is 3 < 4?", "Is 3 > 4?", 0),
    ],
)
def test_questions_that_frameworks_put_differently_are_paired_by_their_words_and_signs(base, tuned, pairs):
    one, other = (
        run(name, [record(1, chain([-4.0, -2.0]), question=text, doc_id=None, task=name), *rest])
        for name, text, rest in (("lm", base, values([1.0], task="lm")), ("in", tuned, values([1.0], task="in")))
    )
    comparison = compare_runs(one, other, FAST)
    assert comparison.paired_by.get("the question's words", 0) == pairs
    assert sum(comparison.paired_by.values()) == 1 + pairs
    assert any("case, punctuation, layout" in note for note in comparison.notes) == bool(pairs)


def test_same_stem_with_options_that_the_text_does_not_list_is_not_paired_by_its_words():
    stem = "Which of these organs makes bile?"
    sides = [
        record(0, chain([-4.0, -2.0]), question=stem, question_hash=question_hash(stem, options))
        for options in (("Liver", "Spleen"), ("Iron", "Zinc"))
    ]
    with pytest.raises(NotComparable, match="no question is in both runs"):
        compare_runs(run("b", [sides[0]]), run("t", [sides[1]]), FAST)


def test_chains_of_one_question_that_were_cut_by_different_splitters_are_counted():
    def cut(one, name):
        return dataclasses.replace(
            one, score=dataclasses.replace(one.score, provenance={**one.score.provenance, "splitter": name})
        )

    base = [cut(one, "auto:lines") for one in values([1.0, 2.0, 3.0])]
    names = ("auto:lines", "lines", "auto:sentences")
    tuned = [cut(one, name) for one, name in zip(values([1.0, 2.0, 3.0]), names, strict=True)]
    notes = compare_runs(run("b", base), run("t", tuned), FAST).notes
    assert any(
        "chains of 1 of 3 questions were cut into steps differently (lines against sentences: 1)" in n for n in notes
    )
    assert not any("differently" in note for note in compare_runs(run("b", base), run("t", base), FAST).notes)


# --- statistics against slow oracles


def sign_flips(differences):
    """Two-sided p over all 2^n sign flips."""
    observed = abs(sum(differences))
    flips = list(itertools.product((1, -1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(flip, differences, strict=True))) for flip in flips]
    return sum(value >= observed - 1e-12 for value in sums) / len(flips)


def test_p_is_that_of_all_sign_flips():
    rng = np.random.default_rng(3)
    before, after = rng.normal(2, 1, 9), rng.normal(2.6, 1, 9)
    row = compare_runs(run("base", values(before)), run("tuned", values(after)), FAST).tasks[0].row("infogain_nats")
    assert row.p == pytest.approx(sign_flips(after - before), abs=1e-9)


def test_interval_is_that_of_a_plain_bootstrap_where_the_differences_are_symmetric():
    rng = np.random.default_rng(4)
    before = rng.normal(2, 1, 120)
    after = before + rng.normal(0.4, 1, 120)
    row = compare_runs(run("base", values(before)), run("tuned", values(after))).tasks[0].row("infogain_nats")
    draws = [np.mean(rng.choice(after - before, 120)) for _ in range(4000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (row.low, row.high) == pytest.approx((low, high), abs=0.03)


def test_holm_corrects_over_the_outcomes_and_leaves_the_confounders_untested():
    rng = np.random.default_rng(5)
    task = compare_runs(
        drawn("base", rng, 60, gain=2, right=0.4), drawn("tuned", rng, 60, gain=2.4, right=0.6), FAST
    ).tasks[0]
    tested = sorted((row.p, row.p_holm) for row in task.rows if not math.isnan(row.p))
    running = 0.0
    for index, (p, corrected) in enumerate(tested):
        running = max(running, min(1.0, p * (len(tested) - index)))
        assert corrected == pytest.approx(running)
    assert all(math.isnan(row.p) and row.role == "confounder" for row in task.rows if row.measure in ("ppl_0",))


@pytest.mark.slow
@pytest.mark.parametrize("times", sweep([25, 100], [25]))
def test_interval_covers_the_true_difference_about_as_often_as_it_says(times):
    rng = np.random.default_rng(6)
    hits = 0
    for seed in range(times):
        before = rng.normal(0, 1, 40)
        after = before + 0.5 + rng.normal(0, 1, 40)
        settings = Settings(resamples=499, seed=seed)
        row = compare_runs(run("b", values(before)), run("t", values(after)), settings).tasks[0].row("infogain_nats")
        hits += row.low <= 0.5 <= row.high
    assert 0.86 <= hits / times <= 1


def test_questions_needed_give_the_power_they_promise():
    rng = np.random.default_rng(7)
    before = rng.normal(0, 1, 400)
    after = before + rng.normal(0, 1, 400)
    settings = Settings(resamples=99, deciding=("infogain_nats",), smallest_gain=0.3, alpha=0.01)
    comparison = compare_runs(run("b", values(before)), run("t", values(after)), settings)
    row = comparison.tasks[0].row("infogain_nats")
    z = np.abs(rng.normal(row.smallest, row.sd, (4000, row.needed)).mean(axis=1)) / (row.sd / math.sqrt(row.needed))
    assert np.mean(z > -_z(0.01 / 2)) == pytest.approx(0.8, abs=0.03)


def _z(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


# --- what is measured


def test_knowledge_that_can_no_longer_be_checked_is_pointed_out():
    base = run("b", [record(i, chain([-4.0, -2.0], ki=1.0)) for i in range(12)])
    tuned = run("t", [record(i, chain([-4.0, -2.0], ki=1.0 if i < 2 else math.nan)) for i in range(12)])
    task = compare_runs(base, tuned, FAST).tasks[0]
    assert task.row("ki").n == 2
    assert any("12 questions of the base run and 2 of the other" in note for note in task.notes)


def test_relative_change_of_a_negative_number_keeps_the_direction():
    row = (
        compare_runs(run("b", values([-2.0, -4.0])), run("t", values([-1.0, -2.0])), FAST).tasks[0].row("infogain_nats")
    )
    assert (row.base, row.tuned, row.difference, row.relative) == (-3.0, -1.5, 1.5, 0.5)


def test_length_matched_infogain_divides_both_drops_by_the_pair_s_mean_length():
    short = chain([-2.0, -1.0])  # one step
    long = chain([-2.0, -2.0, -2.0, -1.0])  # the same drop over three
    comparison = compare_runs(run("b", [record(0, short)]), run("t", [record(0, long)]), FAST)
    plain, matched = (comparison.tasks[0].row(name) for name in ("infogain", "infogain_same_length"))
    drop = math.exp(2) - math.exp(1)
    assert (plain.base, plain.tuned) == pytest.approx((drop, drop / 3))
    assert (matched.base, matched.tuned) == pytest.approx((drop / 2, drop / 2))
    assert matched.difference == 0


def test_chain_that_only_announces_an_answer_has_gained_nothing_before_it():
    announced = chain(
        [-4.0, -1.0], texts=["The answer is 4."], infogain_nats_without_final=math.nan, missing="only that"
    )
    announced = dataclasses.replace(
        announced, steps=[dataclasses.replace(step, kind="final_answer") for step in announced.steps]
    )
    base = run("b", [record(i, chain([-4.0, -2.5, -1.0])) for i in range(3)])
    task = compare_runs(base, run("t", [record(i, announced) for i in range(3)]), FAST).tasks[0]
    row = task.row("infogain_nats_without_final")
    assert (row.n, row.base, row.tuned) == (3, 3.0, 0.0)
    assert task.row("infogain_nats").difference == 0


def test_confounders_are_rows_of_the_table_and_raise_a_caution_where_they_differ():
    rng = np.random.default_rng(8)
    base, tuned = [], []
    for i in range(40):
        texts = ["A step.", "The answer is 4."]
        base.append(record(i, chain([-4.0, -3.0 + rng.normal(0, 0.1), -2.0], texts=texts), truncated=False))
        texts = [f"Step {j}" for j in range(5)]
        cut = chain([-4.0, *(-3.0 + rng.normal(0, 0.1, 4)), -2.0], texts=texts, states=[3, 4])
        tuned.append(record(i, cut, truncated=i % 2 == 0))
    task = compare_runs(run("b", base), run("t", tuned), FAST).tasks[0]
    shown = {row.measure: (row.base, row.tuned) for row in task.rows if row.role == "confounder"}
    assert shown["truncated"] == (0.0, 0.5)
    assert shown["unfinished"] == (0.0, 1.0)
    assert shown["answer_stating_share"] == (0.0, pytest.approx(0.4))
    assert shown["ppl_0"] == (pytest.approx(math.exp(4)),) * 2
    said = " ".join(task.notes)
    for words in ("from 2.0 to 5.0 steps", "cut off went from 0% to 50%", "state the answer went from 0% to 40%"):
        assert words in said


# --- verdicts

CASES = {
    # name: (base gain, tuned gain, base right, tuned right, questions)
    "trap": (3.0, 1.0, 0.3, 0.7, 200),
    "gain": (1.0, 3.0, 0.3, 0.7, 200),
    "regression": (3.0, 1.0, 0.5, 0.5, 200),
    "no change": (2.0, 2.0, 0.5, 0.5, 6000),
    "underpowered": (2.0, 2.0, 0.5, 0.5, 40),
}


@pytest.mark.parametrize("name", sweep(CASES, CASES.keys() - {"no change"}))
def test_verdict(name):
    gain, after, right, right_after, n = CASES[name]
    rng = np.random.default_rng(11)
    base = drawn("base", rng, n, gain=gain, right=right, noise=0.3)
    tuned = drawn("tuned", rng, n, gain=after, right=right_after, noise=0.3)
    verdict = compare_runs(base, tuned, FAST).tasks[0].verdict
    assert verdict.name == name, verdict
    assert (verdict.needed is not None) == (name == "underpowered")


@pytest.mark.parametrize(("smallest", "name"), [(0.25, "no change"), (0.05, "underpowered")])
def test_no_change_is_said_where_the_intervals_lie_within_the_smallest_differences_that_matter(smallest, name):
    rng = np.random.default_rng(11)
    base, tuned = (drawn(side, rng, 300, gain=2.0, right=0.5, noise=0.3) for side in ("base", "tuned"))
    settings = dataclasses.replace(FAST, smallest_share=smallest, smallest_gain=4 * smallest)
    assert compare_runs(base, tuned, settings).tasks[0].verdict.name == name


def test_rise_in_accuracy_with_too_few_chains_to_see_a_loss_of_reasoning_is_no_gain():
    rng = np.random.default_rng(12)
    base = drawn("base", rng, 60, gain=2, right=0.1, noise=2)
    tuned = drawn("tuned", rng, 60, gain=2, right=0.9, noise=2)
    verdict = compare_runs(base, tuned, FAST).tasks[0].verdict
    assert (verdict.name, verdict.accuracy) == ("underpowered", "up")
    assert "questions would be needed" in verdict.why


def test_one_measure_down_is_reasoning_down_even_if_another_is_up():
    rng = np.random.default_rng(13)
    # More nats from a chain, and a lower share of its checkable steps right.
    base = drawn("base", rng, 200, gain=1, right=0.3, noise=0.3)
    tuned = drawn("tuned", rng, 200, gain=3, right=0.7, noise=0.3)

    def judged(one, share):
        metrics = {**one.score.metrics, "ki": float(rng.random() < share)}
        return dataclasses.replace(one, score=dataclasses.replace(one.score, metrics=metrics))

    base = run("base", [judged(one, 0.9) for one in base.records])
    tuned = run("tuned", [judged(one, 0.3) for one in tuned.records])
    verdict = compare_runs(base, tuned, FAST).tasks[0].verdict
    assert verdict.name == "trap"
    assert "ki down" in verdict.why
    assert "infogain_nats, no final up" in verdict.why


@pytest.mark.slow
@pytest.mark.parametrize("times", sweep([14, 40], [14]))
def test_trap_is_rarely_raised_where_accuracy_rises_and_reasoning_is_only_noise(times):
    rng = np.random.default_rng(14)
    traps = 0
    for seed in range(times):
        base = drawn("base", rng, 80, gain=2, right=0.2, noise=1)
        tuned = drawn("tuned", rng, 80, gain=2, right=0.8, noise=1)
        verdict = compare_runs(base, tuned, Settings(resamples=299, seed=seed)).tasks[0].verdict
        traps += verdict.name == "trap"
    assert traps / times <= 3 / 40  # 2.5 % each at most


def test_tasks_have_a_verdict_each_and_one_together():
    rng = np.random.default_rng(15)
    trap = [drawn(n, rng, 150, gain=g, right=r, noise=0.3, task="law") for n, g, r in (("b", 3, 0.2), ("t", 1, 0.8))]
    gain = [
        drawn(n, rng, 150, gain=g, right=r, noise=0.3, task="medicine") for n, g, r in (("b", 1, 0.2), ("t", 3, 0.8))
    ]
    base, tuned = (run(name, [*a.records, *b.records]) for name, a, b in zip("bt", trap, gain, strict=True))
    comparison = compare_runs(base, tuned, FAST)
    assert {task.task: task.verdict.name for task in comparison.tasks} == {"law": "trap", "medicine": "gain"}
    assert comparison.overall is not None
    assert comparison.overall.n_pairs == 300
    assert comparison.overall.row("accuracy").p_holm < 0.05


def test_subjects_can_take_the_place_of_tasks():
    base = [*values([1.0, 2.0], subject="health"), record(7, chain([-9.0, -5.0]), subject="math")]
    comparison = compare_runs(run("b", base), run("t", base), Settings(resamples=99, by="subject"))
    assert [(task.task, task.n_pairs) for task in comparison.all] == [("health", 2), ("math", 1), (None, 3)]


def test_result_is_strict_json():
    base = run("b", values([1.0, 2.0]))
    text = json.dumps(compare_runs(base, base, Settings(resamples=99)).to_dict(), allow_nan=False)
    assert json.loads(text)["tasks"][0]["rows"][0]["measure"] == "infogain_nats_before_own_answer"
