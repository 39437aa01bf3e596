"""What chains say in words, against numbers that are worked out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stepgauge.metrics.conclusion import Conclusion
from stepgauge.metrics.knowledge.types import Claim, Verdict
from stepgauge.metrics.score import ChainScore, StepScore

GAIN = "infogain_nats_before_answer"


def chain(gain: float, *, steps=(), scorer: object = "org/lm", **metrics: float) -> ChainScore:
    missing = {GAIN: "no gold answer"} if math.isnan(gain) else {}
    numbers = {GAIN: gain, **metrics}
    return ChainScore("q7", "hash", list(steps), [], None, numbers, missing, provenance={"scorer": scorer})


def said(*chains: ChainScore, right: list[float | None] | None = None, questions: list[str] | None = None) -> str:
    conclusion = Conclusion()
    for i, score in enumerate(chains):
        question = questions[i] if questions else f"q{i}"
        conclusion.add(score, question=question, accuracy=right[i] if right else None)
    return " ".join(conclusion.sentences())


@pytest.mark.parametrize(
    ("shift", "effect"), [(2.0, "lower"), (-2.0, "raise"), (0.02, "lower")], ids=["help", "harm", "nothing"]
)
def test_steps_are_said_to_help_only_where_the_interval_of_the_mean_excludes_nothing(shift, effect):
    gains = np.random.default_rng(0).normal(0, 1, 40)
    gains = gains - gains.mean() + shift
    low, high = stats.t.interval(0.95, len(gains) - 1, loc=gains.mean(), scale=stats.sem(gains))
    text = said(*(chain(float(gain)) for gain in gains))
    assert f"the steps {effect} the scorer's surprise at the gold answer by {abs(shift):.2f} nats" in text
    assert f"({sum(gains > 0)} of 40 chains gain)" in text
    verdict = "they help" if low > 0 else "they do not help" if high < 0 else "no clear effect"
    assert f": {verdict}" in text
    if low < 0 < high:
        assert f", 95 % interval {low:+.2f} to {high:+.2f})" in text
    assert "on lm as the scorer" in text


def test_repeats_of_a_question_count_as_one_question():
    repeats = [chain(3.0)] * 10 + [chain(-1.0)]
    text = said(*repeats, questions=["a"] * 10 + ["b"], right=[1.0] * 10 + [0.0])
    assert "50% right." in text
    assert "by 1.00 nats (10 of 11 chains gain): no clear effect" in text


def test_what_is_missing_is_said_and_never_a_number():
    text = said(chain(math.nan), chain(math.nan))
    assert "Whether the steps help cannot be told: no gold answer." in text
    assert "No step could be checked against an external source." in text
    assert "2 chains, 2 of them without a gain" in text
    assert "scorer:" not in text
    assert said() == ""
    assert "one question shows no more" in said(chain(1.0))


def test_knowledge_says_what_it_rests_on_and_the_contradicted_step_that_gains_most_is_named():
    def step(text: str, gain: float, label: str, kind: str) -> StepScore:
        claim = Claim(text, 0, 0, len(text), kind)
        return StepScore(text, 0, len(text), gain=gain, verdicts=[Verdict(claim=claim, label=label, judge="j")])

    steps = [step("1 + 1 = 2", 9.0, "supported", "equation"), step("1 + 1 = 3", 0.5, "contradicted", "equation")]
    worse = [step("2 + 2 = 5" + "!" * 90, 2.0, "contradicted", "equation")]
    text = said(chain(1.0, steps=steps, ki=0.5, ki_coverage=0.25), chain(1.0, steps=worse, ki=0.0, ki_coverage=0.75))
    assert "On average 25% of a chain's checkable steps hold (arithmetic only); 50% of its steps are checkable." in text
    assert f"Step 1 of chain q7 is contradicted, and gains +2.00 nats: “{worse[0].text[:60]}…”." in text
    other = [step("Aspirin is a fruit.", 0.1, "contradicted", "sentence")]
    assert "arithmetic only" not in said(chain(1.0, steps=[*steps, *other], ki=0.5, ki_coverage=1.0))


def test_chains_without_ki_are_no_basis_of_it():
    shares = {"claims_supported": 0.0, "claims_contradicted": 1.0, "claims_not_covered": 0.0}
    scored, bare = chain(1.0, ki=0.0, ki_coverage=0.5, **shares), chain(1.0, ki_coverage=0.0)
    text = said(scored, bare, scored, bare)
    assert "25% of its steps are checkable. Only 2 of 4 chains have such a step." in text
    assert "0% not covered. Only 2 of 4 chains have such a claim." in text
    assert "Only 1 of 3 chains has such a step." in said(scored, bare, bare)
    assert "Only" not in said(scored, scored)


@pytest.mark.parametrize(("over", "strength"), [(1.0, "so it can use them"), (-1.0, "may be too weak to use them")])
def test_controls_say_whether_the_scorer_can_use_the_steps(over, strength):
    chains = [chain(1.0 + i / 9, gain_over_filler_before_answer=over + i / 9) for i in range(8)]
    assert strength in said(*chains)
    assert "is not known" in said(*(chain(1.0 + i) for i in range(8)))


@pytest.mark.parametrize("values", [[28.3, 37.5], [0.37, 1.0], [-0.5, 1.0]])
def test_a_metric_that_is_no_right_or_wrong_is_no_share_of_right_answers(values):
    assert "right" not in said(chain(1.0), chain(1.0), right=values).replace("right from wrong", "")


@pytest.mark.parametrize("gain", [math.inf, -math.inf, 1e300])
def test_a_gain_beyond_all_numbers_is_left_out_and_counted(gain):
    text = said(chain(0.5), chain(0.75), chain(gain))
    assert "2 of 2 chains gain" in text
    assert "3 chains, 1 of them without a gain" in text
