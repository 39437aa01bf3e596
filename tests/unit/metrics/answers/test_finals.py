"""What a chain ends up with: final answers by their place in the chain, and the step from which it keeps to its own."""

from __future__ import annotations

import re

import pytest

from stepgauge.metrics import Chain, Missing, Trace
from stepgauge.metrics.answers.finals import commit_index, final_answers
from stepgauge.metrics.infogain import INFOGAIN_METRICS
from stepgauge.metrics.segment import segment

METRICS = {metric.name: metric for metric in INFOGAIN_METRICS}
DRUGS = ["Thiazide", "Beta blocker", "ACE inhibitor", "Nitrate"]
CLIPS = ["In April she sold 48 clips.", "In May she sold 48/2 = 24.", "48+24 = 72 clips."]


def committed(steps: list[str], question: str, choices: list[str] | None = None, own: str | None = None) -> int | None:
    return commit_index(steps, final_answers(steps), question, choices, own)


@pytest.mark.parametrize(
    ("closing", "final"),
    [
        ("is \\boxed{72}.", True),
        ("in those 2 months is \\boxed{72}.", True),
        ("So she sold 72 clips altogether.", True),
        ("In those 2 months Natalia sold 72 clips.", True),
        ("The answer is 72.", True),
        ("**72**", True),
        ("So she sold 48 in April.", False),
        ("Right. So she sold 48 in April.", False),
        ("Right. So she sold 72.", True),
        ("Because of that she sold 72, since 48 and 24 are 72.", False),
        ("So she sold 48 + 24 = 72 clips.", False),
        ("Is it really 72?", False),
        ("The total number of clips sold is therefore 72.", True),
        ("That gives a total of 72.", True),
        ("所以她一共卖了72个。", True),
        ("したがって、彼女は合計72個売りました。", True),
        ("The answer is 72?", False),
    ],
)
def test_a_closing_sentence_is_final_whatever_its_words(closing: str, final: bool) -> None:
    assert final_answers([*CLIPS, closing]) == [False, False, False, final]


@pytest.mark.parametrize(
    "steps",
    [
        ["So it is 4 + 12 + (-3).", "Which is $13$.", "Right. So the value of $a+b+m$ is 13."],
        [
            "In other words, $\\frac{63}{4}.$",
            "That's correct. So the distance on the map would be $\\frac{63}{4}$ inches.",
        ],
        ["3 + 3 = 6", "Therefore, the solution $x=6$ is correct."],
        ["3 + 3 = 6", "Great! The answer is 6."],
    ],
)
def test_a_conclusion_after_a_word_of_agreement_is_final_and_the_chains_own_answer(steps: list[str]) -> None:
    assert final_answers(steps) == [*([False] * (len(steps) - 1)), True]
    assert committed(steps, "How many?") == len(steps) - 2


@pytest.mark.parametrize(
    "closing",
    ["The patient cannot eat 6 days after", "So he cannot eat 6 days after", "He fasts 6 days."],
)
def test_a_chain_that_is_cut_off_or_goes_on_telling_has_no_conclusion(closing: str) -> None:
    steps = ["The patient was operated on.", "He cannot eat for 6 days.", closing]
    assert final_answers(steps) == [False, False, False]
    assert committed(steps, "How many?") is None


def test_values_on_lines_of_their_own_are_data_unless_they_end_the_chain() -> None:
    assert final_answers(["The primes are:", "2", "3", "5", "7", "The sum is 17."]) == [False] * 6
    assert final_answers(["The primes are:", "2", "3", "5"]) == [False] * 4
    assert final_answers(["2 + 3 = 5", "5"]) == [False, True]
    assert final_answers(["2 + 3 = 5", "5", "The answer is 5."]) == [False, True, True]
    assert final_answers(["**Option A**", "raises glucose", "**Option C**"]) == [False, False, True]
    assert final_answers(["72"]) == [True]
    assert final_answers(["G: 10", "H: 10", "I: 10"]) == [False] * 3
    assert final_answers(["A: Thiazide harms.", "B: Beta blocker harms.", "Only B fits."])[-1]
    assert final_answers([]) == []


@pytest.mark.parametrize(
    ("steps", "final"),
    [
        (["The trial was small.", "Yes."], True),
        (["The trial was small.", "Therefore, no."], True),
        (["The trial was small.", "**Maybe**"], True),
        (["48 + 24 = 72.", "Is that all?", "Yes."], False),
    ],
)
def test_a_closing_yes_or_no_is_final_unless_it_answers_the_step_before(steps: list[str], final: bool) -> None:
    assert final_answers(steps)[-1] is final


def test_a_result_on_the_way_is_no_final_answer() -> None:
    assert final_answers([*CLIPS, "So she sold 72 clips.", "Each costs 2, so she earns 144."]) == [False] * 5


