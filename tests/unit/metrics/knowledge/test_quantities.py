"""Equations over quantities: doses are compared in one unit, and what does not convert is left alone."""

from __future__ import annotations

import pytest

from stepgauge.metrics.knowledge.arithmetic.equation import decide
from stepgauge.metrics.knowledge.arithmetic.extractor import find_equations


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("5 mg/kg * 70 kg = 450 mg", "contradicted"),
        ("The dose is 5 mg/kg * 70 kg = 350 mg.", "supported"),
        ("5 mg per kg × 70 kg = 350 mg", "supported"),
        ("5 mg/kg/day * 70 kg = 350 mg/day", "supported"),
        ("5 mg/kg/day * 70 kg = 250 mg/day", "contradicted"),
        ("350 mg = 5 mg/kg * 70 kg", "supported"),
        ("0.5 mg/kg * 70 kg = 35 g", "contradicted"),
        ("70 kg * 30 mL/kg = 2.1 L", "supported"),
        ("70 kg * 30 mL/kg = 21 L", "contradicted"),
        ("500 mg + 0.5 g = 1 g", "supported"),
        ("500 mg x 3 = 15 g", "contradicted"),
        ("2 tablets * 250 mg/tablet = 0.5 g", "supported"),
        ("100 mL/h * 30 min = 50 mL", "supported"),
        ("0.1 mcg/kg/min * 70 kg * 60 min = 420 mcg", "supported"),
        ("0.5 mg = 5000 mcg", "contradicted"),
        ("So 0.5 mg = 500 mcg.", "supported"),
        ("0.25 mg = 25 µg", "contradicted"),
        ("2 g = 200 mg", "contradicted"),
        ("The dose of 2 g = 2000 mg is high.", "supported"),
        ("1 L = 1000 mL", "supported"),
        ("1 mg/mL = 100 mg/dL", "supported"),
        (r"200 \mathrm{~mL} \times 10^{-3} \mathrm{~L/mL} \times 2 \mathrm{~mol/L} = 0.4 \mathrm{~mol}", "supported"),
        # The factor stands there as a bare number.
        ("2 g * 1000 = 2000 mg", "supported"),
        ("5 mg/kg * 70 kg / 1000 = 0.35 g", "supported"),
    ],
)
def test_quantities_are_claims_and_are_compared_in_one_unit(text, label):
    (found,) = find_equations(text)
    outcome = decide(found.text)
    assert outcome is not None
    assert outcome.label == label, outcome.reason


@pytest.mark.parametrize(
    "text",
    [
        "400 IU = 10 mcg",  # depends on the vitamin
        "140 mmol = 140 mEq",
        "1 mmol = 40 mg",
        "1 g = 1 mL",
        "70 kg = 154 lb",
        "1 hour = 45 minutes",  # a lesson
        "1 day = 8 hours",  # of work
        "2 g = 4 g",  # a variable
        "2 g = 2000",
        "2 h = 7200 s",
        "Half of 2 g = 1000 mg",
        "Is 2 g = 200 mg?",
        "It is wrong that 2 g = 200 mg.",
        "If 1 kg = 100 g, the sum is off.",
    ],
)
def test_what_does_not_convert_or_is_not_asserted_is_never_called_wrong(text):
    assert [found.text for found in find_equations(text) if decide(found.text).label == "contradicted"] == []


def test_a_minute_is_no_minimum():
    assert find_equations("min(3, 4) + 5 = 9") == []
    assert find_equations("3 min(4) = 12") == []
