"""How verdicts count towards the Knowledge Index, what counts as evidence, and how failures are reported."""

from __future__ import annotations

import dataclasses
import logging
import math

import pytest

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.chain import Chain
from stepgauge.metrics.errors import Missing
from stepgauge.metrics.ki import ki, ki_coverage, ki_paper, n_failed
from stepgauge.metrics.knowledge.assess import assess
from stepgauge.metrics.knowledge.base import ClaimExtractor
from stepgauge.metrics.knowledge.policy import POLICIES
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.trace import Step

FOUND = (Passage("ref-1", "Insulin is made by beta cells.", score=2.0),)
NOTHING = ()


def verdict(label: str | None, evidence=FOUND, kind: str = "sentence") -> Verdict:
    query = None if kind == "equation" else "insulin"
    claim = Claim("insulin", 0, 0, 7, kind, query)
    return Verdict(claim, label, "judge", evidence=evidence, error=None if label else "TimeoutError: 30 s")


@pytest.mark.parametrize(
    ("label", "evidence", "default", "strict", "lenient"),
    [
        ("supported", FOUND, "consistent", "consistent", "consistent"),
        ("contradicted", FOUND, "inconsistent", "inconsistent", "inconsistent"),
        ("insufficient", FOUND, "inconsistent", "inconsistent", "uncheckable"),
        ("supported", NOTHING, "uncheckable", "inconsistent", "uncheckable"),
        ("contradicted", NOTHING, "uncheckable", "inconsistent", "uncheckable"),
        ("insufficient", NOTHING, "uncheckable", "inconsistent", "uncheckable"),
        (None, FOUND, "unscored", "unscored", "unscored"),
        (None, NOTHING, "unscored", "unscored", "unscored"),
    ],
)
def test_what_a_verdict_on_a_claim_that_needs_evidence_counts_as(label, evidence, default, strict, lenient):
    outcomes = {name: policy.outcome(verdict(label, evidence)) for name, policy in POLICIES.items()}
    # `paper` differs in what a step counts as that nobody can check.
    assert outcomes == {"default": default, "strict": strict, "lenient": lenient, "paper": default}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
@pytest.mark.parametrize(
    ("label", "outcome"),
    [("supported", "consistent"), ("contradicted", "inconsistent"), ("insufficient", "uncheckable")],
)
def test_equations_need_no_evidence_and_count_alike_under_every_policy(policy, label, outcome):
    assert policy.outcome(verdict(label, NOTHING, "equation")) == outcome


def test_the_index_follows_the_chains_policy():
    steps = [[verdict("supported")], [verdict("insufficient")], [verdict("contradicted", NOTHING)], []]
    measured = {}
    for name, policy in POLICIES.items():
        chain = Chain(Trace("q", "r"), [Step("r", 0, 1)] * 4, verdicts=steps, policy=policy)
        measured[name] = (ki(chain), ki_coverage(chain), ki_paper(chain))
    assert measured == {
        "default": (1 / 2, 2 / 4, 3 / 4),
        "strict": (1 / 3, 3 / 4, 2 / 4),
        "lenient": (1.0, 1 / 4, 1.0),
        "paper": (3 / 4, 2 / 4, 3 / 4),
    }


# --- evidence


WORDS = ClaimExtractor(
    "words",
    lambda traces, _: [[Claim(word, 0, 0, 1, "sentence", word) for word in trace.response.split()] for trace in traces],
)


class Shelf:
    """Finds for each word the passages whose scores are given."""

    name = "shelf"

    def __init__(self, scores, floor=None):
        self.scores = scores
        if floor is not None:
            self.floor = floor

    def retrieve(self, claims, traces):  # noqa: ARG002
        return [[Passage(f"{c.text}-{s}", "text", score=s) for s in self.scores.get(c.text, [])] for c in claims]


class Judge:
    def __init__(self, name, needs_evidence=True, label="supported"):
        self.name, self.needs_evidence, self.label, self.kinds, self.asked = name, needs_evidence, label, None, []

    def judge(self, claims, evidence):
        self.asked += [(c.text, [p.id for p in found]) for c, found in zip(claims, evidence, strict=True)]
        return [
            Verdict(c, self.label, self.name, evidence=tuple(found)) if self.label else None
            for c, found in zip(claims, evidence, strict=True)
        ]


def judged(text, judges, retriever):
    steps = [[Step(text, 0, len(text))]]
    return {
        v.claim.text: v
        for v in assess([Trace("q", text)], steps, extractors=[WORDS], judges=judges, retriever=retriever)[0][0]
    }


def test_passages_below_the_retrievers_floor_are_no_evidence():
    judge = Judge("careful")
    retriever = Shelf({"a": [3.0, 1.0], "b": [0.5], "c": [None]}, floor=1.0)
    found = judged("a b c", [judge], retriever)
    assert judge.asked == [("a", ["a-3.0", "a-1.0"]), ("c", ["c-None"])]
    assert (found["b"].label, found["b"].judge, found["b"].evidence) == ("insufficient", "careful", ())
    assert POLICIES["default"].outcome(found["b"]) == "uncheckable"


