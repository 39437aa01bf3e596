"""Quoted words and cited provisions: what is a claim, and what the judge `quote` says of it."""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from pathlib import Path

import pytest

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.knowledge.law.citations import find_citations
from stepgauge.metrics.knowledge.law.provisions import cut_provisions
from stepgauge.metrics.knowledge.policy import DEFAULT
from stepgauge.metrics.knowledge.types import Verdict

RULES = """Rule 801. Definitions That Apply to This Article; Exclusions from Hearsay
(a) Statement. “Statement” means a person’s oral assertion, written assertion, or nonverbal conduct.
(c) Hearsay. “Hearsay” means a statement that:
  (1) the declarant does not make while testifying at the current trial or hear-
ing; and
  (2) a party offers in evidence to prove the truth of the matter asserted in the statement.
(d) Statements That Are Not Hearsay. The following are not hearsay: (1) a prior statement; (2) an opposing party’s
statement that: (A) was made by the party; or (B) is one the party adopted.
Rule 803. Exceptions
The following are not excluded by the rule against hearsay.
"""
PASSAGES = [{"id": "rules", "title": "Federal Rules of Evidence", "text": RULES}]
TRUTH = "a party offers in evidence to prove the truth of the matter asserted in the statement"


def verdicts(
    response: str, passages: object = None, question: str = "Is it hearsay?", **options: object
) -> list[Verdict]:
    part = {"name": "citations", **options}
    with Gauge(None, claims=[part], judges=["quote"], retriever="given", splitter="paragraphs") as gauge:
        meta = {"passages": PASSAGES if passages is None else passages}
        (score,) = gauge.score([Trace(question, response, "yes", meta=meta)])
    return [verdict for step in score.steps for verdict in step.verdicts]


def quoted(response: str, passages: object = None, question: str = "Is it hearsay?") -> list[Verdict]:
    return [one for one in verdicts(response, passages, question) if one.claim.kind == "quotation"]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Rule 801(c)", "801(c)"),
        ("§ 2-207(2)(b)", "2-207(2)(b)"),
        ("UCC § 2-207(2)(b)", "ucc 2-207(2)(b)"),
        ("Art. 6 (1) GDPR", "gdpr 6(1)"),
        ("Article 6(1)(f) of the GDPR", "gdpr 6(1)(f)"),
        ("Art. 6 Abs. 1 lit. f DSGVO", "gdpr 6(1)(f)"),
        ("28 U.S.C. § 1332(a)", "28 usc 1332(a)"),
        ("28 USC 1332(a)", "28 usc 1332(a)"),
        ("16 C.F.R. § 314.4(a)", "16 cfr 314.4(a)"),
        ("Fed. R. Evid. 801(d)(2)(E)", "fre 801(d)(2)(E)"),
        ("Federal Rule of Evidence 801(c)", "fre 801(c)"),
        ("Rule 801(c) of the Federal Rules of Evidence", "fre 801(c)"),
        ("Section 230(c)(1) of the Communications Decency Act", "communications decency act 230(c)(1)"),
        ("Section 4.2 of this Agreement", "agreement 4.2"),
        ("U.S. Const. amend. XIV, § 1", "us const amend-14(1)"),
        ("Fourteenth Amendment", "us const amend-14"),
        ("Article IV", "4"),
    ],
)
def test_a_citation_has_one_key_however_it_is_written(written: str, key: str) -> None:
    (found,) = find_citations(f"As stated in {written}, it is so.")
    assert found.key == key


