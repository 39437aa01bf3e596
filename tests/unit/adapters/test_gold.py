"""Gold answers as data sets write them: worked solutions, lists of lines, letters, indices, options in many fields."""

from __future__ import annotations

import gc
import time

import pytest

from stepgauge.adapters.gold import answer_in, field_options, gold_answers
from stepgauge.metrics.answers.matching import AnswerMatcher

OPTIONS = ["four", "five", "six"]


@pytest.mark.parametrize(
    "solution",
    [
        "Three boxes of 24 pens make 3 * 24 = 72 pens, so the total is $\\boxed{72}$.",
        "Three boxes of 24.\nThe answer is 72.",
        "Three boxes of 24. So the answer is 72.",
        "Three boxes of 24.\n#### 72",
        "Three boxes of 24.\n\n#### \\boxed{72}",
        "#### Solution\nThree boxes of 24.\n\n**Answer: 72**",
        "Three boxes of 24.\n\n**Final Answer**\n---\n72",
        "Three boxes of 24.\nFinal Answer: The final answer is $72$. I hope it is correct.",
        "Three boxes of 24.\n<answer>\n72\n</answer>",
        "三盒共72支。\n答案是72。",
        "Trois boîtes.\nLa réponse est 72.",
        "Therefore, 72 is the answer.",
        " 72\n",
    ],
)
def test_worked_solution_gives_the_answer_that_it_announces(solution):
    assert answer_in(solution) == "72"


@pytest.mark.parametrize(
    "text",
    [
        "2\n3\n5",
        "A\nC",
        "(A)\n(C)",
        "yes\nno",
        "- zinc\n- iron",
        "1) zinc\n2) iron",
        "She likes it.\n72",
        "Roses are red.\nViolets are blue.",
        "def f():\n    return 72",
        "She likes it. 72",
        "Paris",
        "B. Paris",
    ],
)
def test_text_that_announces_nothing_is_the_answer_itself_whole(text):
    assert answer_in(text) == text


@pytest.mark.parametrize("text", ["#### 2\n3\n5", "Divide them all.\nAnswer:\n2\n3\n5"])
def test_answer_of_several_lines_behind_a_solution_stays_whole(text):
    assert answer_in(text) == "2\n3\n5"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["5", "five"], ["5", "five"]),
        ([72, 72.0, 0.5, 0, "#### 72"], ["72", "0.5", "0"]),
        ([None, "", " ", float("nan"), "x"], ["x"]),
    ],
)
def test_values_without_options_become_texts_and_empty_ones_are_left_out(values, expected):
    assert gold_answers(values) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("B", ["five"]),
        ("(b)", ["five"]),
        ("five", ["five"]),
        ("B) five", ["five"]),
        (1, ["five"]),
        (1.0, ["five"]),
        ("AC", ["four", "six"]),
        ("A, C", ["four", "six"]),
        ("A and C", ["four", "six"]),
        ("Two and three.\nThe answer is (B).", ["five"]),
        ("2 + 3 makes \\boxed{B}.", ["five"]),
    ],
)
def test_letters_indices_and_worked_solutions_name_options(value, expected):
    assert gold_answers([value], OPTIONS) == expected


@pytest.mark.parametrize("value", ["E", "AE", "AA", "seven", 3, 0.5, float("inf")])
def test_value_that_is_no_option_is_an_error(value):
    with pytest.raises(ValueError, match="none of the 3 choices"):
        gold_answers([value], OPTIONS)


def test_letter_means_the_place_where_the_caller_says_so_and_else_the_text():
    assert gold_answers(["B"], ["B", "A"], by_letter=True) == ["A"]
    assert gold_answers(["B"], ["B", "A"]) == ["B"]


METALS = ["Zinc", "Iron", "Lead", "Tin"]


def each(*names: str) -> dict[str, str]:
    return dict(zip(names, METALS, strict=True))


@pytest.mark.parametrize(
    "doc",
    [
        {"choices": METALS},
        {"options": dict(zip("ABCD", METALS, strict=True))},
        {"choices": {"text": METALS, "label": ["1", "2", "3", "4"]}},
        {"options": [{"key": key, "text": text} for key, text in zip("ABCD", METALS, strict=True)]},
        each("A", "B", "C", "D"),
        {**each("opa", "opb", "opc", "opd"), "cop": 1},
        each("op1", "op2", "op3", "op4"),
        each("option_0", "option_1", "option_2", "option_3"),
        each("Option A", "Option B", "Option C", "Option D"),
        each("optionA", "optionB", "optionC", "optionD"),
        each("answerA", "answerB", "answerC", "answerD"),
        each("ans0", "ans1", "ans2", "ans3"),
        each("sol1", "sol2", "sol3", "sol4"),
        each("ending0", "ending1", "ending2", "ending3"),
        {**each("choice1", "choice2", "choice3", "choice4"), "choice5": None},
    ],
)
def test_options_are_found_in_one_field_or_in_a_field_each(doc):
    assert field_options({"question": "Which metal?", **doc})[0] == METALS


@pytest.mark.parametrize(
    ("doc", "value", "expected"),
    [
        ({"option1": "Sarah", "option2": "Maria"}, "2", "Maria"),
        ({"sol0": "Stir it.", "sol1": "Shake it."}, "1", "Shake it."),
        ({"option1": "2", "option2": "4"}, "2", "2"),
        ({"choices": {"text": ["2", "3"], "label": ["1", "2"]}}, "2", "3"),
        ({"opa": "Zinc", "opb": "Iron"}, "B", "Iron"),
        ({"opa": "Zinc", "opb": "Iron"}, 1, "Iron"),
    ],
)
def test_gold_answer_names_a_field_by_its_label_or_its_text(doc, value, expected):
    assert gold_answers([value], *field_options(doc)) == [expected]


@pytest.mark.parametrize(
    "doc",
    [
        {"sentence1": "x", "sentence2": "y"},
        {"answer1": "x", "answer2": "y"},
        {"a": "3", "b": "4"},
        {"A": "only one"},
        {"option_2": "x", "option_3": "y"},
        {"choices": "AB"},
        {"choices": ["x", None]},
        {"choices": []},
    ],
)
def test_other_fields_are_no_options(doc):
    assert field_options(doc) == (None, None)


@pytest.mark.parametrize(
    "hostile", ["a:\n" * 100_000, "<answer>" * 50_000, "\\boxed{" * 50_000, "A, " * 100_000, "#" * 400_000]
)
def test_long_hostile_target_is_read_in_linear_time(hostile):
    start = time.perf_counter()
    answer_in(hostile)
    with pytest.raises(ValueError, match="none of the 3 choices"):
        gold_answers([hostile], OPTIONS)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("mark", [".", ". ", ",", "!", "?", ":", ";", "。", "...\n"])
def test_gold_answer_of_punctuation_takes_linear_time(mark):
    def seconds(length: int) -> float:
        gc.disable()
        before = time.thread_time()
        AnswerMatcher([mark * (length // len(mark))], "q").states("The answer is 2.")
        taken = time.thread_time() - before
        gc.enable()
        return taken

    assert min(seconds(32_000) for _ in range(2)) < 6 * max(0.05, min(seconds(8_000) for _ in range(3)))
