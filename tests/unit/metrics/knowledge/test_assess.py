"""The judging panel and the Knowledge Index."""

from __future__ import annotations

import logging

import pytest

from stepgauge.metrics import Gauge, builtin
from stepgauge.metrics.chain import Chain
from stepgauge.metrics.errors import Missing
from stepgauge.metrics.ki import KI_METRICS
from stepgauge.metrics.knowledge.arithmetic.judge import ExactJudge
from stepgauge.metrics.knowledge.assess import assess
from stepgauge.metrics.knowledge.base import ClaimExtractor, Surroundings
from stepgauge.metrics.knowledge.policy import DEFAULT
from stepgauge.metrics.knowledge.types import Claim, ExtractionFailed, Passage, Verdict
from stepgauge.metrics.score import arithmetic_only
from stepgauge.metrics.trace import Step, Trace


def words_of_kind(kind: str, query: str | None = None) -> ClaimExtractor:
    """An extractor that makes a claim of each word."""

    def extract(_, steps):
        return [
            [
                Claim(word, i, step.start, step.end, kind, query)
                for i, step in enumerate(own)
                for word in step.text.split()
            ]
            for own in steps
        ]

    return ClaimExtractor(f"words-{kind}", extract)


class StubJudge:
    """Answers each claim with what `answers` says of its text; records what it was shown."""

    def __init__(self, name="stub", kinds=None, needs_evidence=False, answers=None, default="supported"):
        self.name = name
        self.kinds = None if kinds is None else frozenset(kinds)
        self.needs_evidence = needs_evidence
        self.answers = answers or {}
        self.default = default
        self.calls = []

    def judge(self, claims, evidence):
        self.calls.append(
            [(claim.text, [p.id for p in passages]) for claim, passages in zip(claims, evidence, strict=True)]
        )
        labels = [self.answers.get(claim.text, self.default) for claim in claims]
        return [
            None if label is None else Verdict(claim, label, self.name, evidence=tuple(passages))
            for claim, label, passages in zip(claims, labels, evidence, strict=True)
        ]


class StubRetriever:
    name = "shelf"

    def __init__(self):
        self.calls = []

    def retrieve(self, claims, traces):
        self.calls.append([(claim.text, trace.id) for claim, trace in zip(claims, traces, strict=True)])
        return [[Passage(f"about {claim.text}", "…")] for claim in claims]


def chains(*responses: str) -> tuple[list[Trace], list[list[Step]]]:
    """One trace per response; its lines are its steps."""
    traces, steps = [], []
    for n, response in enumerate(responses):
        traces.append(Trace("q", response, id=str(n)))
        position, own = 0, []
        for line in response.split("\n"):
            own.append(Step(line, position, position + len(line)))
            position += len(line) + 1
        steps.append(own)
    return traces, steps


def run(responses, extractors, judges, retriever=None):
    traces, steps = chains(*responses)
    return assess(traces, steps, extractors=extractors, judges=judges, retriever=retriever)


def labels(result):
    return [[[verdict.label for verdict in step] for step in chain] for chain in result]


def test_claims_of_all_traces_reach_a_judge_in_one_call_and_verdicts_return_to_their_steps():
    judge = StubJudge(answers={"b": "contradicted"})
    result = run(["a b\nc", "", "d"], [words_of_kind("w")], [judge])
    assert len(judge.calls) == 1
    assert [text for text, _ in judge.calls[0]] == ["a", "b", "c", "d"]
    assert labels(result) == [[["supported", "contradicted"], ["supported"]], [[]], [["supported"]]]


def test_a_judge_sees_only_claims_of_its_kinds_that_those_before_it_left():
    first = StubJudge("first", kinds={"w"}, answers={"a": None})
    second = StubJudge("second")
    result = run(["a b"], [words_of_kind("w"), words_of_kind("other")], [first, second])
    assert [text for text, _ in first.calls[0]] == ["a", "b"]
    assert [text for text, _ in second.calls[0]] == ["a", "a", "b"]
    assert sorted((v.claim.text, v.claim.kind, v.judge) for v in result[0][0]) == [
        ("a", "other", "second"),
        ("a", "w", "second"),
        ("b", "other", "second"),
        ("b", "w", "first"),
    ]


