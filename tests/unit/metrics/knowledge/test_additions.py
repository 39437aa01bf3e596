"""Which rewritten claims add something to what they were written from."""

from __future__ import annotations

import pytest

from stepgauge.metrics.knowledge.claims.additions import KnownWords, denials

TEXTS = ("A man has taken ibuprofen for years. Which risk?", "It inhibits COX-1, causing ulcers at 2.5 mg/kg.")


@pytest.mark.parametrize(
    ("claim", "added"),
    [
        ("Ibuprofen inhibits COX-1.", []),
        ("Ibuprofen is an inhibitor of COX-1.", []),
        ("Ibuprofen causes an ulcer in a man who takes it at 2.5 mg/kg.", []),
        ("Aspirin inhibits COX-1.", ["aspirin"]),
        ("Ibuprofen does not inhibit COX-1.", ["not"]),
        ("Ibuprofen causes ulcers at 25 mg/kg.", ["25"]),
        ("Ibuprofen causes gastric ulcers.", ["gastric"]),
        ("Ibuprofen inhibits COX-2.", ["2"]),
        ("Ibuprofen inhibits COX-1 at -2.5 mg/kg.", ["-2.5"]),
        ("Ibuprofen inhibits COX-1 at < 2.5 mg/kg.", ["<"]),
        ("Ibuprofen causes ulcers at 2.5 %.", ["%"]),
        ("Ibuprofen is taken at 2.5 mg/kg-COX-1.", []),
    ],
)
def test_words_and_numbers_that_stand_nowhere_are_additions(claim, added):
    assert KnownWords(TEXTS).additions(claim) == added


@pytest.mark.parametrize(
    ("claim", "step", "found"),
    [
        ("Heparin does not cross the placenta.", "Heparin crosses the placenta.", ["not"]),
        ("Heparin does not increase bleeding.", "Heparin increases bleeding under warfarin.", ["not"]),
        ("Heparin isn't teratogenic.", "Heparin is teratogenic.", ["n't"]),
        ("Heparin does not cross the placenta.", "It cannot cross the placenta.", []),
        ("Heparin is not the cause.", "Option A is incorrect.", []),
        ("Heparin is not the cause.", "So we can rule out heparin.", []),
        ("Heparin crosses the placenta.", "Heparin crosses the placenta.", []),
    ],
)
def test_a_claim_denies_what_its_step_denies(claim, step, found):
    assert denials(claim, step) == found
