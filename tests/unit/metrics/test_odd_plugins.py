"""What a plugin's part gives that is none of what it must give, or changes of what it was given, costs itself.

Through `stepgauge score` in this process, so that it is what files hold.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plugin_modules import PARTS, REGISTERED, WHOSE, installed, plugin_module
from scoring import rows, score, traces, write_jsonl

ODD = """
import dataclasses, math
import numpy
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.likelihood import SpanScore, Unscored

@dataclasses.dataclass(frozen=True)
class Richer(Verdict):
    raw: object = object()

@dataclasses.dataclass(frozen=True)
class RicherPassage(Passage):
    raw: object = object()

@dataclasses.dataclass(frozen=True)
class RicherClaim(Claim):
    raw: object = object()

class Raises:
    def __eq__(self, other):
        raise SystemExit(0)
    def __repr__(self):
        raise SystemExit(0)
    __hash__ = None

CHANGED = []

def emptied(things):
    if hasattr(things, "clear"):
        things.clear()
    CHANGED.append(things)

class Part:
    kinds = None
    needs_traces = False
    def __init__(self, name):
        self.name = name
        self.needs_evidence = name == "judge"

class OddJudge(Part):
    needs_traces = True
    def judge(self, claims, evidence, traces):
        def verdict(label, **more):
            return Verdict(claim, label, "odd", **{"evidence": tuple(found), **more})
        out = []
        for claim, found, trace in zip(list(claims), list(evidence), list(traces)):
            out.append(VERDICT)
        return out

class OddRetriever(Part):
    def retrieve(self, claims, traces):
        return [PASSAGES for claim, trace in zip(list(claims), list(traces))]

class OddExtractor(Part):
    def extract(self, traces, steps):
        return [CLAIMS for trace, own in zip(list(traces), list(steps))]

class OddBackend:
    def __init__(self, *_, **__):
        pass
    def score(self, groups, done):
        return [[SPAN for request in group] for group in groups]
    def too_long(self, request):
        return None
    def render_chat(self, messages):
        return ""
    def describe(self):
        return {"scorer": "odd"}
    def close(self):
        pass

@hookimpl
def register_chain_metrics(register):
    register(ChainMetric("odd", lambda chain: METRIC))
    register(ChainMetric("after", lambda chain: len(chain.steps)))