def test_citations_in_a_list_are_all_read_and_words_of_everyday_are_none() -> None:
    assert [one.key for one in find_citations("See §§ 101, 102(b) and 103 and Rules 801 and 802.")] == [
        *("101", "102(b)", "103", "801", "802")
    ]
    assert find_citations("My rule 1: in section 2 of paragraph 3, write 4 articles. Step 5 of 10 (2010).") == []


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Rule 801(a)(1), (b) and (c) apply.", ["801(a)(1)", "801(b)", "801(c)"]),
        ("Rule 12(b)(1), (b)(6).", ["12(b)(1)", "12(b)(6)"]),
        ("Rule 12(b)(6) and (7) apply.", ["12(b)(6)", "12(b)(7)"]),
        ("Section 4(a)(i), (ii) and (iii) apply.", ["4(a)(i)", "4(a)(ii)", "4(a)(iii)"]),
        ("28 U.S.C. § 1332(a)(1), (2) and (c).", ["28 usc 1332(a)(1)", "28 usc 1332(a)(2)", "28 usc 1332(c)"]),
        ("§ 2-207(2)(a), (b), and (c) of the UCC", ["ucc 2-207(2)(a)", "ucc 2-207(2)(b)", "ucc 2-207(2)(c)"]),
        ("Rules 801(a), (b) and 803(1), (2).", ["801(a)", "801(b)", "803(1)", "803(2)"]),
        ("Article 6(1)(a)-(c) GDPR", ["gdpr 6(1)(a)", "gdpr 6(1)(c)"]),
        ("Art. 5 Abs. 1 und 2 DSGVO", ["gdpr 5(1)", "gdpr 5(2)"]),
        ("Art. 5 Abs. 1, 2 DSGVO", ["gdpr 5(1)", "gdpr 5(2)"]),
        # What is no list.
        ("Under Rule 801(c), (1) a statement must be made and (2) be offered for its truth.", ["801(c)"]),
        ("Rule 801(c), (which is old), applies.", ["801(c)"]),
        ("Section 2(b), (a) aside, applies.", ["2(b)"]),
        ("Section 3(a), 2 years later.", ["3(a)"]),
        ("Art. 5 Abs. 1, 2 Jahre später.", ["5(1)"]),
    ],
)
def test_each_of_a_list_of_subdivisions_is_read(text: str, keys: list[str]) -> None:
    assert [one.key for one in find_citations(text)] == keys


def test_subdivisions_in_a_list_are_looked_up_one_by_one() -> None:
    found = {
        one.claim.text: one.label for one in verdicts("Rule 801(a), (b) and (c)(2) and Rule 801(d)(1), (2) apply.")
    }
    assert found == {
        "Rule 801(a)": "supported",
        "Rule 801(b)": "contradicted",
        "Rule 801(c)(2)": "supported",
        "Rule 801(d)(1)": "supported",
        "Rule 801(d)(2)": "supported",
    }


def test_an_act_named_behind_a_list_is_that_of_each_in_it() -> None:
    given = [
        {
            "id": "gdpr",
            "title": "GDPR",
            "text": "Article 6 Lawfulness\n(1) Processing is lawful: (a) consent; (b) contract.",
        },
        {"id": "teu", "title": "TEU", "text": "Article 6 Rights\n(1) The Union recognises rights.\n(2) It accedes."},
    ]
    found = {one.claim.text: one.reason for one in verdicts("Art. 6(1)(a) and (b) GDPR apply.", given)}
    assert found == {
        "Art. 6(1)(a) GDPR": "is there as gdpr 6(1)(a)",
        "Art. 6(1)(b) GDPR": "is there as gdpr 6(1)(b)",
    }


def test_a_text_is_cut_into_its_provisions_with_their_subdivisions() -> None:
    cut = {one.key: one.text for one in cut_provisions("x", "Federal Rules of Evidence", RULES)}
    assert list(cut) == [
        *(
            "fre",
            "fre 801",
            "fre 801(a)",
            "fre 801(c)",
            "fre 801(c)(1)",
            "fre 801(c)(2)",
            "fre 801(d)",
            "fre 801(d)(1)",
        ),
        *("fre 801(d)(2)", "fre 801(d)(2)(A)", "fre 801(d)(2)(B)", "fre 803"),
    ]
    assert cut["fre 803"].startswith("Rule 803. Exceptions\nThe following")


@pytest.mark.parametrize(
    "quotation",
    [
        TRUTH,
        TRUTH.upper(),
        "a party offers in evidence ... the matter asserted in the statement",
        "a party offers in evidence […] the matter asserted",
        "a party offers . . . to prove the truth of the matter asserted",
        "[A] party offers in evidence to prove the truth",
        "a party offer[ed] in evidence to prove the truth",
        "[one side] offers in evidence to prove the truth",
        "a party offers in evidence to prove [sic] the truth of the matter",
        "the declarant does not make while testifying at the current trial or hearing",
        "the declarant does not make while testifying at the current trial or hear-\ning",
    ],
)
def test_what_stands_in_the_provision_is_supported_however_it_is_typed(quotation: str) -> None:
    for left, right in ("“”", '""', "«»"):
        (verdict,) = quoted(f"Rule 803 is for later. Rule 801 says that hearsay is what {left}{quotation}{right}.")
        assert (verdict.label, verdict.probability) == ("supported", 1.0), verdict.reason


