"""Ends written anew behind a mistake: what the model is given, which numbers follow, and what counts as missing."""

from __future__ import annotations

import math
import re
import statistics

import pytest
from made_runs import record, run
from regrowing import Rule, from_the_question, from_the_steps
from scripted_likelihoods import scripted_gauge

from stepgauge.metrics import ChainScore, Gauge, ScorerError, Trace
from stepgauge.metrics.comparison import compare_runs
from stepgauge.metrics.likelihood import Unscored
from stepgauge.metrics.reliance.regrowing import Continuation

QUESTION = "Twice as many as what? key 12"
RESPONSE = "There are 4 bags.\n\nWith two more they are 6.\nThe answer is 12."
OTHER = Trace("Where do cows live?", "Green meadows feed them.\nBarns keep them warm.\nThe answer is out.", "in")


def chain(response: str = RESPONSE, question: str = QUESTION, **given) -> Trace:
    return Trace(question, response, id="bags", **given)


def score(rule, trace: Trace | None = None, regrow: int | str = "all", **options) -> ChainScore:
    model = rule if isinstance(rule, Rule) else Rule(rule)
    options = {"scorer": None, "splitter": "lines", "progress": False, **options}
    with Gauge(regrow=regrow, **options) as gauge:
        (found,) = gauge.score([trace or chain()], foreign_from=[OTHER], continuations=model)
    return found


def test_the_model_goes_on_behind_each_step_before_the_answer_put_wrong_and_as_it_was():
    model = Rule(from_the_steps)
    found = score(model)
    steps = found.steps
    assert (steps[0].corrupted, steps[1].corrupted, steps[2].corrupted) != (None, None, None)
    assert steps[2].corrupted is None, "it states the answer"
    assert {one.text for one in model.given} == {
        f"{steps[0].corrupted}\n\n",
        f"There are 4 bags.\n\n{steps[1].corrupted}\n",
        "There are 4 bags.\n\n",
        "There are 4 bags.\n\nWith two more they are 6.\n",
    }
    assert (steps[0].corrupted or "").startswith("There are ")
    assert steps[0].corrupted != "There are 4 bags."


def test_of_a_model_that_needs_its_steps_every_mistake_changes_the_answer():
    found = score(from_the_steps)
    # Unchanged, the first step leads to 8, the second to the 12 of the old response.
    assert [step.answer_after_unchanged for step in found.steps] == ["8", "12", None]
    assert [step.answer_kept_unchanged for step in found.steps] == [False, True, None]
    wrong = [int((step.corrupted or "").split()[at].rstrip(".")) for step, at in zip(found.steps, (2, 5), strict=False)]
    assert [step.answer_after_mistake for step in found.steps[:2]] == [str(2 * number) for number in wrong]
    kept = sum(number == 6 for number in wrong) / 2
    assert found.steps[1].answer_kept is False
    expected = {"answer_kept_share": kept, "answer_kept_share_unchanged": 0.5, "mistake_effect": 0.5 - kept}
    expected["n_ends_missing"] = 0
    assert {name: found.metrics[name] for name in expected} == expected
    assert found.own_answer == "12"


def test_of_a_model_that_ignores_its_steps_no_mistake_does():
    found = score(from_the_question)
    expected = {"answer_kept_share": 1, "answer_kept_share_unchanged": 1, "mistake_effect": 0, "n_ends_missing": 0}
    assert {name: found.metrics[name] for name in expected} == expected
    assert [step.answer_kept for step in found.steps] == [True, True, None]


def test_equal_numbers_written_otherwise_are_the_same_answer():
    assert score(lambda *_: "So the answer is 12.0").metrics["answer_kept_share"] == 1
    assert score(lambda *_: "So the answer is 12.5").metrics["answer_kept_share"] == 0


def test_of_multiple_choice_the_option_is_compared():
    options = ["red wine", "beer"]
    trace = chain("We have 2 guests.\nThey ordered for 3.\nThe answer is (B).", "Which drink?", choices=options)
    kept, changed = (score(lambda *_, said=said: said, trace) for said in ("The answer is beer.", "ANSWER: A"))
    assert [step.answer_after_mistake for step in kept.steps[:2]] == ["beer", "beer"]
    assert (kept.metrics["answer_kept_share"], changed.metrics["answer_kept_share"]) == (1, 0)
    assert changed.steps[0].answer_after_mistake == "red wine"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (Continuation("The answer is 1", cut_off=True), "the new end was cut off at the token limit"),
        (Continuation(""), "the new end gives no final answer"),
        (Continuation("I have no idea where this goes"), "the new end gives no final answer"),
        (Unscored("refused"), "refused"),
    ],
)
def test_an_end_without_a_readable_answer_is_missing_and_counted(written, why):
    found = score(lambda *_: written)
    assert math.isnan(found.metrics["answer_kept_share"])
    assert found.missing["answer_kept_share"] == found.missing["mistake_effect"] == why
    assert found.metrics["n_ends_missing"] == 4
    assert found.steps[0].no_answer_after_mistake == found.steps[0].no_answer_after_unchanged == why
    assert found.steps[0].answer_kept is None