def test_retrieval_is_one_batch_for_the_claims_that_judges_with_evidence_see():
    retriever = StubRetriever()
    cheap = StubJudge("cheap", answers={"b": None, "c": None}, default="supported")
    careful = StubJudge("careful", needs_evidence=True, answers={"c": None})
    last = StubJudge("last", needs_evidence=True)
    result = run(["a b", "c"], [words_of_kind("w")], [cheap, careful, last], retriever)
    assert retriever.calls == [[("b", "0"), ("c", "1")]]
    assert careful.calls == [[("b", ["about b"]), ("c", ["about c"])]]
    assert last.calls == [[("c", ["about c"])]]
    assert cheap.calls[0][0] == ("a", [])
    assert [p.id for p in result[0][0][1].evidence] == ["about b"]


def test_no_retrieval_without_a_judge_that_needs_it():
    retriever = StubRetriever()
    run(["a"], [words_of_kind("w")], [StubJudge()], retriever)
    assert retriever.calls == []


def test_a_claim_no_judge_takes_says_so():
    ((verdict,),) = run(["a"], [words_of_kind("w")], [ExactJudge()])[0]
    assert verdict.label is None
    assert verdict.error == "no judge takes this claim of kind 'w' (judges asked: exact)"


def test_what_no_judge_takes_is_uncheckable_and_leaves_ki_to_the_others(caplog):
    chain = Trace("q", "3 + 4 = 7.\nThe Danube flows into the Black Sea.\n3 + 4 = 8.")
    gauge = Gauge(scorer=None, claims=["arithmetic", "sentence"], judges=["exact"], splitter="lines")
    (score,) = gauge.score([chain])
    assert {v.judge for step in score.steps for v in step.verdicts} == {"exact", "none"}
    assert (score.ki, score.ki_coverage, score.metrics["n_failed"]) == (0.5, 2 / 3, 0)
    assert score.ki_paper == pytest.approx(2 / 3)
    assert arithmetic_only([score])
    assert "checked" not in caplog.text
    (score,) = Gauge(scorer=None, claims=["sentence"], judges=["exact"]).score([chain])
    assert (score.missing["ki"], score.ki_coverage, score.metrics["n_failed"]) == ("no checkable step", 0, 0)
    assert "not one of 1 claims is checked: no judge takes this claim of kind 'sentence' (judges asked: exact)" in (
        caplog.text
    )


def test_a_judge_that_needs_evidence_fails_without_a_retriever():
    ((verdict,),) = run(["a"], [words_of_kind("w")], [StubJudge("careful", needs_evidence=True)])[0]
    assert (verdict.label, verdict.judge) == (None, "careful")
    assert "no retriever was given" in verdict.error


class Outage:
    name = "remote"
    kinds = None
    needs_evidence = False

    def __init__(self, behave):
        self.behave = behave

    def judge(self, claims, _):
        return self.behave(claims)


