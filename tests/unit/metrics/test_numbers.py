"""Written numbers: one reader for equations and for stated answers."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from stepgauge.metrics import Step, Trace
from stepgauge.metrics.answers.matching import states_answer
from stepgauge.metrics.knowledge.arithmetic.extractor import extract
from stepgauge.metrics.numbers import find_numbers, readings

WRITTEN = [
    ("1,250", ["1250"]),
    ("1.250", ["1.25", "1250"]),
    ("1.25", ["1.25"]),
    ("0.250", ["0.25"]),
    ("1,25,000", ["125000"]),
    ("1.250.000", ["1250000"]),
    ("1.250,75", ["1250.75"]),
    ("2,5", ["2.5"]),
    ("-5", ["-5"]),
    ("7.2 million", ["7200000", "7.2"]),
    ("12万", ["120000", "12"]),
    ("3 lakh", ["300000", "3"]),
    ("1.2e5", ["120000"]),
    ("1.2 \\times 10^5", ["120000"]),
    ("1.2 × 10⁻³", ["0.0012"]),
    ("2 1/2", ["2.5"]),
    ("2 and 1/2", ["2.5"]),
    ("3/4", ["0.75"]),
    ("twenty-five", ["25"]),
    ("one hundred and five", ["105"]),
    ("three hundred twelve thousand", ["312000"]),
    ("two and a half", ["2.5"]),
    ("two thirds", ["2/3"]),
    ("a million", ["1000000"]),
    ("fünf", ["5"]),
    ("Fünfunddreißig", ["35"]),
    ("cinco", ["5"]),
    ("douze", ["12"]),
]


@pytest.mark.parametrize(("text", "values"), WRITTEN)
def test_a_number_is_read_whole_the_usual_reading_first(text: str, values: list[str]) -> None:
    longest = max(find_numbers(text), key=lambda one: one.end - one.start)
    assert text[longest.start : longest.end] == text
    assert [*longest.values] == [Fraction(value) for value in values]


@pytest.mark.parametrize("text", ["1.2.3", "1/2/2024", "5/0", "1" * 50, "two three", "none", "x", "1e9999", ""])
def test_versions_dates_and_what_has_no_value_are_no_numbers(text: str) -> None:
    assert list(find_numbers(text)) == []


def test_a_blank_between_groups_may_group_or_part() -> None:
    values = {value for one in find_numbers("1 250 Euro") for value in one.values}
    assert values == {1, 250, 1250}
    assert {value for one in find_numbers("(2,5) and 1,2,3") for value in one.values} == {1, 2, 3, 5}


def test_an_exponent_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="exceeds the bound"):
        readings("1e10001")


def test_the_judge_of_equations_reads_other_scripts_digits() -> None:
    text = "لذلك ١٬٠٠٠ + ٢٥٠ = ١٬٢٥٠"
    [[claim]] = extract([Trace("q", text)], [[Step(text, 0, len(text))]])
    assert claim.text == "1,000 + 250 = 1,250"


@pytest.mark.parametrize(
    "piece", ["1 ", "1,", "1.250", "1,25", "one ", "2 1/2 ", "1e", "1*10^", "1 000 ", "-1/2", "٬1"]
)
def test_a_long_text_is_read_in_linear_time(piece: str) -> None:
    begin = time.process_time()
    for _ in find_numbers(piece * (60_000 // len(piece))):
        pass
    assert time.process_time() - begin < 6


NOT_AS_IN_ENGLISH = [
    ("Das sind 1.250 Euro.", "1250", True),
    ("Das sind 1 250 Euro.", "1250", True),
    ("Das sind 1\u202f250 Euro.", "1250", True),
    ("It costs ₹1,25,000.", "125000", True),
    ("الناتج ١٬٢٥٠.", "1250", True),
    ("合計は１２５０円です。", "1250", True),
    ("合计1250元", "1250", True),
    ("Pro Tag sind es 2,5 Liter.", "5", False),
    ("Pro Tag sind es 2,5 Liter.", "2.5", True),
    ("Das macht 1.250,50 €.", "1250.5", True),
    ("Das macht 1'250 Fr.", "1250", True),
]
WITH_UNIT = [
    ("She earns $18 every day.", "18 dollars", True),
    ("She earns 18 US dollars.", "18 dollars", True),
    ("She earns 18 altogether.", "18 dollars", True),
    ("She sells 18 eggs.", "18 dollars", False),
    ("so $t=14$.", "14 minutes", True),
    ("so $14$ minutes", "14 minutes", True),
    ("so $14\\text{ minutes}$", "14 minutes", True),
    ("so $14", "14 minutes", False),
    ("It turns by 18 degrees.", "$18$", True),
    ("She earns €18.", "18 dollars", False),
    ("It weighs 72 kilograms.", "72 kg", True),
    ("It moves at 10 m/s.", "10\\text{ m/s}", True),
    ("That is 45 degrees.", "45^\\circ", True),
    ("That is 25 percent.", "25%", True),
    ("That is 2 1/2 cups.", "2.5", True),
    ("That is 2½ cups.", "2.5", True),
    ("That is $2\\frac{1}{2}$ cups.", "2.5", True),
    ("That is two and a half cups.", "2.5", True),
    ("There are two left.", "2", True),
    ("There are twenty-five left.", "25", True),
    ("In zwei Tagen sind es 2 * 2,5 Liter, also fünf.", "5", True),
    ("En dos días son cinco litros.", "5", True),
    ("En deux jours, cela fait cinq litres.", "5", True),
    ("Cela fait vingt-cinq litres.", "5", False),
    ("Son treinta y cinco litros.", "5", False),
    ("Son cinco mil litros.", "5", False),
    ("One of them left.", "1", False),
    ("The answer is one.", "1", True),
    ("That is $1.2 \\times 10^5$ m.", "120000", True),
    ("It has 7.2 million inhabitants.", "7200000", True),
    ("It has 7.2 million inhabitants.", "7.2", True),
    ("so $\\frac{270}7$ degrees", "\\frac{270}{7}", True),
    ("so 270/7 degrees", "\\frac{270}7", True),
    ("The roots are 5 and 3.", "3, 5", True),
    ("x = 3 or x = 5", "3,5", True),
    ("\\boxed{5,3}", "3, 5", True),
    ("The roots are 5 and 4.", "3, 5", False),
    ("so it is 2x+x^2.", "x^2+2x", True),
    ("The answer is 2x + x^2", "x^2+2x", True),
    ("so it is 3x+x^2.", "x^2+2x", False),
]
ON_THE_WAY = [
    ("In a week she eats 3 eggs/day * 7 days/week = 21 eggs.", "7", False),
    ("In a week she eats 3 eggs/day * 7 days/week = 21 eggs.", "21", True),
    ("84 / 12 = 7 dozens.", "7", True),
    ("84 / 12 = 7 dozens.", "12", False),
    ("$\\frac{84}{12} = 7$", "7", True),
    ("She works 7 days a week.", "7", False),
    ("There are 12 inches in a foot.", "12", False),
    ("An hour has 60 minutes.", "60", False),
    ("It lasts 7 days.", "7", True),
    ("It lasts 7 weeks a year.", "7", True),
    ("It takes between 5-7 days.", "7", False),
    ("It takes 5 to 7 days.", "7", False),
    ("It rose from 5 to 7.", "7", True),
    ("3 x 4 = 12", "4", False),
    ("3 times 4 is 12", "4", False),
    ("84 divided by 12 is 7", "7", True),
    ("20% of 50 is 10", "20", False),
    ("x - 3 = 4", "3", False),
    ("x - 3 = 4", "4", True),
    ("7 * 3 = 21 + 3 = 24", "21", True),
    ("- 72 clips", "72", True),
    ("The total - 72 clips - is right", "72", True),
    ("It is 7 = 84 / 12", "7", True),
    ("The answer is 7 * 3 = 21", "7", False),
    ("The answer is 7 * 3 = 21", "21", True),
]


@pytest.mark.parametrize(("step", "gold", "stated"), [*NOT_AS_IN_ENGLISH, *WITH_UNIT, *ON_THE_WAY])
def test_the_gold_number_is_stated_as_people_write_it_and_as_a_result(step: str, gold: str, stated: bool) -> None:
    assert states_answer(step, [gold], "How many?") is stated