def test_a_retriever_without_a_floor_keeps_all_passages():
    judge = Judge("careful")
    judged("a", [judge], Shelf({"a": [-7.0]}))
    assert judge.asked == [("a", ["a--7.0"])]


def test_a_claim_without_evidence_goes_on_to_a_judge_that_needs_none():
    careful, knowing = Judge("careful"), Judge("knowing", needs_evidence=False, label="contradicted")
    found = judged("a b", [careful, Judge("careful too"), knowing], Shelf({"a": [1.0]}))
    assert {text: (v.judge, v.label) for text, v in found.items()} == {
        "a": ("careful", "supported"),
        "b": ("knowing", "contradicted"),
    }
    undecided = judged("b", [careful, Judge("knowing", needs_evidence=False, label=None)], Shelf({}))["b"]
    assert (undecided.judge, undecided.label, undecided.error) == ("careful", "insufficient", None)


# --- in a gauge


@pytest.fixture
def gauge_of(monkeypatch):
    """A gauge whose judge `stub` fails on the word "down" and else answers with the option `label`."""
    from stepgauge.metrics import gauge as module

    known = module.registry()

    class Stub(Judge):
        def judge(self, claims, evidence):
            verdicts = super().judge(claims, evidence)
            return [
                Verdict(c, None, self.name, error="TimeoutError: 30 s") if c.text == "down" else v
                for c, v in zip(claims, verdicts, strict=True)
            ]

    def make(_, *, label="supported"):
        return Stub("stub", label=label)

    fitted = dataclasses.replace(
        known,
        extractors={**known.extractors, "words": lambda _: WORDS},
        judges={**known.judges, "stub": make},
        retrievers={**known.retrievers, "shelf": lambda _: Shelf({"a": [1.0], "down": [1.0]})},
    )
    monkeypatch.setattr(module, "registry", lambda: fitted)

    def build(label="supported", **options):
        return Gauge(
            scorer=None,
            claims=["words"],
            judges=[{"name": "stub", "label": label}],
            retriever="shelf",
            splitter="lines",
            **options,
        )

    return build


@pytest.mark.parametrize(("policy", "value"), [("default", 0.0), ("strict", 0.0), ("lenient", math.nan)])
def test_the_gauges_policy_decides_how_unsupported_claims_count(gauge_of, policy, value):
    (score,) = gauge_of("insufficient", policy=policy).score([Trace("q", "a")])
    assert score.ki == pytest.approx(value, nan_ok=True)
    assert score.provenance["policy"] == policy


def test_an_unknown_policy_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="unknown policy 'lenien'; did you mean 'lenient'"):
        Gauge(scorer=None, policy="lenien")


def test_failed_claims_are_counted_and_a_run_with_many_says_which_error(gauge_of, caplog):
    with caplog.at_level(logging.WARNING):
        scores = gauge_of().score([Trace("q", "a a down"), Trace("q", "a"), Trace("q", "down down")])
    assert [score.metrics["n_failed"] for score in scores] == [1, 0, 2]
    (message,) = [record.getMessage() for record in caplog.records if "left unscored" in record.getMessage()]
    assert message == (
        "3 of 6 claims (50 %) are left unscored, and KI is missing for their chains; most often (3×): "
        "stub: TimeoutError: 30 s"
    )


@pytest.mark.parametrize(("good", "warned"), [(19, False), (18, True)])
def test_the_warning_begins_above_five_percent(gauge_of, caplog, good, warned):
    with caplog.at_level(logging.WARNING):
        gauge_of().score([Trace("q", "a " * good + "down")])
    assert any("left unscored" in record.getMessage() for record in caplog.records) == warned


def test_without_claims_nothing_failed_and_without_judging_the_count_is_missing(caplog):
    with caplog.at_level(logging.WARNING):
        (score,) = Gauge(scorer=None).score([Trace("q", "hello")])
    assert score.metrics["n_failed"] == 0
    assert not caplog.records
    with pytest.raises(Missing, match="knowledge was not judged"):
        n_failed(Chain(Trace("q", "r"), [Step("r", 0, 1)]))


@pytest.mark.parametrize(
    ("policy", "insufficient", "warned"),
    [("lenient", 0.0, False), ("lenient", 0.2, False), ("default", 0.0, False), ("lenient", None, True)],
)
def test_judge_that_cannot_make_a_claim_inconsistent_is_told_of(policy, insufficient, warned, caplog):
    """Two labels are enough where one is "contradicted"; "supported" and "insufficient" are not under `lenient`."""
    if insufficient is None:
        judge = Judge("one-sided")
        judge.labels = frozenset({"supported", "insufficient"})
    else:
        judge = {"name": "lm", "insufficient": insufficient}
    Gauge(scorer=None, judges=[judge], policy=policy)
    said = (
        "policy 'lenient': judge 'one-sided' never says 'contradicted', so no claim that it judges can be inconsistent"
    )
    assert (said in caplog.text) == warned
    assert ("never says" in caplog.text) == warned
