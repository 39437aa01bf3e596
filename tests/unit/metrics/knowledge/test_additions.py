"""Which rewritten claims add something to what they were written from."""

from __future__ import annotations

import pytest

from stepgauge.metrics.knowledge.claims.additions import KnownWords

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
    ],
)
def test_words_and_numbers_that_stand_nowhere_are_additions(claim, added):
    assert KnownWords(TEXTS).additions(claim) == added