@pytest.mark.parametrize(
    ("quotation", "says"),
    [
        (TRUTH.replace("truth", "falsity"), "“truth”, the quotation “falsity”"),
        (TRUTH.replace("offers in", "does not offer in"), "does not offer"),
        (TRUTH.replace("to prove the", "to the"), "leaves out “prove”"),
        (TRUTH.replace("the matter", "the whole matter"), "adds “whole”"),
        ("a party offers ... to prove the falsity of the matter asserted", "“truth”, the quotation “falsity”"),
    ],
)
def test_an_altered_word_is_caught_and_shown(quotation: str, says: str) -> None:
    (verdict,) = quoted(f"Rule 801 says “{quotation}”.")
    assert (verdict.label, verdict.probability) == ("contradicted", 0.0)
    assert says in verdict.reason


def test_words_of_another_provision_are_not_those_of_the_cited_one() -> None:
    (verdict,) = quoted(f"Rule 803 says “{TRUTH}”.")
    assert verdict.label == "contradicted"
    assert "not in fre 803" in verdict.reason


def test_what_stands_nowhere_is_wrong_only_of_a_source_that_is_named_and_there() -> None:
    free = "no person shall ever be convicted on the word of a child"
    (by_rule,) = quoted(f"Rule 803 says “{free}”.")
    (by_name,) = quoted(f"The rules provide that “{free}”.")
    (by_nobody,) = quoted(f"He shouted “{free}”.")
    (elsewhere,) = quoted(f"Rule 12 of the Federal Rules of Civil Procedure says “{free}”.")
    assert [one.label for one in (by_rule, by_name)] == ["contradicted"] * 2
    assert [one.label for one in (by_nobody, elsewhere)] == ["insufficient"] * 2
    assert [DEFAULT.outcome(one) for one in (by_nobody, elsewhere)] == ["uncheckable"] * 2


def test_scare_quotes_and_words_of_the_question_are_no_claims() -> None:
    question = "Tim told Jimmy that “Real Madrid was the best soccer team in the world.” Is it hearsay?"
    said = (
        "Tim said “Real Madrid was the best soccer team in the world.” This is “hearsay” or a “so-called verbal act”."
    )
    assert quoted(said, question=question) == []
    # The same words are a claim where they are the evidence's.
    (verdict,) = quoted(f"It says “{TRUTH}”.", question=f"{RULES}\nIs it hearsay?")
    assert verdict.label == "supported"


@pytest.mark.parametrize(
    "step",
    [
        "Under Rule 801(c), the statement “{}” is hearsay.",
        "Under Rule 801(c), “I do know: {}” is hearsay.",
        "Tim's words “{}” fall under Rule 801(c).",
        "Rule 801(a) applies because Tim replied “{}”.",
        "Rule 803 would cover “{}” said by Tim.",
        "By the terms of the rule, she replied “{}”.",
    ],
)
def test_words_that_somebody_spoke_are_not_those_of_the_rule_that_is_applied_to_them(step: str) -> None:
    found = quoted(step.format("the brakes on that old car need repair"))
    assert [verdict.label for verdict in found] == ["insufficient"]
    # Nor are they a claim where the question has them.
    asked = quoted(step.format("the brakes on that old car need repair"), question=step)
    assert [verdict.label for verdict in asked] == ["insufficient"]
    facts = "Tim told Jimmy: I do know: the brakes on that old car need repair. Hearsay?"
    assert quoted(step.format("the brakes on that old car need repair"), question=facts) == []