@pytest.mark.parametrize(
    ("steps", "commit"),
    [
        ([*CLIPS, "The answer is 72."], 3),
        ([*CLIPS, "So she sold 72 clips altogether."], 3),
        (["3+4 = 7", "The answer is 7."], 1),
        # tried, rejected, found again
        (["It is 5.", "The answer is 5.", "Wait: 3+4 = 7.", "The answer is 7.", "No, 5 fits.", "The answer is 5."], 5),
        (["The answer is 7.", "The answer is 5, no, the answer is 7."], 2),
        (["The answer is 5.", "Hmm.", "The answer is 5."], 1),
        (["The primes are:", "2", "3", "5", "Their sum is 2+3+5 = 10.", "So the sum is 10."], 5),
        (["3+4 = 7", "The answer is 7, not 5."], 1),
        (["3+4 = 7", "The answer is 7 (not 5)."], 1),
        (["3+4 = 7 pens", "Answer: Ann bought 7 pens in both shops together."], 1),
        (["The answer is 5?", "3+4 = 7.", "So it is 7."], 2),
        (["You might think the answer is 5.", "3+4 = 7.", "So it is 7."], 2),
        (["No answer here.", "None at all."], None),
        ([], None),
    ],
)
def test_the_commitment_is_the_first_statement_after_the_last_other_answer(
    steps: list[str], commit: int | None
) -> None:
    found = committed(steps, "How many?")
    assert (None if found is None else found + 1) == commit


def test_options_are_committed_to_by_letter_or_text() -> None:
    steps = [
        "I think the answer is B.",
        "But asthma.",
        "The ACE inhibitor protects the kidney.",
        "La respuesta es (C).",
    ]
    assert committed(steps, "Which drug?", DRUGS) == 2
    assert committed(steps[:2], "Which drug?", DRUGS) == 0


@pytest.mark.parametrize(
    "closing", ["**C. ACE inhibitor**", "ACE inhibitor.", "The ACE inhibitor fits.", "So C it is."]
)
def test_an_option_that_the_last_step_names_alone_is_the_chains_own_answer(closing: str) -> None:
    assert committed(["Thiazide raises glucose.", "Beta blockers harm.", closing], "Which drug?", DRUGS) == 2
    assert committed(["Thiazide raises glucose.", f"Nitrate or this one: {closing}"], "Which drug?", DRUGS[:3]) != 0


@pytest.mark.parametrize(
    "closing",
    [
        "Section 5(C) applies.",
        "So Rule 801(d)(2)(B) covers it.",
        "Thus § 2[B] governs.",
        "Therefore Art. 6(1)(C) applies.",
    ],
)
def test_the_letter_of_a_provision_is_no_option(closing: str) -> None:
    assert final_answers(["The statement was made in court.", closing]) == [False, False]
    named = (
        closing.replace("5(C)", "(C)").replace("801(d)(2)(B)", "(B)").replace("2[B]", "[B]").replace("6(1)(C)", "(C)")
    )
    named = re.sub(r"Section|Rule|§|Art\.", "option", named)
    assert final_answers(["The statement was made in court.", named]) == [False, True]


def test_the_heading_over_a_conclusion_hides_neither_the_answer_nor_the_step_it_is_found_at() -> None:
    for closing in ("So B it is.", "Only B fits."):
        steps = ["Asthma needs care.", "A thiazide harms.", f"### Conclusion\n{closing}"]
        assert final_answers(steps) == [False, False, True]
        assert committed(steps, "Which drug?", DRUGS) == 2
    steps = [*CLIPS, "**Conclusion**\nSo she sold 72 clips altogether."]
    assert final_answers(steps) == [False, False, False, True]
    assert committed(steps, "How many?") == 2


def test_the_extracted_answer_is_used_where_the_chain_announces_none() -> None:
    assert committed(["It is 5 at first.", "There are 7 left."], "How many?", own="7") == 1
    assert committed(["It is 5 at first.", "There are 7 left."], "How many?") is None


def metric(name: str, trace: Trace) -> float:
    return METRICS[name].compute(Chain(trace, segment([trace], "lines")[0].steps))


def test_commit_step_needs_no_gold_answer_and_reads_wrong_chains_too() -> None:
    response = "2 + 2 = 5\nThe answer is 5.\nWait, 2 + 2 = 4.\nThe answer is 4."
    assert metric("commit_step", Trace("What?", response)) == 3
    assert metric("commit_step", Trace("What?", response, "5")) == 3
    assert metric("answer_step", Trace("What?", response, "5")) == 1
    with pytest.raises(Missing, match="keeps to"):
        metric("commit_step", Trace("What?", "We think.", "5"))
    with pytest.raises(Missing, match="no steps"):
        metric("commit_step", Trace("What?", "", "5"))
