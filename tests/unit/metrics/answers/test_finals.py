"""What a chain ends up with: final answers by their place in the chain, and the step from which it keeps to its own."""

from __future__ import annotations

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
        ("Because of that she sold 72, since 48 and 24 are 72.", False),
        ("So she sold 48 + 24 = 72 clips.", False),
        ("Is it really 72?", False),
    ],
)
def test_a_closing_sentence_is_final_whatever_its_words(closing: str, final: bool) -> None:
    assert final_answers([*CLIPS, closing]) == [False, False, False, final]


def test_values_on_lines_of_their_own_are_data_unless_they_end_the_chain() -> None:
    assert final_answers(["The primes are:", "2", "3", "5", "7", "The sum is 17."]) == [False] * 6
    assert final_answers(["The primes are:", "2", "3", "5"]) == [False] * 4
    assert final_answers(["2 + 3 = 5", "5"]) == [False, True]
    assert final_answers(["2 + 3 = 5", "5", "The answer is 5."]) == [False, True, True]
    assert final_answers(["**Option A**", "raises glucose", "**Option C**"]) == [False, False, True]
    assert final_answers(["72"]) == [True]
    assert final_answers([]) == []


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
