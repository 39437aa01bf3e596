"""What was measured of a judge is kept by who it is, goes into scores, and stands under each Knowledge Index."""

from __future__ import annotations

import json
import math

import pytest

from stepgauge.metrics import ChainScore, Gauge, Trace
from stepgauge.metrics.judge_measures.lines import judge_lines
from stepgauge.metrics.judge_measures.measure import Estimate, Measure, line_of, two_places
from stepgauge.metrics.judge_measures.store import FOLDER, keep, kept
from stepgauge.metrics.knowledge.base import ClaimExtractor
from stepgauge.metrics.knowledge.types import Claim, Verdict
from stepgauge.metrics.render import chain_table

ABOUT = {"threshold": 0.5, "prompt_sha256": "abc"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Believer:
    name = "believer"
    kinds = None
    needs_evidence = False

    def judge(self, claims, evidence):  # noqa: ARG002
        return [Verdict(claim, "supported", self.name, probability=0.9) for claim in claims]

    def describe(self):
        return ABOUT


def measured(on: str = "scifact", judge: str = "believer", auroc: float = 0.71) -> Measure:
    return Measure(
        judge,
        on,
        200,
        120,
        3,
        150,
        Estimate(auroc, auroc - 0.05, auroc + 0.05),
        0.4,
        {"precision": Estimate(0.8, 0.7, 0.9)},
        {"recall": Estimate()},
        Estimate(0.2, math.nan, math.nan),
        said={"right": {"supported": 3}},
        cost={"seconds": 0.1},
        missing={"x": "y"},
        made={"date": "2026-11-30"},
    )


def scored() -> ChainScore:
    def lines(traces, steps):  # noqa: ARG001
        return [[Claim(s.text, i, s.start, s.end, "fact") for i, s in enumerate(own)] for own in steps]

    gauge = Gauge(scorer=None, claims=[ClaimExtractor("lines", lines)], judges=[Believer()], splitter="lines")
    (score,) = gauge.score([Trace("?", "Water is wet.\nIce is cold.", answer="x")])
    return score


def test_a_measure_is_restored_from_its_file_as_it_was():
    measure = measured()
    path = keep(measure, ABOUT)
    assert repr(kept("believer", ABOUT)) == repr([measure])
    assert "NaN" not in path.read_text(encoding="utf-8")
    keep(measured(auroc=0.5), ABOUT)
    (again,) = kept("believer", ABOUT)
    assert again.auroc.value == 0.5


@pytest.mark.parametrize(
    ("judge", "about"),
    [("believer", {**ABOUT, "threshold": 0.6}), ("believer", {**ABOUT, "prompt_sha256": "x"}), ("other", ABOUT)],
)
def test_another_threshold_prompt_or_judge_has_not_been_measured(judge, about):
    keep(measured(), ABOUT)
    assert kept(judge, about) == []


@pytest.mark.parametrize("damage", ["", "[]", '{"judge": "believer"}', "[" * 5000, '{"auroc": 3}'])
def test_a_damaged_file_is_passed_over(damage, cache, caplog):
    path = keep(measured(), ABOUT)
    path.with_name("other.json").write_text(damage, encoding="utf-8")
    assert len(kept("believer", ABOUT)) == 1
    assert "other.json" in caplog.text
    assert path.is_relative_to(cache / FOLDER)


def test_a_score_names_its_judges_measure_wherever_it_is_read(tmp_path, monkeypatch):
    keep(measured(), ABOUT)
    written = json.loads(json.dumps(scored().to_dict()))
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "elsewhere"))
    restored = ChainScore.from_dict(written)
    assert judge_lines([restored]) == [
        "judge believer: AUROC .71 [.66, .76] on scifact, 200 claims, 3 of them without a score"
    ]
    assert "judge believer: AUROC .71 [.66, .76] on scifact, 200 claims, 3 of them without a score" in chain_table(
        restored
    )


