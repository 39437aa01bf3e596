"""A text that names no letter is passed over with one search; whatever names one must not be."""

from __future__ import annotations

import itertools

import pytest

from stepgauge.metrics.answers.golds import Text, any_letter, short_gold

LETTERS = "abcdefghij"
NAMED = [
    "{}", "({})", "({}).", "[{}]", " {} .", "**{}**", "Option {}", "option_{}", "choice: {}", "Answer: {}.", "so, {}.",
    "Thus {}", "We choose {}", "pick {} now", "select {} a drug", "and {}) is it", "{} is correct", "{} is the best",
    "not ({})", "it is ({}), I think", "solution {}", "The options are ({}) and more", "P({})", "x_{{{}}}",
]  # fmt: skip


@pytest.mark.parametrize("letter", [*LETTERS, "i"])
def test_one_search_for_all_letters_misses_none(letter):
    gold, found = short_gold(letter), 0
    for named, case in itertools.product(NAMED, (str.lower, str.upper)):
        for text in (named.format(case(letter)), f"Some words. {named.format(case(letter))} And more.\n"):
            if gold.occurs(Text(text), in_question=False):
                found += 1
                assert any_letter(LETTERS).search(Text(text).plain), text
    assert found > 10, "no letter was found: the test shows nothing"
