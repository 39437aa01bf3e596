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
        ("This female patient has angina.", CASE, "A woman with chest pain has angina."),
        ("The lady has angina.", CASE, "A woman with chest pain has angina."),
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
        ("The man has angina on exertion.", CASE),
        ("This male patient has angina on exertion.", CASE),
        ("The gentleman has angina on exertion.", CASE),
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


def found(response: str, question: str = "Which drug?", splitter: str = "lines") -> dict[str, str]:
    """What each claim is searched for as; "unresolved" of those that are."""
    trace = Trace(question, response)
    steps = [replace(step, kind="reasoning") for step in segment([trace], splitter)[0].steps]
    (claims,) = SENTENCES_AS_CLAIMS.extract([trace], [steps])
    for claim in claims:
        assert response[claim.start : claim.end] == claim.text
    return {claim.text: claim.query or claim.kind for claim in claims}


@pytest.mark.parametrize("splitter", ["auto", "lines", "sentences", "paragraphs"])
@pytest.mark.parametrize(
    ("heading", "subject"),
    [
        ("Side effects of lisinopril:", "lisinopril"),
        ("Lisinopril's side effects:", "Lisinopril"),
        ("The adverse effects of lisinopril on the kidney:", "lisinopril"),
        ("Mechanism of action of lisinopril:", "lisinopril"),
        ("Lisinopril:", "Lisinopril"),
        ("**Lisinopril**", "Lisinopril"),
        ("### Lisinopril", "Lisinopril"),
        ("### Lisinopril\nSide effects:", "Lisinopril"),
        ("Step 2: Consider lisinopril:", "lisinopril"),
        ("Lisinopril has these effects:\n- treats hypertension", "Lisinopril"),
        ("Lisinopril lowers blood pressure.", "Lisinopril"),
    ],
)
@pytest.mark.parametrize("mark", ["- ", "* ", "1. "])
def test_a_bullet_without_a_subject_speaks_of_the_line_that_it_stands_under(heading, subject, mark, splitter):
    bullets = [
        "causes cough",
        "The cough is dry in most people",
        "Raises potassium.",
        "lowers K+",
        "is teratogenic",
        "may cause angioedema",
        "is not given in pregnancy",
    ]
    queries = found("\n".join([heading, *(f"{mark}{bullet}" for bullet in bullets)]), splitter=splitter)
    said = {bullet: f"{subject} {bullet[0].lower()}{bullet[1:]}" for bullet in bullets}
    said["The cough is dry in most people"] = "The cough is dry in most people"
    assert said.items() <= queries.items()


def test_nested_bullets_speak_of_the_bullet_above_them():
    response = """ACE inhibitors:
- cause cough
- Lisinopril
  - is excreted unchanged
  - causes angioedema
- Enalapril:
  1. becomes enalaprilat
- reduce mortality
1. **Losartan**:
- blocks AT1"""
    assert found(response, splitter="paragraphs") == {
        "cause cough": "ACE inhibitors cause cough",
        "is excreted unchanged": "Lisinopril is excreted unchanged",
        "causes angioedema": "Lisinopril causes angioedema",
        "becomes enalaprilat": "Enalapril becomes enalaprilat",
        "reduce mortality": "ACE inhibitors reduce mortality",
        "blocks AT1": "Losartan blocks AT1",
    }


@pytest.mark.parametrize(
    "response",
    [
        "- causes cough",
        "Side effects:\n- causes cough",
        "Option D:\n- causes cough",
        "The patient:\n- has fever",
        "Its effects:\n- causes cough",
    ],
)
def test_a_bullet_under_a_line_that_names_nothing_is_unresolved(response):
    assert set(found(response).values()) == {UNRESOLVED}


@pytest.mark.parametrize(
    "response",
    [
        "Causes:\n- heart failure\n- side effects\n- common causes",
        "Labs:\n- Mean corpuscular volume\n- Lower lobe\n- Stress test",
        "Recommendations:\n- Increase fluid intake\n- Reduce salt",
    ],
)
def test_bullets_without_a_finite_verb_are_no_claims(response):
    assert found(response) == {}


def test_orders_are_not_put_behind_the_line_that_they_stand_under():
    assert found("Diuretics:\n- do not give aspirin\n- have him rest") == {
        "do not give aspirin": "do not give aspirin",
        "have him rest": "have him rest",
    }


def test_a_bullet_with_its_own_subject_stands_by_itself():
    response = "Lisinopril:\n- Cough persists\n- Lisinopril causes cough\n- **Potassium:** rises in renal failure"
    assert set(found(response).values()) >= {"Cough persists", "Lisinopril causes cough"}
    assert found("- Lisinopril: raises potassium") == {"Lisinopril: raises potassium": "Lisinopril: raises potassium"}


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
    "unit",
    [
        "- causes cough\n",
        "\n  - is",
        "# a:\n- b\n",
        "It is. ",
        "Option A ",
        "the patient ",
        "Warfarin inhibits it. ",
        "(A) ",
        "this drug,",
    ],
)
def test_the_cost_is_linear_in_the_response(unit):
    def seconds(times: int) -> float:
        trace = Trace("word " * 2_000, unit * times)
        steps = segment([trace], "lines")[0].steps
        begin = time.process_time()
        SENTENCES_AS_CLAIMS.extract([trace], [steps])
        return time.process_time() - begin

    assert seconds(1_600) < 12 * seconds(400) + 0.5