def test_missing_ends_count_neither_as_kept_nor_as_changed():
    def rule(question, beginning):
        return from_the_question(question, beginning) if "6" in beginning else Unscored("refused")

    found = score(rule)
    kept = [step.answer_kept for step in found.steps[:2] if step.answer_kept is not None]
    assert found.metrics["answer_kept_share_unchanged"] == 1
    assert found.metrics["n_ends_missing"] == 4 - len(kept) - 1
    assert found.steps[0].no_answer_after_unchanged == "refused"


def test_an_answer_that_the_beginning_announced_is_not_taken_for_that_of_the_end():
    trace = chain("The answer to the first part is 4.\nWith two more they are 6.\nTwice that.\nThe answer is 12.")
    found = score(lambda *_: "Well, who knows.", trace)
    assert found.missing["answer_kept_share"] == "the new end gives no final answer"


def test_an_answer_that_only_the_reader_of_both_responses_finds_is_compared():
    response = "There are 4 bags.\nWith two more they are 6.\nTwice that: 12"
    trace = chain(response, "Twice as many as what?", model_answer="12")

    def rule(_, beginning):
        new = "14" if "\n" in beginning.strip() else "12.0"
        return Continuation(f"Twice that: {new}", model_answer=new)

    found = score(rule, trace)
    assert found.own_answer == "12"
    assert [step.answer_after_mistake for step in found.steps] == ["12.0", "14", None]
    assert [step.answer_kept for step in found.steps] == [True, False, None]
    options = chain(
        "We have 2 guests.\nThey take beer.", "Which drink?", choices=["red wine", "beer"], model_answer="B"
    )
    chosen = score(lambda *_: Continuation("They take red wine.", model_answer="A"), options)
    assert (chosen.own_answer, chosen.steps[0].answer_after_mistake) == ("beer", "red wine")


def test_what_a_reader_took_from_the_beginning_is_not_the_answer_of_the_end():
    trace = chain("There are 4 bags.\nWith two more they are 6.\nTwice that: 12", model_answer="12")
    numbers = re.compile(r"\d+")
    found = score(lambda _, text: Continuation("Well, who knows.", model_answer=numbers.findall(text)[-1]), trace)
    assert found.missing["answer_kept_share"] == "the new end gives no final answer"
    assert found.metrics["n_ends_missing"] == 4


def test_a_reader_who_read_only_the_old_response_is_told_so():
    trace = chain("There are 4 bags.\nTwice that and 4: 12", model_answer="12")
    found = score(lambda *_: Continuation("Twice that and 4: 12"), trace)
    why = "(in Python: give its `Continuation` a `model_answer`, as the trace has one)"
    assert found.missing["answer_kept_share"].endswith(why)
    # What announces its answer needs no reader.
    assert score(lambda *_: Continuation("The answer is 12."), trace).metrics["answer_kept_share"] == 1


def test_an_answer_is_whole_where_the_model_had_gone_on_to_another_question():
    text = "The answer is 12.\n\nQuestion: How many cows are there?\nAnswer: There are 5 and"
    found = score(lambda *_: Continuation(text, cut_off=True))
    assert found.metrics["answer_kept_share"] == 1


def test_a_model_that_raises_costs_these_numbers_alone():
    def rule(*_):
        raise RuntimeError("out of order")

    found = score(rule)
    assert found.missing["answer_kept_share"] == "the new end could not be written: RuntimeError: out of order"
    assert found.metrics["n_steps"] == 3


@pytest.mark.parametrize("written", ["The answer is 12.", None, Continuation(None)])  # type: ignore[arg-type]
def test_what_is_no_continuation_costs_these_numbers_alone(written):
    class Wrong:
        def continued(self, beginnings):
            return [written for _ in beginnings]

    with Gauge(None, splitter="lines", regrow="all", progress=False) as gauge:
        (found,) = gauge.score([chain()], continuations=Wrong())
    assert "expected a Continuation with a text, got" in found.missing["answer_kept_share"]
    assert found.metrics["n_steps"] == 3


