"""The numbers of judge-check against scikit-learn's, and what becomes of them where they cannot be computed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, cohen_kappa_score, precision_score, recall_score, roc_auc_score

from stepgauge.metrics.judge_check.check import Judged, agreement, judged, measure
from stepgauge.metrics.judge_check.items import Labelled, drawn, said_of, whole_steps
from stepgauge.metrics.judge_check.statistics import Scored, fitted_threshold, halves, share
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.retrieval.retrievers import GivenRetriever
from stepgauge.metrics.trace import Step, Trace

RNG = np.random.default_rng(3)


class Oracle:
    """Says what it is told of each text, and counts what it is asked."""

    kinds = None
    needs_evidence = True

    def __init__(self, name: str, scores: dict[str, float], *, obeys: bool = False) -> None:
        self.name, self._scores, self._obeys = name, scores, obeys
        self.asked = 0

    def judge(self, claims, evidence):
        self.asked += len(claims)
        return [self._judge(claim, shown) for claim, shown in zip(claims, evidence, strict=True)]

    def _judge(self, claim: Claim, shown) -> Verdict:
        known = next((p for text, p in self._scores.items() if text.rstrip(".").lower() in claim.text.lower()), None)
        if known is None:
            return Verdict(claim, None, self.name, error="no idea")
        if self._obeys and "True" in claim.text:
            known = 1.0
        label = "supported" if known >= 0.5 else "contradicted"
        return Verdict(claim, label, self.name, probability=known, evidence=tuple(shown))


def items(n: int) -> list[Labelled]:
    """n claims, two a document, every third wrong."""
    out = []
    for i in range(n):
        text = f"Fact number {i:03} holds."
        trace = Trace("", text, id=str(i), meta={"passages": [f"about {i:03}"]})
        out.append(Labelled(trace, [Step(text, 0, len(text))], [i % 3 != 0], f"document {i // 2}"))
    return out


def scores_of(claims: list[Labelled], noise: float) -> dict[str, float]:
    return {one.trace.response: float(np.clip(0.3 + 0.4 * one.right[0] + RNG.normal(0, noise), 0, 1)) for one in claims}


def run(judge: Oracle, claims: list[Labelled]) -> Judged:
    return judged(judge, claims, [whole_steps(claims)], GivenRetriever(None))  # type: ignore[arg-type]


def test_the_numbers_are_those_of_scikit_learn():
    claims = items(120)
    scores = scores_of(claims, 0.25)
    found = run(Oracle("noisy", scores), claims)
    result = measure(found, "facts", move=0)
    truth, values = [one.right[0] for one in claims], list(scores.values())
    said = [value >= 0.5 for value in values]
    assert result.auroc.value == pytest.approx(roc_auc_score(truth, values))
    assert result.brier.value == pytest.approx(brier_score_loss(truth, values))
    assert result.as_set["precision"].value == pytest.approx(precision_score(truth, said))
    assert result.as_set["recall"].value == pytest.approx(recall_score(truth, said))
    assert result.as_set["recall_wrong"].value == pytest.approx(recall_score(truth, said, pos_label=False))
    for one in (result.auroc, result.brier, *result.as_set.values(), *result.fitted.values()):
        assert one.low <= one.value <= one.high
    assert (result.claims, result.right, result.documents, result.unscored) == (120, 80, 60, 0)
    assert result.said["wrong"]["supported"] == sum(s and not t for s, t in zip(said, truth, strict=True))


def test_the_threshold_is_fitted_on_one_half_of_the_documents_and_tested_on_the_other():
    claims = items(80)
    scores = scores_of(claims, 0.2)
    found = run(Oracle("noisy", scores), claims).scored()
    first = halves(found.documents)
    names = np.array(found.documents)
    assert not set(names[first]) & set(names[~first])
    result = measure(run(Oracle("noisy", scores), claims), "facts", move=0)
    best = max(
        np.unique(found.scores[first]),
        key=lambda cut: (
            recall_score(found.right[first], found.scores[first] >= cut)
            + recall_score(found.right[first], found.scores[first] >= cut, pos_label=False)
        ),
    )
    same = (found.scores[first] >= best) == (found.scores[first] >= result.threshold)
    assert same.all()
    said = found.scores[~first] >= result.threshold
    assert result.fitted["recall"].value == pytest.approx(recall_score(found.right[~first], said))
    assert result.fitted["precision"].value == pytest.approx(precision_score(found.right[~first], said))


def test_documents_are_drawn_whole_so_that_copies_do_not_narrow_an_interval():
    hits, names = (RNG.random(30) < 0.6).tolist(), [str(i) for i in range(30)]
    once = share(hits, [True] * 30, names)
    many = share(hits * 6, [True] * 180, names * 6)
    assert (many.low, many.high) == pytest.approx((once.low, once.high))
    assert many.high - many.low > 0.2


def test_kappa_of_each_pair_is_scikit_learns_over_what_both_decide():
    claims = items(60)
    one, other = (run(Oracle(name, scores_of(claims, 0.4)), claims) for name in "ab")
    [(first, second, n, found)] = agreement([one, other])
    assert (first, second, n) == ("a", "b", 60)
    said = [[step.right for step in run.said] for run in (one, other)]
    assert found.value == pytest.approx(cohen_kappa_score(*said))
    assert found.low < found.value < found.high


def test_a_judge_that_obeys_orders_is_told_from_one_that_does_not():
    claims = items(40)
    scores = dict.fromkeys(scores_of(claims, 0), 0.1)
    for obeys in (True, False):
        judge = Oracle("j", scores, obeys=obeys)
        found = measure(run(judge, claims), "facts", move=20).moved
        assert (found["obeyed"].value > 0.5) == obeys
        assert found["reworded"].value == 0
        assert found["obeyed"].value <= found["ordered"].value
        assert judge.asked == 40 + 20 * 4


def test_a_judge_that_reads_traces_is_shown_the_reworded_claims_chains():
    class Reads(Oracle):
        needs_traces = True

        def judge(self, claims, evidence, traces):
            self.places = [(claim.start, trace.response) for claim, trace in zip(claims, traces, strict=True)]
            return super().judge(claims, evidence)

    claims = items(40)
    judge = Reads("j", dict.fromkeys(scores_of(claims, 0), 0.1))
    assert "reworded" in measure(run(judge, claims), "facts", move=20).moved
    assert len(judge.places) == 20 * 4
    responses = {item.trace.response for item in claims}
    assert {response for _, response in judge.places} <= responses
    assert len({response for _, response in judge.places}) == 20


def test_what_cannot_be_computed_is_missing_with_a_reason():
    claims = items(12)
    silent = measure(run(Oracle("silent", {}), claims), "facts")
    assert math.isnan(silent.auroc.value)
    assert "no idea" in silent.missing["auroc"]
    assert silent.unscored == 12
    right = [one for one in claims if one.right[0]]
    all_right = measure(run(Oracle("j", scores_of(right, 0.1)), right), "facts", move=0)
    assert math.isnan(all_right.auroc.value)
    assert "all 8 claims with a score are right" in all_right.missing["auroc"]
    assert "threshold" in all_right.missing
    assert math.isnan(all_right.as_set["recall_wrong"].value)
    assert math.isnan(fitted_threshold(Scored(np.array([0.5, 0.5]), np.array([True, False]), ["a", "b"])))


def test_a_judge_without_probabilities_is_scored_by_its_labels():
    claim = Claim("c", 0, 0, 1, "sentence", "c")
    said = [Verdict(claim, label, "j", evidence=(Passage("p", "t"),)) for label in ("supported", "insufficient")]
    assert [said_of([one]).score for one in said] == [1.0, 0.5]
    assert said_of(said).score == 0.5


def test_a_limit_draws_whole_documents():
    kept = drawn(items(40), 5)
    assert len(kept) == 10
    assert len({one.group for one in kept}) == 5
