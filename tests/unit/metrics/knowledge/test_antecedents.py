"""What a sentence that leans on its context is searched for as, and where that cannot be told."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.knowledge.claims.sentence import SENTENCES_AS_CLAIMS
from stepgauge.metrics.knowledge.types import UNRESOLVED, Passage, Verdict
from stepgauge.metrics.segment import segment

CASE = "A 54-year-old woman with chest pain takes a drug. What is the cause of the pain?"
OPTIONS = "Which drug is contraindicated in pregnancy?\nA. Heparin\nB. Isotretinoin\nC. Insulin"


def last(response: str, question: str = "Which drug?", choices=None):
    trace = Trace(question, response, choices=choices)
    # A chain of one step is all answer.
    steps = [replace(step, kind="reasoning") for step in segment([trace], "lines")[0].steps]
    return SENTENCES_AS_CLAIMS.extract([trace], [steps])[0][-1]


@pytest.mark.parametrize(
    ("response", "question", "query"),
    [
        # A pronoun: the subject before it, in the same step or the one before, and on from one sentence to the next.
        ("Warfarin inhibits VKOR. It causes bleeding.", "Q?", "Warfarin causes bleeding."),
        ("Warfarin inhibits VKOR.\nHowever, it causes bleeding.", "Q?", "However, Warfarin causes bleeding."),
        ("Warfarin inhibits VKOR.\nIt causes bleeding.\nIts half-life is 40 h.", "Q?", "Warfarin's half-life is 40 h."),
        ("Warfarin inhibits VKOR.\nThis drug causes bleeding.", "Q?", "Warfarin causes bleeding."),
        ("ACE inhibitors cause cough.\nThey raise potassium.", "Q?", "ACE inhibitors raise potassium."),
        ("Warfarin:\n- causes skin necrosis", "Q?", "Warfarin causes skin necrosis"),
        (
            "The anticoagulant of choice in pregnancy is heparin.\nIt does not cross the placenta.",
            "Q?",
            "Heparin does not cross the placenta.",
        ),
        ("Let's consider heparin.\nIt does not cross the placenta.", "Q?", "Heparin does not cross the placenta."),
        ("In hydrops, there is an effusion.\nThis causes dyspnea.", "Q?", "Hydrops causes dyspnea."),
        # What the question asks about, where nothing stands before.
        ("It acetylates COX-1.", "What is the mechanism of action of aspirin?", "Aspirin acetylates COX-1."),
        ("It acetylates COX-1.", "How does aspirin work?", "Aspirin acetylates COX-1."),
        # The person whom the question describes, without an age.
        ("The patient has angina.", CASE, "A woman with chest pain has angina."),
        ("She has angina.", CASE, "A woman with chest pain has angina."),
        ("The patient's symptoms suggest angina.", CASE, "A woman with chest pain's symptoms suggest angina."),
        # An option's letter.
        ("Option B is teratogenic.", OPTIONS, "Isotretinoin is teratogenic."),
        ("Choice (C) does not cross the placenta.", OPTIONS, "Insulin does not cross the placenta."),
        ("Options B and C cross the placenta.", OPTIONS, "Isotretinoin and Insulin cross the placenta."),
        ("Neither A nor (C) is teratogenic.", OPTIONS, "Neither Heparin nor Insulin is teratogenic."),
        ("A, B and C are drugs in wide use.", OPTIONS, "Heparin, Isotretinoin and Insulin are drugs in wide use."),
        ("B is teratogenic in humans.\nIt harms the fetus.", OPTIONS, "Isotretinoin harms the fetus."),
    ],
)
def test_the_query_carries_what_the_sentence_speaks_of(response, question, query):
    claim = last(response, question)
    assert (claim.kind, claim.query, claim.standalone) == ("sentence", query, query)
    assert response[claim.start : claim.end] == claim.text


@pytest.mark.parametrize(
    "response",
    [
        "Warfarin inhibits VKOR.",
        "It is known that warfarin causes bleeding.",
        "There are two isoforms of cyclooxygenase in humans.",
        "It is important to measure the INR of a patient on warfarin.",
        "This is because warfarin inhibits VKOR.",
        "Choice B, isotretinoin, is teratogenic in humans.",
        "This vitamin K antagonist, warfarin, causes bleeding in some.",
        "Both A and B antigens are on red cells of group AB.",
    ],
)
def test_a_sentence_that_stands_by_itself_is_searched_for_as_it_stands(response):
    claim = last(response, OPTIONS)
    assert (claim.kind, claim.query, claim.standalone) == ("sentence", response, "")


@pytest.mark.parametrize(
    ("response", "question"),
    [
        ("It increases the risk of bleeding.", "Which drug?"),
        ("Warfarin and heparin differ.\nThe former is taken by mouth.", "Q?"),
        ("The patient has a fever since yesterday.", "Which drug?"),
        ("Option B is teratogenic in humans.", "Which drug?"),
        ("Option B is teratogenic in humans.", "Which drug?\nA. Heparin\nB. None of the above"),
        ("Options A and B cross the placenta.", "Which drug?\nA. Heparin\nB. None of the above"),
        # Neither person nor number fits; somebody else's subject is not taken.
        ("He has angina on exertion.", CASE),
        ("ACE inhibitors cause cough.\nIt raises potassium in the blood.", "Q?"),
        # The subject of the sentence between them cannot be read: the one before it is not taken in its place.
        ("Warfarin inhibits VKOR.\nHeparin, unlike it, blorbs factor X.\nIt causes bleeding in some.", "Q?"),
        # Farther away than the step before.
        ("Warfarin inhibits VKOR.\nLet us think about that.\nLet us think more.\nIt causes bleeding in some.", "Q?"),
    ],
)
def test_where_it_cannot_be_told_nothing_is_guessed(response, question):
    claim = last(response, question)
    assert (claim.kind, claim.query, claim.standalone) == (UNRESOLVED, None, "")
    assert "could not be told" in claim.note


class Everything:
    name = "everything"
    kinds = None
    needs_evidence = True

    def __init__(self):
        self.asked = []

    def judge(self, claims, evidence):
        self.asked += claims
        return [
            Verdict(claim, "supported", self.name, evidence=tuple(e)) for claim, e in zip(claims, evidence, strict=True)
        ]


class Finds:
    name = "finds"

    def retrieve(self, claims, traces):  # noqa: ARG002
        return [[Passage("p", "text")] for _ in claims]


def test_an_unresolved_claim_is_uncheckable_and_counted_and_no_judge_is_asked():
    judge = Everything()
    with Gauge(scorer=None, claims=["sentence"], judges=[judge], retriever=Finds(), splitter="lines") as gauge:
        (score,) = gauge.score([Trace("Q?", "It increases the risk of bleeding.\nWarfarin inhibits VKOR.")])
    assert [claim.text for claim in judge.asked] == ["Warfarin inhibits VKOR."]
    stray = score.steps[0].verdicts[0]
    assert (stray.label, stray.failed) == (None, False)
    assert stray.error == "what 'It' stands for could not be told from the question and the steps before"
    assert (score.ki, score.ki_coverage, score.metrics["n_failed"]) == (1, 0.5, 0)
    assert "1 of 2 claims are uncheckable: what they speak of could not be told" in score.notes


@pytest.mark.parametrize(
    "unit", ["It is. ", "Option A ", "the patient ", "Warfarin inhibits it. ", "(A) ", "this drug,"]
)
def test_the_cost_is_linear_in_the_response(unit):
    def seconds(times: int) -> float:
        trace = Trace("word " * 2_000, unit * times)
        steps = segment([trace], "lines")[0].steps
        begin = time.process_time()
        SENTENCES_AS_CLAIMS.extract([trace], [steps])
        return time.process_time() - begin

    assert seconds(1_600) < 12 * seconds(400) + 0.5