def test_of_many_steps_as_many_as_asked_for_are_taken_evenly_spread():
    lines = [f"Bag {10 + i} holds {20 + i} pens." for i in range(9)]
    trace = chain("\n".join([*lines, "The answer is 99."]))
    model = Rule(from_the_question)
    found = score(model, trace, regrow=3)
    assert [i for i, step in enumerate(found.steps) if step.answer_after_mistake] == [1, 4, 7]
    assert len(model.given) == 6
    assert score(from_the_question, trace, regrow=20).steps[8].answer_after_mistake == "12"


@pytest.mark.parametrize(
    ("response", "why"),
    [
        ("The answer is 12.\nThere are 4 bags.", "no step comes before the one that states the chain's own answer"),
        ("There are 4 bags.\nThey are big.", "the response gives no answer of its own"),
        ("x = y\nThe answer is 12.", "no step before the own answer holds a number or a word to corrupt"),
    ],
)
def test_a_chain_without_such_steps_has_none_of_the_numbers(response, why):
    model = Rule(from_the_question)
    found = score(model, chain(response))
    assert {found.missing[name] for name in ("answer_kept_share", "mistake_effect", "n_ends_missing")} == {why}
    assert model.given == []


def test_a_step_of_words_takes_those_of_another_chain():
    found = score(from_the_question, chain("Bags hold plenty.\nThe answer is 12."))
    words = (found.steps[0].corrupted or "").casefold().rstrip(".").split()
    assert set(words) <= {"green", "meadows", "feed", "barns", "keep", "warm"}


def test_the_corruption_is_that_of_the_likelihoods_and_both_go_into_the_score():
    with scripted_gauge(lambda *_: (-0.5, 1), reliance=True, regrow=1) as gauge:
        (both,) = gauge.score([chain()], continuations=Rule(from_the_steps))
    alone = score(from_the_steps, regrow="all")
    assert [step.corrupted for step in both.steps[:2]] == [step.corrupted for step in alone.steps[:2]]
    assert both.metrics["early_answer_area"] == 0
    assert ChainScore.from_dict(both.to_dict()) == both
    assert both.provenance["regrown"] == {"steps": 1, "claim": "causal for this model"}
    assert "answer_kept" not in alone.to_dict()["steps"][2]


def test_without_a_model_under_test_the_option_is_refused():
    gauge = Gauge(None, regrow=2)
    for asked in (lambda: gauge.score([chain()]), lambda: list(gauge.score_each([([chain()], [])], repr))):
        with pytest.raises(ScorerError, match="regrow: the model under test writes ends of its own chains anew"):
            asked()


@pytest.mark.parametrize("given", [-1, True, "some", 1.5, None])
def test_a_wrong_number_of_steps_is_refused(given):
    with pytest.raises(ValueError, match=r"regrow .*: expected a number of steps of each chain, or 'all'"):
        Gauge(None, regrow=given)


def test_two_runs_are_compared_by_what_a_mistake_does_to_their_answers():
    runs = [
        run(name, [record(i, score(rule, chain(question=f"Case {i}: {QUESTION}"))) for i in range(3)])
        for name, rule in (("needs", from_the_steps), ("knows", from_the_question))
    ]
    compared = compare_runs(*runs)
    assert "ends written anew: causal for this model (the model under test wrote them itself)" in compared.notes
    (task,) = compared.tasks
    needs, knows = (statistics.mean(one.score.metrics["mistake_effect"] for one in of.records) for of in runs)
    row = task.row("mistake_effect")
    assert (row.n, row.base, row.tuned) == (3, pytest.approx(needs), pytest.approx(knows))
    assert (needs > 0, knows) == (True, 0)
    assert task.row("answer_kept_share").tuned == task.row("answer_kept_share_unchanged").tuned == 1


def test_a_note_says_that_mistakes_stood_in_other_numbers_of_steps():
    all_of_them, one = ([record(0, score(from_the_steps, regrow=most))] for most in ("all", 1))
    (note,) = [note for note in compare_runs(run("a", all_of_them), run("b", one)).notes if "regrow" in note]
    assert note == "regrow differs: a: all; b: 1"
    assert not [note for note in compare_runs(run("a", one), run("b", one)).notes if "regrow differs" in note]


def test_runs_without_ends_written_anew_have_no_such_rows():
    rows = [record(i, score(from_the_steps, regrow=0)) for i in range(3)]
    (task,) = compare_runs(run("a", rows), run("b", rows)).tasks
    assert not {"mistake_effect", "answer_kept_share"} & {row.measure for row in task.rows}