def _raise(*_):
    raise ConnectionError("no route to the judge")


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (_raise, "ConnectionError: no route to the judge"),
        (lambda _: [], "TypeError: expected a verdict or None for each of 2 claims, got []"),
        (lambda _: None, "TypeError: expected a verdict or None for each of 2 claims, got None"),
        (lambda _: [True, True], "judge 'remote' gave True, expected a Verdict or None"),
        (
            lambda claims: [Verdict(claim, "supported", "remote") for claim in reversed(claims)],
            "judge 'remote' was asked about {this!r}, and gave a verdict on {other!r}",
        ),
    ],
)
def test_a_judge_that_fails_leaves_its_claims_without_label_and_the_rest_goes_on(behave, error, caplog):
    first = StubJudge("first", answers={"a": None, "b": None})
    with caplog.at_level(logging.WARNING):
        result = run(["a c\nb"], [words_of_kind("w")], [first, Outage(behave), StubJudge("never")])
    by_text = {v.claim.text: v for step in result[0] for v in step}
    assert by_text["c"].label == "supported"
    for this, other in ("ab", "ba"):
        said = error.format(this=this, other=other)
        assert (by_text[this].label, by_text[this].judge, by_text[this].error) == (None, "remote", said)
    assert len([r for r in caplog.records if "judge 'remote' failed" in r.message]) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_raise, "ConnectionError: no route to the judge"),
        (lambda *_: [], "TypeError: expected a list of passages for each of 1 claims, got []"),
        (lambda *_: ["text"], "retriever 'shelf' gave 'text', expected a list of Passage"),
    ],
)
def test_a_retriever_that_fails_leaves_its_claims_without_label(answer, error):
    retriever = StubRetriever()
    retriever.retrieve = answer
    exact = StubJudge("exact", kinds={"x"})
    judges = [exact, StubJudge("careful", needs_evidence=True)]
    result = run(["a"], [words_of_kind("w"), words_of_kind("x")], judges, retriever)
    found = {v.claim.kind: v for v in result[0][0]}
    assert found["x"].label == "supported"
    assert (found["w"].label, found["w"].judge, found["w"].error) == (None, "careful", error)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_raise, "ConnectionError: no route to the judge"),
        (lambda *_: [], "TypeError: expected a list of claims for each of 2 traces, got []"),
    ],
)
def test_an_extractor_that_fails_marks_every_step_and_the_other_extractors_go_on(answer, error):
    broken = ClaimExtractor("broken", answer)
    result = run(["a\nb", "c"], [broken, words_of_kind("w")], [StubJudge()])
    for step in (step for chain in result for step in chain):
        assert {(v.label, v.error) for v in step} == {(None, error), ("supported", None)}
        assert {v.judge for v in step} == {"broken", "stub"}


@pytest.mark.parametrize(
    ("given", "error", "failed"),
    [
        ("a", "gave 'a', expected a Claim or ExtractionFailed", [True, True, False]),
        (Claim("a", 7, 0, 1, "w"), "gave a claim of step 7, but the chain has 2 steps", [True, True, False]),
        (Claim("a", 1, "here", 1, "w"), "gave a claim from 'here' to 1, expected two places", [False, True, False]),
        (Claim(b"a", 0, 0, 1, "w"), "gave a claim whose text is b'a', expected text", [True, False, False]),
        (ExtractionFailed(1, {"why": "?"}), "gave a failure whose reason is {'why': '?'}", [False, True, False]),
    ],
)
def test_what_is_no_claim_costs_its_step_or_its_chain_and_no_other(given, error, failed):
    broken = ClaimExtractor("broken", lambda *_: [[given, Claim("a", 0, 0, 1, "w")], [Claim("c", 0, 0, 1, "w")]])
    first, second, third = (step for chain in run(["a\nb", "c"], [broken], [StubJudge()]) for step in chain)
    found = [[verdict.error for verdict in step if verdict.error] for step in (first, second, third)]
    assert [bool(errors) for errors in found] == failed
    assert all(f"claim extractor 'broken' {error}" in why for errors in found for why in errors)
    assert [verdict.label for verdict in third] == ["supported"]


def test_equations_are_judged_through_the_panel():
    result = run(["3 + 4 = 7\n3 + 4 = 8\nhello"], [builtin.ARITHMETIC], [ExactJudge()])
    assert labels(result) == [[["supported"], ["contradicted"], []]]


def test_the_exact_judge_is_registered_and_takes_no_options():
    judges, extractors = {}, {}
    builtin.register_judges(judges.__setitem__)
    builtin.register_claim_extractors(extractors.__setitem__)
    assert extractors["arithmetic"](Surroundings(_raise)) is builtin.ARITHMETIC
    assert judges["exact"](Surroundings(_raise)).name == "exact"
    with pytest.raises(ValueError, match="judge 'exact': unknown option 'threshold'"):
        Gauge(scorer=None, judges=[{"name": "exact", "threshold": 1}])


# --- the index