def test_a_judge_that_was_not_measured_is_said_to_be_so_until_it_is():
    score = scored()
    assert "judge_measures" not in score.provenance
    assert judge_lines([score, score]) == ["judge believer: not measured on your domain (stepgauge judge-check)"]
    keep(measured("claims.csv", auroc=math.nan), ABOUT)
    assert judge_lines([score]) == ["judge believer: no AUROC on claims.csv, 200 claims, 3 of them without a score"]


def test_arithmetic_needs_no_measure_but_shows_the_one_it_has():
    gauge = Gauge(scorer=None, claims=["arithmetic"], judges=["exact"], splitter="lines")
    (score,) = gauge.score([Trace("?", "2 + 2 = 4", answer="4")])
    assert score.ki == 1
    assert judge_lines([score]) == []
    keep(measured("prmbench", "exact"), {"computes": True})
    assert judge_lines([score]) == [
        "judge exact: AUROC .71 [.66, .76] on prmbench, 200 claims, 3 of them without a score"
    ]


PASSAGES = [
    {"id": "act", "title": "Act", "text": "1. Term\n1.1 This Agreement ends two years after its date."},
    {"id": "report", "table": [["", "2018"], ["Revenue", "76"]]},
]


class Lookup(Believer):
    name, computes = "lookup", True


class Unsure(Believer):
    name, computes = "unsure", False


def every_line(traces, steps):  # noqa: ARG001
    return [[Claim(step.text, i, step.start, step.end, "x") for i, step in enumerate(own)] for own in steps]


@pytest.mark.parametrize(
    ("claims", "judge", "response", "shown"),
    [
        ("citations", "quote", "Section 1.1 says “This Agreement ends two years after its date”.", False),
        ("figures", "table", "Revenue in 2018 was 76.", False),
        (ClaimExtractor("lines", every_line), Lookup(), "Water is wet.", False),
        (ClaimExtractor("lines", every_line), Unsure(), "Water is wet.", True),
    ],
)
def test_a_judge_that_computes_is_not_called_unmeasured_whoever_brings_it(claims, judge, response, shown):
    gauge = Gauge(scorer=None, claims=[claims], judges=[judge], retriever="given", splitter="lines")
    (score,) = gauge.score([Trace("What was revenue?", response, answer="x", meta={"passages": PASSAGES})])
    assert {verdict.label for step in score.steps for verdict in step.verdicts} == {"supported"}
    lines = judge_lines([ChainScore.from_dict(json.loads(json.dumps(score.to_dict())))])
    assert [line.endswith("not measured on your domain (stepgauge judge-check)") for line in lines] == [True] * shown


@pytest.mark.parametrize("hostile", [None, [], {"believer": 3}, {"believer": {"sets": 5}}, {"believer": {"sets": [3]}}])
def test_a_provenance_that_is_not_ours_prints_no_measure(hostile):
    data = scored().to_dict()
    data["provenance"]["judge_measures"] = hostile
    (line,) = judge_lines([ChainScore.from_dict(data)])
    assert line.startswith("judge believer: not measured")


def test_what_a_file_says_moves_no_cursor():
    line = line_of({"on": "sci\x1b[2Jfact\u202e", "claims": 3, "auroc": [0.5, None, None]})
    assert line == "AUROC .50 on sci\ufffd[2Jfact\ufffd, 3 claims"


@pytest.mark.parametrize(("value", "text"), [(0.714, ".71"), (1, "1.00"), (-0.2, "-.20"), (math.nan, "–")])
def test_shares_are_written_without_the_zero_before_the_point(value, text):
    assert two_places(value) == text


def test_claims_without_a_score_are_told_apart_in_the_line():
    brief = Measure("j", "facts.jsonl", 200, 100, 150, 20, Estimate(0.71, 0.66, 0.76)).brief()
    assert line_of(brief) == "AUROC .71 [.66, .76] on facts.jsonl, 200 claims, 150 of them without a score"


@pytest.mark.parametrize("field", ["claims", "unscored", "auroc"])
def test_a_number_beyond_all_bounds_in_a_log_is_no_measure(field):
    brief = {"on": "x", "claims": 3, "auroc": [0.5, None, None], field: float("inf")}
    assert line_of({**brief, "auroc": [10**400, None, None]} if field == "auroc" else brief) is None
