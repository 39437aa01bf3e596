"""Supported, contradicted and not covered: three numbers of the claims judged by evidence, beside ki."""

from __future__ import annotations

import math

import pytest

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.columns import EVIDENCE_COLUMNS, table_columns
from stepgauge.metrics.conclusion import Conclusion
from stepgauge.metrics.knowledge.policy import POLICIES
from stepgauge.metrics.knowledge.types import Passage, Verdict
from stepgauge.metrics.render import chain_table

TRACE = Trace(
    "Q?",
    "Insulin lowers glucose (right).\nInsulin raises glucose (wrong).\nInsulin has a colour (open).\n"
    "Glucagon raises glucose (right).\n3 * 4 = 12",
)


class Reads:
    name = "reads"
    kinds = frozenset({"sentence"})
    needs_evidence = True

    def judge(self, claims, evidence):
        labels = {"right": "supported", "wrong": "contradicted", "open": "insufficient"}
        return [
            None
            if "passed" in claim.text
            else Verdict(claim, None, self.name, error="down", evidence=tuple(passages))
            if "broken" in claim.text
            else Verdict(claim, labels[claim.text.split("(")[1].split(")")[0]], self.name, evidence=tuple(passages))
            for claim, passages in zip(claims, evidence, strict=True)
        ]


class Finds:
    name = "finds"

    def retrieve(self, claims, traces):  # noqa: ARG002
        return [[Passage("p", "text")] if "Insulin" in claim.query else [] for claim in claims]


def score(trace: Trace, **options):
    given = {"claims": ["arithmetic", "sentence"], "judges": ["exact", Reads()], "retriever": Finds(), **options}
    with Gauge(scorer=None, splitter="lines", **given) as gauge:
        return gauge.score([trace])[0], gauge.metric_info()


@pytest.mark.parametrize(("policy", "ki"), [("default", 2 / 4), ("strict", 2 / 5), ("lenient", 2 / 3)])
def test_the_three_are_the_same_under_every_policy_and_leave_equations_out(policy, ki):
    found, _ = score(TRACE, policy=policy)
    shares = [found.metrics[name] for name in EVIDENCE_COLUMNS]
    # Of four sentences one each, and one that no passage was found for: supported, but from memory.
    assert shares == [0.25, 0.25, 0.5]
    assert found.ki == pytest.approx(ki)
    table = " ".join(chain_table(found, width=80).split())
    assert "claims by evidence: supported 0.250 contradicted 0.250 not covered 0.500" in table
    assert f"ki, {POLICIES[policy].in_words()}" in table


def test_they_are_missing_where_no_claim_that_needs_evidence_was_judged():
    for response in ("3 * 4 = 12", "Insulin is (passed) on to nobody."):
        found, _ = score(Trace("Q?", response))
        for name in EVIDENCE_COLUMNS:
            assert math.isnan(found.metrics[name])
            assert found.missing[name] == "no claim that needs evidence was judged"


def test_a_failed_judge_leaves_them_missing_with_its_error():
    found, _ = score(Trace("Q?", f"{TRACE.response}\nInsulin is (broken) here."))
    assert math.isnan(found.metrics["claims_supported"])
    assert found.missing["claims_supported"] == "1 of 6 claims could not be judged: reads: down"


def test_tables_have_them_only_where_a_judge_needs_evidence():
    _, with_evidence = score(TRACE)
    _, equations = score(TRACE, judges=["exact"], retriever=None)
    assert not set(EVIDENCE_COLUMNS) & set(equations)
    assert table_columns(with_evidence, has_scorer=False) == ["ki", "ki_coverage", *EVIDENCE_COLUMNS]
    assert table_columns(with_evidence)[-3:] == list(EVIDENCE_COLUMNS)
    assert table_columns(equations, has_scorer=False) == ["ki", "ki_coverage"]


def test_the_conclusion_says_all_three_and_the_policy():
    found, _ = score(TRACE)
    conclusion = Conclusion()
    conclusion.add(found, question="1")
    said = " ".join(conclusion.sentences())
    assert (
        "25% are supported, 25% contradicted, 50% not covered (ki, policy default: what is not covered counts" in said
    )