def verdicts(*labels_: str | None) -> list[Verdict]:
    claim = Claim("a", 0, 0, 1, "w")
    return [
        Verdict(claim, None, "none", error="no judge takes this claim")
        if label == "nobody's"
        else Verdict(claim, label, "judge", error="TimeoutError: 30 s" if label is None else None)  # type: ignore[arg-type]
        for label in labels_
    ]


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (["supported"], "consistent"),
        (["supported", "insufficient"], "consistent"),
        (["supported", "contradicted"], "inconsistent"),
        (["contradicted", None], "inconsistent"),
        (["supported", None], "unscored"),
        (["insufficient", None], "unscored"),
        (["insufficient"], "uncheckable"),
        ([], "uncheckable"),
        (["nobody's"], "uncheckable"),
        (["nobody's", "supported"], "consistent"),
        (["nobody's", "contradicted"], "inconsistent"),
        (["nobody's", None], "unscored"),
    ],
)
def test_a_step_is_as_good_as_its_worst_claim(given, outcome):
    assert DEFAULT.step(verdicts(*given)) == outcome


def value(name: str, *steps: list[str | None]):
    """The metric, or the reason why it is missing."""
    chain = Chain(
        trace=Trace("q", "r"),
        steps=[Step("r", 0, 1)] * len(steps),
        verdicts=[verdicts(*labels_) for labels_ in steps],
    )
    return measure(name, chain)


def measure(name: str, chain: Chain):
    (metric,) = [metric for metric in KI_METRICS if metric.name == name]
    try:
        return metric.compute(chain)
    except Missing as missing:
        return missing.reason


GOOD, BAD, OPEN, FAILED = ["supported"], ["contradicted"], ["insufficient"], [None]


@pytest.mark.parametrize(
    ("steps", "ki", "coverage", "paper"),
    [
        ([GOOD, BAD, OPEN, []], 0.5, 0.5, 0.75),
        ([GOOD, GOOD, BAD], 2 / 3, 1.0, 2 / 3),
        ([BAD, []], 0.0, 0.5, 0.5),
        ([[], OPEN], "no checkable step", 0.0, 1.0),
        ([["contradicted", None], GOOD], 0.5, 1.0, 0.5),
        ([GOOD, BAD, ["nobody's"], ["nobody's", "supported"]], 2 / 3, 3 / 4, 3 / 4),
        ([["nobody's"]], "no checkable step", 0.0, 1.0),
    ],
)
def test_the_index_its_coverage_and_the_published_rule(steps, ki, coverage, paper):
    assert value("ki", *steps) == ki
    assert value("ki_coverage", *steps) == pytest.approx(coverage)
    assert value("ki_paper", *steps) == pytest.approx(paper)


@pytest.mark.parametrize("name", ["ki", "ki_coverage", "ki_paper"])
def test_an_outage_is_missing_and_neither_0_nor_1(name):
    assert value(name, FAILED, FAILED) == "2 of 2 steps could not be judged: judge: TimeoutError: 30 s (2×)"


@pytest.mark.parametrize("name", ["ki", "ki_coverage", "ki_paper"])
@pytest.mark.parametrize("others", [[GOOD], [BAD, []], [[]], [["supported", None]]])
def test_one_step_that_was_not_judged_leaves_every_share_of_the_steps_missing(name, others):
    assert value(name, *others, FAILED).endswith(
        "steps could not be judged: judge: TimeoutError: 30 s" + (" (2×)" if others == [["supported", None]] else "")
    )


def test_of_many_errors_the_three_most_frequent_are_named():
    claim = Claim("a", 0, 0, 1, "w")
    errors = [["d"], ["c", "c"], ["a", "b", "a", "b", "a", "b", "b"]]
    failed = [[Verdict(claim, None, "j", error=error) for error in step] for step in errors]
    chain = Chain(trace=Trace("q", "r"), steps=[Step("r", 0, 1)] * 3, verdicts=failed)
    assert measure("ki", chain) == "3 of 3 steps could not be judged: j: b (4×); j: a (3×); j: c (2×)"


@pytest.mark.parametrize("name", ["ki", "ki_coverage", "ki_paper"])
def test_without_steps_or_judging_the_index_is_missing(name):
    assert value(name) == "no steps"
    chain = Chain(trace=Trace("q", "r"), steps=[Step("r", 0, 1)])
    assert measure(name, chain) == "knowledge was not judged"


def test_higher_is_better_for_the_index_and_undefined_for_its_coverage():
    assert {m.name: m.higher_is_better for m in KI_METRICS} == {"ki": True, "ki_paper": True, "ki_coverage": None}
