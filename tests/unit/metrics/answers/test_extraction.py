"""Reading answers from text: what only announces one, what states the gold one, and which option is meant."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_sizes import in_three_sizes

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.answers.extraction import (
    AnswerMatcher,
    announced,
    extract_answer,
    gold_from_suffix,
    is_final_answer,
    last_boxed,
    resolve_choice,
    states_answer,
)

ANNOUNCEMENTS = [
    ("The answer is 72", "72"),
    ("So the final answer is \\boxed{72}.", "72"),
    ("\\boxed{72}", "72"),
    ("$$\\boxed{\\frac{1}{2}}$$", "\\frac{1}{2}"),
    ("#### 72", "72"),
    ("Answer: B", "B"),
    ("A: 18", "18"),
    ("A: 18 dollars", "18 dollars"),
    ("Final Answer: The final answer is $72$. I hope it is correct.", "72"),
    ("Therefore, the answer is (C).", "(C)"),
    ("ANSWER: 72", "72"),
    ("**Answer:** 12", "12"),
    ("Solution: Choice_B", "B"),
    ("Solution: Choice\\_B", "B"),
    ("Solution: None of the above.", "None of the above"),
    ("The correct answer is B) Aspirin", "B) Aspirin"),
    ("So, the answer is B. Aspirin.", "B. Aspirin"),
    ("Option B is the correct answer.", "Option B"),
    ("### Final Answer: 72", "72"),
    ("Therefore, the smallest such number is $\\boxed{72}$.", "72"),
    ("Step 5: The answer is 5.", "5"),
    ("The answer is therefore 5.", "5"),
    ("The answer is $2.50.", "$2.50"),
    ("<answer>72</answer>", "72"),
    ("I would choose (B).", "(B)"),
    ("答案是72。", "72"),
    ("La respuesta es 72.", "72"),
    ("Die Antwort lautet 72.", "72"),
    ("Ответ: 72", "72"),
    ("72", "72"),
    ("(B)", "(B)"),
    ("**72**", "72"),
    ("**Final Answer**", ""),
    ("Final answer:", ""),
]
REASONING = [
    "48+24=72, so the answer is 72",
    "The answer is 48+24 = 72",
    "so $a+b = 3+4 = \\boxed{7}$",
    "So she has 72 eggs. The answer is 72.",
    "The answer is (C) because it is the only even number.",
    "The answer is not 5.",
    "The answer is not among the choices, but the closest is (E).",
    "The answer is found by adding 3 and 4.",
    "A: Adenovirus is a common cause of respiratory infections.",
    "Choice A: 360 days is the rotation period for Planet X.",
    "#### Step 4: Add the numbers",
    "She makes 9 * 2 = $18 every day.",
    "She makes 9 * 2 = $<<9*2=18>>18",
    "The solution is increasing for all t.",
    "Let x = 5",
    "3. 72",
    "a",
    "Answer the question step by step.",
    "The answer is " + "a very long story " * 60,
    "",
    "\ud800\x00",
]


@pytest.mark.parametrize(("step", "answer"), ANNOUNCEMENTS)
def test_a_step_that_only_announces_an_answer_is_recognised_with_its_answer(step: str, answer: str) -> None:
    assert is_final_answer(step)
    assert announced(step) == answer


@pytest.mark.parametrize("step", REASONING)
def test_a_step_that_derives_or_says_anything_else_is_not_an_announcement(step: str) -> None:
    assert not is_final_answer(step)


STATED = [
    ("so there are 72 eggs", "72", True),
    ("48+24=72, so the answer is 72", "72", True),
    ("48/2=<<48/2=24>>24", "24", True),
    ("the total is $1,234", "1234", True),
    ("the total is \\$1{,}234.00", "1,234", True),
    ("the total is 1\\,234", "1234", True),
    ("the total is 1\u202f234", "1234", True),
    ("rows of 1 234 each", "234", True),
    ("72.0 it is", "72", True),
    ("it is \\boxed{72}", "72", True),
    ("$x=72$", "72", True),
    ("$\\frac{1}{2}$", "0.5", True),
    ("that is 0.5", "\\frac{1}{2}", True),
    ("that is 3/4", "\\dfrac34", True),
    ("72kg", "72", True),
    ("72 kg of rice", "72 kg", True),
    ("72 lbs of rice", "72 kg", False),
    ("72", "72 kg", True),
    ("the area is 12 cm²", "12 cm^2", True),
    ("12 square centimeters", "12 cm^{2}", True),
    ("12 square inches", "12 cm^2", False),
    ("3^2 is odd", "3", False),
    ("\\binom{6}{3} m^3 n^3", "3", False),
    ("so it is 5 n^2 + 1", "5", False),
    ("= \\left(2\\right)^{1+x}", "2", False),
    ("So 12 m^3 remain.", "12 m^3", True),
    ("3m^2 + 1", "3m^2", False),
    ("\\frac{1}{n^{2} \\ln n}", "1", False),
    ("$\\frac{1}{n}$", "1", False),
    ("60 miles per hour", "60 mph", True),
    ("about 0.15 J", "0.15 joule.", True),
    ("about 0.15 W", "0.15 joule.", False),
    ("25 degrees Celsius", "25 °C", True),
    ("at 3:30 p.m. sharp", "3:30 PM", True),
    ("The answer is 0.16.", "16%", True),
    ("The answer is 16 percent.", "0.16", True),
    ("16 percent of them", "0.16", False),
    ("The answer is 0.16.", "16", False),
    ("so it is one third", "1/3", True),
    ("one third of 12 is 4", "1/3", False),
    ("so x = 4", "x=4", True),
    ("The answer is 4.", "x = 4", True),
    ("The answer is minus 5.", "-5", True),
    ("negative 5", "-5", True),
    ("8 minus 5 is 3", "-5", False),
    ("multiplied by 72 again", "72", False),
    ("dividing both sides by 72 we go on", "72", False),
    ("adding 72 to it", "72", False),
    ("divide by 2 to get 72", "72", True),
    ("there are 100 cm in 1 m", "100", False),
    ("Eine Stunde hat 60 Minuten", "60", False),
    ("Une semaine compte 7 jours", "7", False),
    ("Ein Buch hat 60 Seiten", "60", True),
    ("７２ and more", "72", True),
    ("٧٢", "72", True),
    ("total of −5", "-5", True),
    ("a loss of -$5", "-5", True),
    ("8-5 is 3", "-5", False),
    ("8-5 is 3", "5", False),
    ("8-5 is 3", "3", True),
    ("720", "72", False),
    ("172", "72", False),
    ("7.2", "72", False),
    ("0.72", "72", False),
    ("72.5", "72", False),
    ("1/72", "72", False),
    ("72/2 is left", "36", False),
    ("x_{72}", "72", False),
    ("x_72", "72", False),
    ("2^{72}", "72", False),
    ("72x = 5", "72", False),
    ("the 72nd day", "72", False),
    ("B72", "72", False),
    ("at 10:72", "72", False),
    ("1,072", "72", False),
    ("1" * 5000, "72", False),
    ("it is " + "1" * 20 + ".0", "1" * 20, True),
    ("on 1/2/2024 it was", "1/2", False),
    ("that is 5/0", "1/0", False),
    ("so 72", "72?", True),
    ("72 s later", "72 s", True),
    ("72 m of rope", "72 s", False),
    ("Give Aspirin.", "aspirin", True),
    ("aspirins", "aspirin", True),
    ("Oral  amoxicillin\ntherapy, then", "Oral amoxicillin therapy", True),
    ("a beta blocker", "Beta-blocker", True),
    ("oral therapy with amoxicillin", "Oral amoxicillin therapy", False),
    ("(3, \\frac{\\pi}{2})", "\\left( 3, \\frac{\\pi}{2} \\right)", True),
    ("so y = x+1", "$x+1$", True),
    ("so y = 2x+1", "x+1", False),
    ("so y = x+1^z", "x+1", False),
    ("use 2H2 + O2 first, H2 + O2 later", "H2 + O2", True),
    ("H2 + O2 3 times", "H2 + O2", True),
    ("3 H2 + O2", "H2 + O2", False),
    ("about 1000 people", "About 1,000 people", True),
    ("他是医生", "医生", True),
    ("她有72个", "72", True),
    ("Ответ Париж.", "париж", True),
    ("a good start", "A", False),
    ("the vitamin B group", "B", False),
    ("so (B)", "B", True),
    ("the answer is B", "B", True),
    ("The answer is **B**.", "B", True),
    ("option B fits", "B", True),
    ("the answer is a prime", "A", False),
    ("there is no effect", "no", False),
    ("The answer is no.", "no", True),
    ("No, it is not.", "no", True),
    ("No", "no", True),
    ("Das sind 7,2 Millionen.", "7200000", True),
    ("That is 3½.", "3.5", True),
    ("That is 3 1/2.", "3.5", True),
    ("2 and a half cups", "2.5", True),
    ("18 sq ft", "18 square feet", True),
    ("18 ft²", "18 square feet", True),
    ("18 square meters", "18 square feet", False),
    ("2 and 3 and 5", "2, 3", False),
    ("set(l) is {1,2,3,4}.", "{1,2,3,4}", True),
    ("5! = 120", "5", False),
    ("so \\sqrt{5} is odd", "5", False),
    ("\\sqrt[3]{5} is odd", "5", False),
    ("√5 is odd", "5", False),
    ("\\binom{5}{2} = 10", "5", False),
    ("\\binom{6}{5} = 6", "5", False),
    ("5(x+1) = 10", "5", False),
    ("5 choose 2 is 10", "5", False),
    ("Multiply 5 by 4 to get 20.", "5", False),
    ("The sum of 4 and 5 is 9.", "5", False),
    ("The difference between 9 and 5 is 4.", "5", False),
    ("The difference of 9 and 4 is 5.", "5", True),
    ("5 more than 4 is 9.", "5", False),
    ("from 5 am to 7 pm", "5", False),
    ("An hour (60 minutes) passes.", "60", False),
    ("so it is x(x+2).", "x^2+2x", True),
    ("It is 2πr.", "2\\pi r", True),
    ("so 2√3", "\\sqrt{12}", True),
    ("Therefore, no.", "no", True),
    ("anything", "", False),
    ("anything", "   ", False),
    ("anything", "...", False),
]


@pytest.mark.parametrize(("step", "gold", "stated"), STATED)
def test_the_gold_answer_is_found_as_a_whole_and_by_value(step: str, gold: str, stated: bool) -> None:
    assert states_answer(step, [gold], "How many?") is stated


@pytest.mark.parametrize(
    ("step", "golds", "question", "stated"),
    [
        ("she has 72", ["72"], "She had 72 eggs. How many now?", False),
        ("she has 72", ["72"], "She had 720 eggs. How many now?", True),
        ("she has 72", ["5", "72"], "How many?", True),
        ("she has 72, so the answer is 72", ["72"], "She had 72 eggs. How many now?", True),
        ("That makes \\boxed{72}", ["72"], "She had 72 eggs. How many now?", True),
        ("#### 72", ["72"], "She had 72 eggs. How many now?", True),
        ("so it is .35625", [".35625"], "What is 57/160 as a decimal?", False),
        ("The answer is .35625", [".35625"], "What is 57/160 as a decimal?", True),
        ("the answer is Aspirin", ["Aspirin"], "Aspirin or ibuprofen?", True),
        ("it must be Aspirin", ["Aspirin"], "Aspirin or ibuprofen?", False),
        ("the answer is B", ["B"], "Which? (A) one (B) two", True),
        ("so it is 3", ["3", "three"], "Which of 3?", False),
        ("so it is three", ["3", "three"], "Which of 3?", False),
        ("so it is 3", ["three"], "Which of 4?", True),
    ],
)
def test_an_answer_that_stands_in_the_question_is_not_leaked_by_a_step(
    step: str, golds: list[str], question: str, stated: bool
) -> None:
    assert states_answer(step, golds, question) is stated
    assert AnswerMatcher(golds, question).states(step) is stated


@pytest.mark.parametrize(
    ("text", "gold"),
    [("Natalia sold 48/2 = 24.\n#### 72", "72"), ("a #### 1 #### 1,000 ", "1,000"), (" 72 ", "72"), ("", "")],
)
def test_gold_answers_are_read_behind_the_last_hashes(text: str, gold: str) -> None:
    assert gold_from_suffix(text) == gold


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("so \\boxed{1} and \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{ \\{1, 2\\} }", "\\{1, 2\\}"),
        ("\\boxed{5} then cut off \\boxed{\\frac{1}", "5"),
        ("\\fbox{7}", "7"),
        ("\\boxed 7", None),
        ("none", None),
    ],
)
def test_the_last_balanced_box_is_read(text: str, inside: str | None) -> None:
    assert last_boxed(text) == inside


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("48+24=72\nThe answer is 72.", "72"),
        ("The answer is 5. Wait.\nThe answer is (C).", "C"),
        ("She has 18.\nA: 18", "18"),
        ("so\n#### 1,000", "1,000"),
        ("the answer is \\boxed{72}.", "72"),
        ("\\boxed{5}\n\nFinal answer: 6", "6"),
        ("**Answer:** 12.5", "12.5"),
        ("<answer>B</answer>", "B"),
        ("The correct answer is B) Aspirin.", "B) Aspirin"),
        ("We add and get 5.", None),
        ("", None),
    ],
)
def test_a_response_s_own_answer_is_the_one_it_announces_last(response: str, answer: str | None) -> None:
    assert extract_answer(response) == answer


OPTIONS = ["Aspirin", "Ibuprofen", "Oral amoxicillin"]


@pytest.mark.parametrize(
    ("given", "choices", "text"),
    [
        ("Ibuprofen", ["A. Aspirin", "B. Ibuprofen"], "B. Ibuprofen"),
        ("b", ["(A) Aspirin", "(B) Ibuprofen"], "(B) Ibuprofen"),
        ("B", OPTIONS, "Ibuprofen"),
        ("b", OPTIONS, "Ibuprofen"),
        ("(b)", OPTIONS, "Ibuprofen"),
        ("B.", OPTIONS, "Ibuprofen"),
        ("B)", OPTIONS, "Ibuprofen"),
        ("**B**", OPTIONS, "Ibuprofen"),
        ("Answer: B", OPTIONS, "Ibuprofen"),
        ("The answer is (B).", OPTIONS, "Ibuprofen"),
        ("Option C", OPTIONS, "Oral amoxicillin"),
        ("B) Ibuprofen", OPTIONS, "Ibuprofen"),
        ("(B) ibuprofen.", OPTIONS, "Ibuprofen"),
        (2, OPTIONS, "Oral amoxicillin"),
        ("Aspirin", OPTIONS, "Aspirin"),
        (" oral  AMOXICILLIN. ", OPTIONS, "Oral amoxicillin"),
        ("B", ["C", "A", "B"], "B"),
        ("2", ["1", "2"], "2"),
        ("a", ["a", "A"], "a"),
        ("same", ["same", "same"], "same"),
    ],
)
def test_a_label_index_or_text_names_its_option(given: str | int, choices: list[str], text: str) -> None:
    assert resolve_choice(given, choices) == text


@pytest.mark.parametrize("given", ["D", "", "Paracetamol", "B) Aspirin", "2", 3, -1, True, None, 1.0, "A or B"])
def test_an_answer_that_names_no_option_is_refused_with_the_options_listed(given: object) -> None:
    with pytest.raises(ValueError, match=r"names none of the 3 choices .*A: Aspirin; B: Ibuprofen"):
        resolve_choice(given, OPTIONS)  # type: ignore[arg-type]


def test_an_answer_that_reads_like_two_options_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one option reads so"):
        resolve_choice("ASPIRIN", ["Aspirin", "aspirin"])


@pytest.mark.parametrize("label", ["{}. ", "({}) ", "{}) ", "{}: ", "[{}] "])
def test_options_that_begin_with_their_own_letters_are_named_by_letter_and_by_text(label: str) -> None:
    options = [label.format(letter) + text for letter, text in zip("ABC", OPTIONS, strict=True)]
    question = "Which?\nA. Aspirin\nB. Ibuprofen\nC. Oral amoxicillin"
    for step in ("The answer is B.", "The answer is ibuprofen.", "So ibuprofen it must be.", "Answer: (B) Ibuprofen"):
        assert [option for option in options if states_answer(step, [option], question, options)] == [options[1]]


def hostile(part: int) -> dict[str, str]:
    """Each `part` times shorter than it is meant to be."""
    texts = [
        "1" * (1_000_000 // part),
        "1 " * (400_000 // part),
        "1,111" * (200_000 // part),
        "1/" * (400_000 // part),
        "\\boxed{" * (140_000 // part),
        "\\boxed" + "{" * (900_000 // part),
        "the answer is " * (70_000 // part),
        "the answer" + " " * (1_000_000 // part),
        "$" * (1_000_000 // part),
        "\n" * (1_000_000 // part),
        "a\u0301\u0323" * (300_000 // part),
        "\ud800\x00" * (400_000 // part),
    ]
    return {repr(text[:12]): text for text in texts}


@pytest.mark.parametrize(("text", "seconds"), in_three_sizes(hostile))
def test_a_megabyte_of_hostile_text_is_read_in_linear_time(text: str, seconds: float) -> None:
    begin = time.perf_counter()
    is_final_answer(text)
    extract_answer(text)
    last_boxed(text)
    states_answer(text, ["72", "aspirin", "B", "yes", "x+1", "5 mg"], text)
    with pytest.raises(ValueError, match="names none"):
        resolve_choice(text, OPTIONS)
    assert time.perf_counter() - begin < seconds


@pytest.mark.slow
def test_the_official_gsm8k_solutions_state_their_own_answers_and_rarely_another_s(shared_data: Path) -> None:
    with (shared_data / "gsm8k" / "test.jsonl").open(encoding="utf-8") as file:
        answers = [json.loads(line)["answer"] for line in file]
    golds = [gold_from_suffix(answer) for answer in answers]
    solutions = [answer.rpartition("####")[0] for answer in answers]
    stated = sum(states_answer(text, [gold], "") for text, gold in zip(solutions, golds, strict=True))
    # In the other four the solution ends with another unit (0.25 dollars, 25 cents) or another number.
    assert (stated, len(answers)) == (1315, 1319)
    others = golds[7:] + golds[:7]
    by_chance = sum(states_answer(text, [gold], "") for text, gold in zip(solutions, others, strict=True))
    assert by_chance < len(answers) / 10
    assert [extract_answer(answer) for answer in answers] == golds


def test_gsm8k_model_answers_marked_right_equal_the_gold_answer_by_value(shared_data: Path) -> None:
    agree = total = 0
    for question in gsm8k_model_solutions(shared_data):
        gold = question["ground_truth"].rpartition("A:")[2].strip()
        for solution, is_correct in question["solutions"]:
            total += 1
            agree += states_answer(extract_answer(solution) or "", [gold], "") == is_correct
    assert total == 5276
    assert agree / total > 0.995


def gsm8k_model_solutions(shared_data: Path) -> Iterator[dict[str, Any]]:
    with (shared_data / "gsm8k" / "example_model_solutions.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            given = [value for value in row.values() if isinstance(value, dict)]
            row["solutions"] = [(value["solution"], value["is_correct"]) for value in given]
            yield row


@pytest.mark.parametrize(
    "response",
    [
        "The answer is \x1b[1;32m72\x1b[0m.",
        "\x1b[1mThe answer is:\x1b[0m 72",
        "#### \x9b1m72\x9b0m",
        r"So \boxed{" + "\x1b[4m72\x1b[24m}",
        "The answer is \x1b]8;;http://x\x0772\x1b]8;;\x07.",
        "The answer is 7\x002\x08.",
    ],
)
def test_terminal_codes_are_no_part_of_an_answer(response: str) -> None:
    assert extract_answer(response) == "72"
    assert states_answer(response, ["72"], "How many?")
    assert not states_answer(response, ["2"], "How many?")
    own = [
        Trace("How many?", f"We count.\n{response}"),
        Trace("How many?", "We count.\nThem.", model_answer="\x1b[1m72"),
    ]
    with Gauge(None, splitter="lines", target="own", progress=False) as gauge:
        assert [score.own_answer for score in gauge.score(own)] == ["72", "72"]
