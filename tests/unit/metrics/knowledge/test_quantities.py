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


@pytest.mark.parametrize(
    ("text", "label"),
    [
        # Oracle: 1 lb = 453.59237 g (international yard and pound agreement); °F = °C * 9/5 + 32; K = °C + 273.15.
        ("The patient weighs 70 kg = 154 lb.", "supported"),
        ("154 lb = 70 kg", "supported"),
        ("70 kg = 154.3 lbs", "supported"),
        ("70 kg = 164 lb", "contradicted"),
        ("154 lb = 77 kg", "contradicted"),
        ("120 kg = 264 lb", "supported"),  # by 2.2
        ("1 lb = 454 g", "supported"),
        ("1 lb = 0.45 kg", "supported"),
        ("500 g = 1.1 lb", "supported"),
        ("1.1 lb = 500 g", "supported"),  # the side that comes first is the rounded one
        ("5 pounds = 3 kg", "insufficient"),  # of money
        ("37 °C = 98.6 °F", "supported"),
        ("98.6°F = 37°C", "supported"),
        ("The temperature is 39 °C = 102.2 °F.", "supported"),
        ("The temperature is 39 °C = 100.2 °F.", "contradicted"),
        ("100 °F = 37.8 °C", "supported"),
        ("38 °C = 100 °F", "supported"),
        ("38 °C = 102 °F", "contradicted"),
        ("-40 °C = -40 °F", "supported"),
        ("37 °C = 310 K", "supported"),
        ("37 °C = 273 K", "contradicted"),
        ("10 °C = 18 °F", "insufficient"),  # right of a difference
        ("37 °C * 9/5 + 32 = 98.6 °F", "supported"),
        ("70 kg * 2.2 = 154 lb", "supported"),
        ("70 kg / (1.75 m)^2 = 22.9 kg/m^2", "supported"),
        ("BMI = 70 kg / (1.75 m)² = 24.9 kg/m²", "contradicted"),
    ],
)
def test_pounds_and_temperatures_are_compared_to_the_digits_written(text, label):
    (found,) = find_equations(text)
    outcome = decide(found.text)
    assert outcome is not None
    assert outcome.label == label, outcome.reason


def test_a_minute_is_no_minimum():
    assert find_equations("min(3, 4) + 5 = 9") == []
    assert find_equations("3 min(4) = 12") == []