"""
GOOD = {
    "VERDICT": "verdict('supported', probability=0.5)",
    "PASSAGES": "[Passage('p', 'text', score=1.5)]",
    "CLAIMS": "[Claim('one', 0, 0, 1, 'odd', 'one')]",
    "METRIC": "1.5",
    "SPAN": "SpanScore(-1.0, 1, 1)",
}


def run(folder: Path, **given: str) -> list[dict]:
    """The scores of three chains, read as strict JSON, with a plugin that gives this instead of what is good."""
    body = ODD
    for name, expression in {**GOOD, **given}.items():
        body = body.replace(name, expression)
    plugin_module(folder, body + REGISTERED)
    source = write_jsonl(folder / "in.jsonl", traces(3))
    with installed(folder):
        sets = [word for option in ("scorer=any", "backend=backend", *PARTS) for word in ("--set", option)]
        assert score(source, *sets, "--out", folder / "out", cheap=False) == 0
    for line in (folder / "out" / "scores.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda constant: pytest.fail(f"no strict JSON: {constant}"))
    found = [row["score"] for row in rows(folder / "out")]
    assert len(found) == 3
    assert [row["failed"] for row in rows(folder / "out")] == [None] * 3
    return found


def odd_verdict(score: dict) -> dict:
    verdicts = [verdict for step in score["steps"] for verdict in step["verdicts"]]
    assert [verdict["label"] for verdict in verdicts if verdict["judge"] == "exact"] == ["supported"]
    (found,) = [verdict for verdict in verdicts if verdict["judge"] != "exact"]
    return found


def test_what_is_good_is_taken(tmp_path):
    for one in run(tmp_path):
        assert (odd_verdict(one)["label"], odd_verdict(one)["probability"]) == ("supported", 0.5)
        assert odd_verdict(one)["evidence"] == [{"id": "p", "text": "text", "title": "", "score": 1.5}]
        assert (one["metrics"]["ki"], one["metrics"]["odd"], one["metrics"]["infogain_nats"]) == (1, 1.5, 0)


VERDICTS = {
    "verdict('maybe')": "gave the label 'maybe', expected supported, contradicted, insufficient or None",
    "verdict('Supported')": "gave the label 'Supported'",
    "verdict(True)": "gave the label True",
    "verdict(b'supported')": "gave the label b'supported'",
    "verdict(['supported'])": "gave the label ['supported']",
    "verdict(numpy.array(['supported', 'x']))": "gave a Verdict that cannot be read: ValueError",
    "verdict(Raises())": "gave a Verdict that cannot be read: it called sys.exit(0)",
    "verdict('supported', probability=-5)": "gave the probability -5, expected a number from 0 to 1 or None",
    "verdict('supported', probability=1.5)": "gave the probability 1.5",
    "verdict('supported', probability=math.nan)": "gave the probability nan",
    "verdict('supported', probability=math.inf)": "gave the probability inf",
    "verdict('supported', probability='high')": "gave the probability 'high'",
    "verdict('supported', probability=True)": "gave the probability True",
    "verdict('supported', probability=10**400)": "gave the probability 1000",
    "verdict('supported', probability=10**5000)": "gave a Verdict that cannot be read: ValueError",
    "verdict('supported', reason=b'because')": "gave a verdict whose reason is b'because', expected text",
    "verdict('supported', reason=None)": "gave a verdict whose reason is None, expected text",
    "verdict('supported', reason={'a': 1})": "gave a verdict whose reason is {'a': 1}, expected text",
    "verdict('supported', evidence=None)": "gave None, expected a list of Passage",
    "verdict('supported', evidence=['p'])": "gave 'p', expected a Passage",
    "verdict('supported', evidence=[Passage(7, 'text')])": "gave a passage whose id is 7, expected text",
    "verdict(None, error=b'down')": "gave a verdict whose error is b'down', expected text",
    "Verdict(claim, 'supported', None)": "gave a verdict whose judge is None, expected text",
    "Verdict(claim, None, 'none', error='x')": "gave a verdict in the name of 'none'",
    "Verdict(dataclasses.replace(claim, text='two'), 'supported', 'odd')": "was asked about 'one', and gave",
    "Verdict('one', 'supported', 'odd')": "was asked about 'one', and gave a verdict on None",
    "'supported'": "gave 'supported', expected a Verdict or None",
    "1.0": "gave 1.0, expected a Verdict or None",
    "Raises()": "gave a Raises that cannot be read: it called sys.exit(0)",
}


@pytest.mark.parametrize("given", VERDICTS)
def test_verdict_that_is_none_leaves_its_claim_unscored_and_is_named(tmp_path, given):
    for one in run(tmp_path, VERDICT=given):
        found = odd_verdict(one)
        assert found["error"].startswith(f"judge 'judge' of {WHOSE} {VERDICTS[given]}")
        assert (found["label"], found["probability"], found["judge"]) == (None, None, "judge")
        assert [one["metrics"][name] for name in ("ki", "ki_paper", "ki_coverage")] == [None] * 3
        assert one["missing"]["ki"].startswith("1 of 3 steps could not be judged: ")
        assert (one["metrics"]["n_failed"], one["metrics"]["odd"]) == (1, 1.5)


PASSAGES = {
    "None": "gave None, expected a list of Passage",
    "'text'": "gave 'text', expected a list of Passage",
    "['text']": "gave 'text', expected a Passage",
    "[Passage('p', 'text', score=math.nan)]": "gave a passage whose score is nan, expected a number or None",
    "[Passage('p', 'text', score=math.inf)]": "gave a passage whose score is inf",
    "[Passage('p', 'text', score='high')]": "gave a passage whose score is 'high'",
    "[Passage('p', b'text')]": "gave a passage whose text is b'text', expected text",
    "[Passage('p', 'text', title=None)]": "gave a passage whose title is None, expected text",
    "[Passage('p', Raises())]": "gave a list that cannot be read: it called sys.exit(0)",
}


@pytest.mark.parametrize("given", PASSAGES)
def test_passages_that_are_none_leave_their_claim_unscored_and_are_named(tmp_path, given):
    for one in run(tmp_path, PASSAGES=given):
        assert odd_verdict(one)["error"].startswith(f"retriever 'retriever' of {WHOSE} {PASSAGES[given]}")
        assert (one["metrics"]["ki"], one["metrics"]["n_failed"], one["metrics"]["odd"]) == (None, 1, 1.5)


CLAIMS = {
    "[Claim('one', 0, -1, 1, 'odd')]": "gave a claim from -1 to 1, expected two places in the response",
    "[Claim('one', 0, 0, 10**6, 'odd')]": "gave a claim from 0 to 1000000, expected two places in the response",
    "[Claim('one', 0, 0, 1, None)]": "gave a claim whose kind is None, expected text",
    "[Claim('one', 0, 0, 1, 'odd', 7)]": "gave a claim whose query is 7, expected text",
    "[Claim(Raises(), 0, 0, 1, 'odd')]": "gave a Claim that cannot be read: it called sys.exit(0)",
}


@pytest.mark.parametrize("given", CLAIMS)
def test_claim_that_is_none_costs_its_step_and_is_named(tmp_path, given):
    for one in run(tmp_path, CLAIMS=given):
        assert odd_verdict(one)["error"].startswith(f"claim extractor 'extractor' of {WHOSE} {CLAIMS[given]}")
        assert (one["metrics"]["ki"], one["metrics"]["n_failed"], one["metrics"]["odd"]) == (None, 1, 1.5)


METRICS = {
    "math.inf": "gave inf",
    "-math.inf": "gave -inf",
    "math.nan": "gave nan",
    "None": "failed: TypeError: float() argument must be",
    "'0.5'": "failed: TypeError: expected a number, got '0.5'",
    "b'1'": "failed: TypeError: expected a number, got b'1'",
    "numpy.array([1.0, 2.0])": "failed: TypeError: only",
    "[1.0]": "failed: TypeError: float() argument must be",
    "1j": "failed: TypeError: float() argument must be",
    "10**400": "failed: OverflowError",
    "Raises()": "failed: TypeError: float() argument must be",
}


@pytest.mark.parametrize("given", METRICS)
def test_metric_that_gives_no_number_is_missing_and_named(tmp_path, given):
    for one in run(tmp_path, METRIC=given):
        assert one["missing"]["odd"].startswith(f"the metric of {WHOSE} {METRICS[given]}")
        assert (one["metrics"]["odd"], one["metrics"]["after"], one["metrics"]["ki"]) == (None, 3, 1)


@pytest.mark.parametrize("given", ["numpy.float32(0.5)", "numpy.array(0.5)", "True / 2"])
def test_metric_that_gives_a_number_of_another_library_is_taken(tmp_path, given):
    assert [one["metrics"]["odd"] for one in run(tmp_path, METRIC=given)] == [0.5] * 3


SPANS = {
    "SpanScore(math.nan, 1, 1)": "the scoring LM gave a log-likelihood of nan",
    "SpanScore(0.5, 1, 1)": "the scoring LM gave a log-likelihood of 0.5",
    "SpanScore(10**400, 1, 1)": f"likelihood backend 'backend' of {WHOSE} gave a SpanScore that cannot be read",
    "SpanScore('-1', 1, 1)": f"likelihood backend 'backend' of {WHOSE} gave SpanScore(log_likelihood='-1'",
    "SpanScore(-1.0, None, 1)": f"likelihood backend 'backend' of {WHOSE} gave SpanScore(",
    "SpanScore(-1.0, 1, -1)": f"likelihood backend 'backend' of {WHOSE} gave SpanScore(",
    "SpanScore(Raises(), 1, 1)": f"likelihood backend 'backend' of {WHOSE} gave a SpanScore that cannot be read",
    "-1.0": f"likelihood backend 'backend' of {WHOSE} gave -1.0, expected a SpanScore",
    "Unscored('not today')": "not today",
    "Unscored(7)": f"likelihood backend 'backend' of {WHOSE} gave Unscored(reason=7)",
}


@pytest.mark.parametrize("given", SPANS)
def test_log_likelihood_that_is_none_leaves_its_chain_unscored(tmp_path, given):
    for one in run(tmp_path, SPAN=given):
        for name in ("infogain_nats", "informative_share", "regressive_share"):
            assert one["metrics"][name] is None
            assert one["missing"][name].startswith(SPANS[given])
        assert (one["log_likelihoods"], one["metrics"]["ki"], one["metrics"]["odd"]) == ([], 1, 1.5)


CHANGES = {
    "METRIC": "(emptied(chain.steps), emptied(chain.verdicts), emptied(chain.trace.meta), 1.5)[-1]",
    "VERDICT": "(emptied(claims), emptied(evidence), emptied(found), emptied(traces), emptied(trace.meta), "
    "verdict('supported', probability=0.5, evidence=[Passage('p', 'text', score=1.5)]))[-1]",
    "PASSAGES": "(emptied(claims), emptied(traces), emptied(trace.meta), [Passage('p', 'text', score=1.5)])[-1]",
    "CLAIMS": "(emptied(own), emptied(steps), emptied(traces), emptied(trace.meta), "
    "[Claim('one', 0, 0, 1, 'odd', 'one')])[-1]",
}


@pytest.mark.parametrize("place", CHANGES)
def test_part_that_changes_what_it_is_given_changes_nothing_that_others_are_given(tmp_path, place):
    (tmp_path / "good").mkdir()
    (tmp_path / "odd").mkdir()
    assert run(tmp_path / "odd", **{place: CHANGES[place]}) == run(tmp_path / "good")


def test_what_a_subclass_adds_does_not_reach_the_files(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "odd").mkdir()
    rich = {
        "VERDICT": "Richer(claim, 'supported', 'odd', 0.5, evidence=[RicherPassage('p', 'text', score=1.5)])",
        "PASSAGES": "[RicherPassage('p', 'text', score=1.5)]",
        "CLAIMS": "[RicherClaim('one', 0, 0, 1, 'odd', 'one')]",
    }
    assert run(tmp_path / "odd", **rich) == run(tmp_path / "good")
