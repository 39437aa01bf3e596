"""Text from models as terminals and pages show it: words of every script whole, nothing that acts on the display."""

from __future__ import annotations

import unicodedata

import pytest
from made_runs import chain

from stepgauge.adapters.inspect.explanation import explain
from stepgauge.metrics.printable import clean, printable
from stepgauge.metrics.render import chain_table

PERSIAN = "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # "I do not want", with its half-space
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
SOFT_HYPHEN = "Donau\u00addampf\u00adschiff"
WORDS = [PERSIAN, FAMILY, SOFT_HYPHEN, "\u0915\u094d\u200d\u0937", "na\u00efve \u2764\ufe0f"]
HARMFUL = [
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://x\x07link",
    "\x9b2J",
    "right \u202e to left",
    "isolated \u2066 text \u2069",
    "mark \u200f here",
    "nul\x00",
    "lone \ud800 half",
    "tagged \U000e0061",
    "none \ufffe",
    "back\x08space",
]


@pytest.mark.parametrize("text", WORDS)
def test_words_of_every_script_stay_whole(text):
    assert printable(text) == clean(text) == text
    score = chain([-3.0, -1.0], texts=[text])
    assert text in chain_table(score, question=text)
    assert text in explain(score, [])


@pytest.mark.parametrize("text", HARMFUL)
def test_what_acts_on_the_display_is_replaced(text):
    shown = printable(text)
    assert shown == clean(text)
    assert len(shown) == len(text)
    assert "\ufffd" in shown
    score = chain([-3.0, -1.0], texts=[text])
    for door in (chain_table(score, question=text), explain(score, [])):
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in door if char != "\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029"])
def test_every_line_end_is_a_line_feed_on_a_page_and_a_space_on_one_line(end):
    assert clean(f"a{end}b\tc") == "a\nb\tc"
    assert printable(f"a{end}b\tc") == "a b c"
