"""Which texts without a full stop have a finite verb, and so assert something."""

from __future__ import annotations

import time

import pytest

from stepgauge.metrics.knowledge.claims.sentence import Prompt, no_claim
from stepgauge.metrics.knowledge.claims.verbs import finite_verb
from stepgauge.metrics.trace import Trace

CLAIMS = [
    "Warfarin inhibits vitamin K epoxide reductase",
    "Aspirin irreversibly acetylates COX-1",
    "Heparin activates antithrombin III",
    "Beta blockers reduce heart rate",
    "ACE inhibitors cause dry cough",
    "Thiazides block the Na-Cl cotransporter",
    "Metformin lowers blood glucose",
    "Use of aspirin in children causes Reye syndrome",
    "**Warfarin** causes bleeding",
    "Loop diuretics increase calcium excretion",
    "Digoxin increases contractility",
    "Vitamin C deficiency leads to scurvy",
    "Statins work by inhibiting HMG-CoA reductase",
    "Warfarin (Coumadin) crosses the placenta",
    "S. aureus produces coagulase",
    "The court held that the contract was void",
    "Consideration requires a bargained-for exchange",
    "Negligence requires duty, breach, causation and damages",
    "Rising interest rates lower bond prices",
    "crosses the placenta and causes birth defects",
]
HEADINGS = [
    "Treatment options",
    "Step 2: Findings",
    "Common causes of anemia",
    "Side effects of statins",
    "Increased risk of bleeding",
    "Decreased pulmonary capillary wedge pressure (PCWP)",
    "Comparing the calculated value with the candidate choices",
    "Human papillomavirus (HPV) testing",
    "Drugs that inhibit CYP3A4",
    "How to treat asthma",
    "What causes anemia",
    "Patients treated with warfarin",
    "Signs and symptoms of heart failure",
    "Effects of warfarin on INR",
    "Indications and contraindications",
    "Estimate of the net present value",
    "Narcissistic Personality Disorder",
    "Interest rate increases",
    "Conditions associated with HLA-B27",
    "Multiple Endocrine Adenomatosis Type 2 (MEN2)",
]


@pytest.mark.parametrize("text", CLAIMS)
def test_a_bullet_with_a_verb_is_a_claim_without_a_full_stop(text):
    assert no_claim(text, Prompt(Trace("Which drug?", ""))) is None


@pytest.mark.parametrize("text", HEADINGS)
def test_a_heading_has_no_finite_verb(text):
    assert finite_verb(text) is None
    assert no_claim(text, Prompt(Trace("Which drug?", ""))) is not None


def test_the_verb_is_found_where_it_stands():
    sentence = "Warfarin, which inhibits vitamin K, increases the INR."
    found = finite_verb(sentence)
    assert found is not None
    assert (sentence[found.start : found.end], found.auxiliary) == ("increases", False)
    found = finite_verb("Warfarin is a drug.")
    assert found is not None
    assert found.auxiliary


@pytest.mark.parametrize("unit", ["causes ", "the ", "that ", "- ", "a-", "é", "increase of "])
def test_the_cost_is_bounded(unit):
    begin = time.process_time()
    finite_verb(unit * 200_000)
    assert time.process_time() - begin < 2
