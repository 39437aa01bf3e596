"""Which steps of whole chains give the answer away, and which are final answers."""

from __future__ import annotations

import pytest

from stepgauge.metrics.segment import segment
from stepgauge.metrics.trace import Trace

DRUGS = ["Thiazide", "Beta blocker", "ACE inhibitor", "Nitrate"]
LISTED = "Which drug?\nA. Thiazide\nB. Beta blocker\nC. ACE inhibitor\nD. Nitrate"
TINS = "Ruth has 4 cats and buys food for 3 days at 2 tins a day. How many tins are left of 10?"

# Per step: "S" where it states the gold answer, "F" where it is a final answer, "-" where neither.
CHAINS = {
    "the gold number stands in the question": (
        TINS,
        "She uses 3 * 2 = 6 tins.\n10 - 6 = 4 tins are left.\n#### 4",
        "4",
        ["-", "-", "SF"],
    ),
    "it does not": (
        TINS.replace("4 cats", "cats"),
        "She uses 3 * 2 = 6 tins.\n10 - 6 = 4 tins are left.\n#### 4",
        "4",
        ["-", "S", "SF"],
    ),
    "it stands there as a word": (
        TINS.replace("4 cats", "four cats"),
        "10 - 6 = 4 tins are left.\nThe answer is 4.",
        "4",
        ["-", "SF"],
    ),
    "the gold word stands in the question": (
        "Ruth put the keys in the drawer. Omar moved them to the basket. Where are the keys?",
        "Omar moved them last.\nSo they are in the basket.\n\nANSWER: basket",
        "basket",
        ["-", "-", "SF"],
    ),
    "an instruction is echoed": (
        "What is x?",
        "Please put your final answer within \\boxed{}.\nx + 1 = 4, so x = 3.\nThe answer is \\boxed{3}.",
        "3",
        ["-", "S", "SF"],
    ),
    "the gold number is a factor first": (
        "Ann eats three eggs each morning. How many dozens does she eat in four weeks?",
        "In a week she eats 3 eggs/day * 7 days/week = 21 eggs.\n21 * 4 = 84 eggs.\n84 / 12 = 7 dozens.\n#### 7",
        "7",
        ["-", "-", "S", "SF"],
    ),
    "the gold number ends a range first": (
        "When is it due?",
        "It takes between 5-7 days.\nThe office says five plus two.\nSo 7 days.",
        "7",
        ["-", "-", "S"],
    ),
    "a decimal comma": (
        "Wie viele Liter?",
        "Pro Tag sind es 2,5 Liter.\nIn zwei Tagen sind es 2 * 2,5 Liter, also fünf.",
        "5",
        ["-", "S"],
    ),
    "data on lines of their own": (
        "Sum of the primes below 8, of which 7 is one?",
        "The primes are:\n2\n3\n5\n7\nThe sum is 17.",
        "7",
        ["-", "-"],  # the numbers and the line that leads in to them are one step
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_steps_that_state_the_answer_and_the_final_ones(name: str) -> None:
    question, response, gold, expected = CHAINS[name]
    assert flags(Trace(question, response, gold), "lines") == expected


def test_a_heading_that_names_an_option_is_reasoning_and_a_conclusion_under_its_heading_is_final() -> None:
    under = "**Option A**\n1. raises glucose\n2. lowers potassium\n\n**Option C**\n1. first line\n\nThe answer is C."
    steps = segment([Trace(LISTED, under, "ACE inhibitor", DRUGS)], "lines")[0].steps
    assert [step.text for step in steps if step.kind == "final_answer"] == ["The answer is C."]
    for closing in ("The answer is C.", "So C it is."):
        concluded = Trace(LISTED, f"Proteinuria.\n\n### Conclusion\n{closing}", "ACE inhibitor", DRUGS)
        assert flags(concluded, "paragraphs") == ["-", "SF"]


def test_the_wording_of_the_conclusion_does_not_move_what_is_left_without_it() -> None:
    chain = "In April she sold 48.\nIn May she sold 48/2 = 24.\n48+24 = 72 clips.\n"
    endings = [
        "The answer is 72.",
        "is \\boxed{72}.",
        "in those 2 months is \\boxed{72}.",
        "So she sold 72 clips altogether.",
    ]
    for ending in endings:
        assert flags(Trace("How many?", chain + ending, "72"), "lines") == ["-", "-", "S", "SF"], ending


def flags(trace: Trace, splitter: str) -> list[str]:
    steps = segment([trace], splitter)[0].steps
    return [("S" * step.states_answer + "F" * (step.kind == "final_answer")) or "-" for step in steps]