def test_labels_of_parts_may_be_left_out_of_a_quotation_and_not_altered() -> None:
    act = "§ 5. Terms\nSecret for five (5) years, and is between—\n(1) citizens of different States;\n(2) others.\n"
    for said, label in [
        ("and is between citizens of different States", "supported"),
        ("and is between— (1) citizens of different States", "supported"),
        ("Secret for five years, and is between", "supported"),
        ("Secret for four (4) years, and is between", "contradicted"),
        ("and is between (2) citizens of different States", "contradicted"),
    ]:
        gauge = Gauge(None, claims=["citations"], judges=["quote"], retriever="given", splitter="lines")
        passages = [{"id": "act", "title": "Secrets Act", "text": act}]
        (score,) = gauge.score([Trace("", f"The statute says “{said}”.", meta={"passages": passages})])
        assert [verdict.label for step in score.steps for verdict in step.verdicts] == [label], said


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("Rules 801(c) and 801(d)(2) apply.", {"Rules 801(c)": "supported", "Rules 801(d)(2)": "supported"}),
        ("Fed. R. Evid. Rules 801-803 apply.", {"Rules 801": "supported", "Rules 803": "supported"}),
        ("Rules 801 to 803 apply.", {"Rules 801": "supported", "Rules 803": "supported"}),
    ],
)
def test_each_of_a_list_and_both_ends_of_a_range_are_looked_up(step: str, found: dict[str, str]) -> None:
    labels = {one.claim.text.replace("Fed. R. Evid. ", ""): one.label for one in verdicts(step)}
    assert labels == found


def test_a_section_with_a_hyphen_is_no_range() -> None:
    keys = [one.key for one in find_citations("UCC §§ 2-207 and 2-209; §§ 4-101 of the Code; Sections 2.1-2.4.")]
    assert keys == ["ucc 2-207", "ucc 2-209", "code 4-101", "2.1", "2.4"]


def test_what_is_cited_must_exist_where_what_is_around_it_does() -> None:
    found = verdicts(
        "Rule 801(c) and Fed. R. Evid. 801(d)(2)(B) apply.\nRule 801(f) and Federal Rule of Evidence 802 do not.\n"
        "Nor do 28 U.S.C. § 1332(a), Fed. R. Evid. 9001 and Section 12."
    )
    assert [(one.claim.text, one.label) for one in found] == [
        ("Rule 801(c)", "supported"),
        ("Fed. R. Evid. 801(d)(2)(B)", "supported"),
        ("Rule 801(f)", "contradicted"),
        ("Federal Rule of Evidence 802", "contradicted"),
        ("28 U.S.C. § 1332(a)", "insufficient"),
        ("Fed. R. Evid. 9001", "insufficient"),
        ("Section 12", "insufficient"),
    ]
    assert "it has a, c, d" in found[2].reason
    assert not any(one.evidence for one in found[4:])


@pytest.mark.parametrize(
    ("written", "place"),
    [
        (f"Rule 801(c) speaks of what “{TRUTH}”.", "rules: fre 801(c)"),
        (f"The rules speak of what “{TRUTH}”.", "rules: fre 801(c)(2)"),
        ("The rules say “a party offers in evidence to prove the lie of the matter”.", "rules: fre 801(c)(2)"),
        ("Rule 803 applies.", "rules: fre 803"),
    ],
)
def test_evidence_is_the_provision_and_not_the_whole_document(written: str, place: str) -> None:
    (verdict, *_) = quoted(written) or verdicts(written)
    (passage,) = verdict.evidence
    assert passage.id == place
    assert passage.title == "Federal Rules of Evidence"
    assert len(passage.text) < len(RULES) / 2


def test_a_contract_in_many_passages_is_one_document() -> None:
    clauses = [
        "1. Definitions",
        "1.1 “Party” means a party.",
        "2. Duties. The Recipient shall keep secrets and",
        "return",
    ]
    clauses += ["all copies on request.", "3. Term", "4. Law"]
    given = [{"id": f"p{n}", "title": "Mutual NDA", "text": text} for n, text in enumerate(clauses)]
    found = verdicts("Section 1.1 of the Agreement and Clause 2 bind.\nSection 9 of the Agreement does not.", given)
    assert [one.label for one in found] == ["supported", "supported", "contradicted"]
    (verdict,) = quoted("The Agreement says “shall keep secrets and return”.", given)
    assert [passage.id for passage in verdict.evidence] == ["p2", "p3"]


def test_cases_are_read_with_eyecite_where_asked_for() -> None:
    pytest.importorskip("eyecite")
    given = [{"id": "347 U.S. 483", "text": "Brown v. Board of Education"}]
    text = "See Brown v. Board of Education, 347 U.S. 483 (1954), and Hertz Corp. v. Friend, 559 U.S. 77 (2010)."
    assert [one.label for one in verdicts(text, given, cases=True)] == ["supported", "insufficient"]
    assert verdicts(text, given) == []


@pytest.mark.parametrize("options", [{"min_words": 0}, {"min_words": "4"}, {"most": 3}])
def test_options_that_are_wrong_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="citations"):
        Gauge(None, claims=[{"name": "citations", **options}])


# One word is put in another's place; none of them stands in a clause.
ODD = ["zebra", "not", "never", "seldom", "Tuesday", "77", "purple"]


def clauses(shared_data: Path, count: int) -> list[tuple[str, list[str]]]:
    """Clauses of 12 to 60 words, each with all clauses of its contract; none twice."""
    with gzip.open(shared_data / "contractnli" / "dev.json.gz", "rt", encoding="utf-8") as file:
        documents = json.load(file)["documents"]
    drawn = random.Random(0)
    out: dict[str, list[str]] = {}
    while len(out) < count:
        document = drawn.choice(documents)
        spans = [document["text"][start:end] for start, end in document["spans"]]
        span = drawn.choice(spans)
        plain = not re.search(r"[\[\]“”\"«»…]|\.\s?\.\s?\.|\* ?\*|_{2}|‘|-\s", span)
        if 12 <= len(span.split()) <= 60 and plain:
            out.setdefault(span, spans)
    return list(out.items())


def typed(clause: str, how: int) -> str:
    """The clause as somebody might type it."""
    words = clause.split()
    if how == 1:
        words[4:6] = ["…"]
    elif how == 2:
        words[3] = f"[{words[3][0]}]{words[3][1:]}" if words[3][0].isalpha() and len(words[3]) > 1 else words[3]
    elif how == 3:
        words[5] = "[the party]"
    elif how == 4:
        long = next((n for n, word in enumerate(words) if len(word) > 7 and word.isalpha()), None)
        if long is not None:
            words[long] = f"{words[long][:4]}-\n{words[long][4:]}"
    text = " ".join(words)
    return text.replace("'", "’").replace("-", "–") if how == 5 else text


@pytest.mark.slow
def test_of_a_hundred_real_clauses_the_fifty_with_an_altered_word_are_caught(shared_data: Path) -> None:
    drawn = random.Random(1)
    traces, altered = [], []
    for number, (clause, spans) in enumerate(clauses(shared_data, 100)):
        wrong = number % 2 == 1
        text = clause
        if wrong:
            words = clause.split()
            at = drawn.choice([n for n in range(8, len(words) - 1) if words[n].isalpha()])
            words[at] = drawn.choice([word for word in ODD if word != words[at].lower()])
            text = " ".join(words)
        given = [{"id": f"span {n}", "text": span} for n, span in enumerate(spans)]
        response = f"The Agreement provides that “{typed(text, number // 2 % 6)}”"
        traces.append(Trace("Is it allowed?", response, "yes", meta={"passages": given}))
        altered.append(wrong)
    with Gauge(None, claims=["citations"], judges=["quote"], retriever="given", splitter="paragraphs") as gauge:
        scores = gauge.score(traces)
    found = [
        [one.label for step in score.steps for one in step.verdicts if one.claim.kind == "quotation"]
        for score in scores
    ]
    caught = sum(labels == ["contradicted"] for labels, wrong in zip(found, altered, strict=True) if wrong)
    flagged = [labels for labels, wrong in zip(found, altered, strict=True) if not wrong and labels != ["supported"]]
    print(f"altered: {caught} of 50 caught; others: {len(flagged)} of 50 flagged")
    assert caught == 50
    assert flagged == []


@pytest.mark.parametrize(
    "text", ["“" * 30_000, '"a b c d ' * 8_000, "§ 1(a) " * 8_000, "(a) " * 20_000, "[x] ... " * 8_000]
)
def test_hostile_texts_cost_little(text: str) -> None:
    started = time.process_time()
    verdicts(text[:60_000], [{"id": "x", "text": text[:60_000]}])
    assert time.process_time() - started < 10
