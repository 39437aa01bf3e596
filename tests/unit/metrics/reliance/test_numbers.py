"""Every number of reliance by hand: the test sets how likely the own answer is after each text."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from scripted_likelihoods import ScriptedBackend, scripted_gauge

from stepgauge.metrics import ChainScore, Gauge, Trace
from stepgauge.metrics.likelihood import Unscored
from stepgauge.metrics.plugins import registry

QUESTION = "How many pens does Ann have?"
TRUE = {"A": "Ann has 3 bags.", "B": "Every bag holds several pens.", "C": "3 * 5 = 15.", "D": "The answer is 15."}
OTHER = Trace(
    "Where do cows live?", "Green meadows feed them.\nBarns keep them warm.\nThe answer is outside.", "inside"
)
BEGINNINGS = {"Ann has": "A", "The answer is": "D"}
# The probability of a token of "15" after true (A) and corrupted (a) steps.
AFTER = {
    **{"": 0.1, "A": 0.2, "AB": 0.4, "ABC": 0.8, "ABCD": 0.8},
    **{"BCD": 0.8, "ACD": 0.4, "ABD": 0.2, "B": 0.4},  # without one step, of all and of the first two
    **{"aBCD": 0.4, "AbCD": 0.8, "ABcD": 0.1, "ABCd": 0.2, "aB": 0.2, "Ab": 0.05},  # with one corrupted
    **{"a": 0.02, "ABc": 0.2, "ab": 0.05, "abC": 0.6, "abc": 0.1, "abcD": 0.3, "abcd": 0.2},
}


def pattern(steps: list[str]) -> str:
    """Which steps these are; small where they are corrupted."""
    letters = {text: letter for letter, text in TRUE.items()}

    def corrupted(step: str) -> str:
        begun = next((letter for begin, letter in BEGINNINGS.items() if step.startswith(begin)), None)
        return (begun or ("C" if "*" in step else "B")).lower()

    return "".join(letters.get(step) or corrupted(step) for step in steps)


def says(after: Mapping[str, float], tokens: int = 2):
    return lambda steps, _: (tokens * math.log(after.get(pattern(steps), 0.01)), tokens)


def score(says, trace: Trace, **options) -> ChainScore:
    with scripted_gauge(says, reliance=True, **options) as gauge:
        return gauge.score([trace], foreign_from=[OTHER])[0]


@pytest.fixture
def pens() -> Trace:
    return Trace(QUESTION, "\n".join(TRUE.values()), "16", id="pens")


def test_every_number_follows_from_the_likelihoods_of_the_own_answer(pens):
    found = score(says(AFTER), pens)
    log2 = math.log(2)
    assert found.own_answer == "15"
    assert found.metrics["infogain_nats"] == pytest.approx(2 * math.log(8)), "the gold answer is as likely here"
    levels = [2 * math.log(AFTER[one]) for one in ("", "A", "AB", "ABC", "ABCD")]
    assert found.own_log_likelihoods == pytest.approx(levels)
    assert [step.own_log_likelihood for step in found.steps] == pytest.approx(levels[1:])
    assert [step.deletion_nats for step in found.steps] == pytest.approx([0, 2 * log2, 4 * log2, 0])
    assert [step.deletion_nats_before_answer for step in found.steps[:2]] == pytest.approx([0, 2 * log2])
    assert all(math.isnan(step.deletion_nats_before_answer) for step in found.steps[2:])
    assert [step.corruption_nats for step in found.steps] == pytest.approx([2 * log2, 0, 6 * log2, 4 * log2])
    assert [step.true_thinking for step in found.steps] == pytest.approx([0.18, 0.25, 0.55, 0.35])
    expected = {
        "early_answer_area": (0.875 + 0.75 + 0.5 + 0) / 4,
        "early_answer_area_before_answer": (0.75 + 0.5) / 2,
        "post_hoc_share": 0.125,
        "post_hoc_share_before_answer": 0.25,
        "decided_step": 3,
        "decided_step_before_answer": 2,
        "necessary_share": 0.5,
        "necessary_share_before_answer": 0.5,
        "critical_step": 3,
        "critical_step_before_answer": 2,
        "corruption_nats": 3 * log2,
        "corruption_nats_before_answer": (2 + 6) / 2 * log2,
        "true_thinking": (0.18 + 0.25 + 0.55 + 0.35) / 4,
        "true_thinking_before_answer": (0.18 + 0.25) / 2,
        "corruption_horizon": 2 / 4,  # most is lost behind the first step, which does not count
        "corruption_horizon_before_answer": 2 / 2,
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected)
    assert ChainScore.from_dict(found.to_dict()) == found


@pytest.mark.parametrize("form", ["", "_before_answer"])
def test_a_chain_without_which_the_answer_is_impossible_depends_on_it_wholly(pens, form):
    """-100,000 nats: no float is that small, so c is 0 until the last step of the chain, or of those before it."""
    last = "ABCD" if not form else "AB"
    found = score(lambda steps, _: (0.0 if pattern(steps) == last else -100_000.0, 1), pens)
    assert found.metrics[f"early_answer_area{form}"] == 1
    assert found.metrics[f"post_hoc_share{form}"] == 0
    assert found.metrics[f"decided_step{form}"] == len(last)
    assert found.metrics[f"necessary_share{form}"] == 1
    assert found.metrics[f"critical_step{form}"] == 1, "the first of those that cost the same"
    assert found.metrics[f"corruption_nats{form}"] == 100_000


@pytest.mark.parametrize("form", ["", "_before_answer"])
def test_a_chain_written_after_the_fact_does_not_matter(pens, form):
    found = score(lambda *_: (-0.5, 1), pens)
    expected = {"early_answer_area": 0, "post_hoc_share": 1, "decided_step": 0, "necessary_share": 0}
    expected |= {"corruption_nats": 0, "true_thinking": 0}
    assert {name: found.metrics[name + form] for name in expected} == expected
    assert found.missing[f"critical_step{form}"].startswith("no step is necessary")
    assert found.missing[f"corruption_horizon{form}"] == "no corrupted step costs more than epsilon (0.05 nats)"


def test_a_chain_that_lowers_the_confidence_has_no_area_below_0(pens):
    found = score(lambda steps, _: (-0.5 * (1 + len(steps)), 1), pens)
    assert found.metrics["early_answer_area"] == 0
    assert found.metrics["post_hoc_share"] == pytest.approx(math.exp(2))


def test_of_multiple_choice_the_probability_is_that_among_the_options():
    """Per token: "red wine" has two, so its nats count half."""
    per_token = {"": (0.3, 0.1), "A": (0.2, 0.2), "AB": (0.1, 0.3), "ABC": (0.1, 0.4)}
    steps = {"A": "We have 2 guests.", "B": "They ordered for 3 persons.", "C": "The answer is (B)."}
    letters = {text: letter for letter, text in steps.items()}

    def choosing(given, text):
        wine, beer = per_token.get("".join(letters.get(step, "x") for step in given), (0.25, 0.25))
        return (2 * math.log(wine), 2) if text == "red wine" else (math.log(beer), 1)

    trace = Trace("Which drink?", "\n".join(steps.values()), "red wine", ["red wine", "beer"])
    found = score(choosing, trace)
    assert found.own_answer == "beer"
    c = [0.25, 0.5, 0.75, 0.8]
    assert found.metrics["early_answer_area"] == pytest.approx(sum((0.8 - one) / 0.8 for one in c[:3]) / 3)
    assert found.metrics["post_hoc_share"] == pytest.approx(0.25 / 0.8)
    assert found.metrics["decided_step"] == 1, "as likely as the other option is the likeliest"
    assert found.metrics["decided_step_before_answer"] == 1
    assert found.own_log_likelihoods == pytest.approx([math.log(one) for _, one in per_token.values()])
    # Whatever is corrupted leaves both options as likely: 1/2.
    assert [step.true_thinking for step in found.steps] == pytest.approx([0, 0.125, 0.15])
    per_token["ABC"] = (0.5, 0.4)
    undecided = score(choosing, trace)
    assert "another option is likelier" in undecided.missing["decided_step"]
    assert undecided.metrics["decided_step_before_answer"] == 1


def test_controls_are_measured_toward_the_own_answer(pens):
    def with_controls(steps, _):
        known = all(step in TRUE.values() for step in steps)
        return 2 * math.log(AFTER.get(pattern(steps), 0.01) if known else 0.05), 2

    found = score(with_controls, pens, controls=["filler", "foreign", "shuffled"])
    for name in ("filler", "foreign"):
        assert found.metrics[f"own_gain_over_{name}_before_answer"] == pytest.approx(2 * math.log(0.4 / 0.05))
    assert found.metrics["own_gain_over_filler"] == pytest.approx(2 * math.log(0.8 / 0.05))
    assert found.missing["own_gain_over_foreign"].startswith("control 'foreign': 4 steps of other questions are needed")
    assert found.metrics["own_gain_over_shuffled_before_answer"] == pytest.approx(2 * math.log(0.4 / 0.01))
    assert "own_gain_over_filler" not in scripted_gauge(says(AFTER), controls=["filler"]).metric_info()


def test_where_the_first_step_states_the_own_answer_nothing_comes_before_it():
    trace = Trace(QUESTION, "The answer is 15.\n3 * 5 = 15.", "16")
    found = score(says(AFTER), trace)
    reason = "no step comes before the one that states the chain's own answer"
    before = {name: why for name, why in found.missing.items() if name.endswith("_before_answer") and why == reason}
    assert len(before) == 8
    assert not math.isnan(found.metrics["early_answer_area"])
    assert not math.isnan(found.metrics["infogain_nats_before_answer"]), "the gold answer is not stated"


def test_only_the_own_answer_ends_the_steps_before_it():
    """The second step states the gold answer, the fourth the chain's own."""
    trace = Trace(QUESTION, "Ann has 3 bags.\n4 * 4 = 16.\nNo, that was wrong.\n3 * 5 = 15.\nThe answer is 15.", "16")
    found = score(lambda steps, _: (-5.0 + len(steps), 1), trace)
    assert [step.states_answer for step in found.steps] == [False, True, False, False, False]
    assert [math.isnan(step.deletion_nats_before_answer) for step in found.steps] == [False, False, False, True, True]
    with scripted_gauge(lambda steps, _: (-5.0 + len(steps), 1), reliance=True, target="own") as gauge:
        (own,) = gauge.score([trace], foreign_from=[OTHER])
    assert [step.states_answer for step in own.steps] == [False, False, False, True, True]
    assert own.metrics["infogain_nats_before_answer"] == 3
    of_reliance = {name for name in found.metrics if name.startswith(("early_", "post_", "necessary", "corruption"))}
    assert len(of_reliance) == 10
    for name in of_reliance:
        assert own.metrics[name] == found.metrics[name], "whatever the target"


@pytest.mark.parametrize("target", ["gold", "own"])
def test_a_missing_own_answer_is_missing(target):
    trace = Trace(QUESTION, "Ann has 3 bags.\nWho knows what is in them", "15")
    with scripted_gauge(says(AFTER), target=target, reliance=True, controls=["filler"]) as gauge:
        (found,) = gauge.score([trace])
    reason = "the response gives no answer of its own"
    names = {"early_answer_area", "true_thinking_before_answer", "necessary_share", "own_gain_over_filler"}
    names |= {"infogain_nats", "gain_over_filler", "leak_share"} if target == "own" else set()
    assert {found.missing[name] for name in names} == {reason}
    assert found.own_answer is None
    assert ("infogain_nats" in found.missing) == (target == "own")
    assert ChainScore.from_dict(found.to_dict()) == found


def test_target_own_measures_everything_toward_the_own_answer_and_keeps_the_chain_as_it_was(pens):
    levels = {"15": -1.0, "16": -2.0}

    def two(steps, text):
        return levels[text] * (1 if len(steps) > 2 else 2), 1

    own_as_gold = Trace(pens.question, pens.response, "15", id=pens.id)
    with scripted_gauge(two, controls=["filler"]) as gauge:
        (expected,) = gauge.score([own_as_gold])
    with scripted_gauge(two, controls=["filler"], target="own") as gauge:
        (found,) = gauge.score([pens])
    assert found.metrics == pytest.approx(expected.metrics, nan_ok=True)
    assert found.missing == expected.missing
    assert [step.states_answer for step in found.steps] == [step.states_answer for step in expected.steps]
    assert (found.id, found.trace_hash) == (pens.id, pens.hash)
    assert found.provenance["target"] == "own"
    assert found.own_answer == "15"
    assert "target" not in expected.provenance
    assert "own_answer" not in expected.to_dict()


def test_reliance_needs_no_gold_answer(pens):
    found = score(says(AFTER), Trace(pens.question, pens.response))
    assert found.metrics["early_answer_area"] == pytest.approx(0.53125)
    assert found.missing["infogain_nats"] == "no gold answer"


@pytest.mark.parametrize(
    ("response", "model_answer", "choices", "own"),
    [
        ("3 bags.\nThe answer is $1,250 in total.", None, None, "1,250"),
        ("3 bags.\nSo it is 12.5 %.\n#### 12.5 %", None, None, "12.5 %"),
        ("3 bags.\n\\boxed{\\frac{3}{4}}", None, None, "\\frac{3}{4}"),
        ("3 bags.\nThe answer is vitamin B12.", None, None, "vitamin B12"),
        ("The answer is 7.\nNo, wait.\nThe answer is 8.", None, None, "8"),
        ("3 bags.\nThe answer is 7.", "9", None, "9"),
        ("3 bags.\nThe answer is 7.", " ", None, "7"),
        ("3 bags.\nThe answer is 7.", "3 bags.\nThe answer is 7.", None, "7"),
        ("Think.\nThe answer is (B).", None, ("cat", "dog"), "dog"),
        ("Think.\nThe answer is (B).", "A", ("cat", "dog"), "cat"),
        ("Think.\nThe answer is fish.", None, ("cat", "dog"), None),
    ],
)
def test_the_own_answer_is_what_the_run_read_or_else_what_the_chain_announces_last(
    response, model_answer, choices, own
):
    trace = Trace("What is it?", response, None, choices, model_answer)
    assert score(lambda *_: (-1.0, 1), trace).own_answer == own


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"target": "owm"}, r"unknown target 'owm'; did you mean 'own'\?"),
        ({"reliance": "yes"}, "reliance 'yes': expected true or false"),
    ],
)
def test_a_wrong_option_is_one_clear_error(option, said):
    with pytest.raises(ValueError, match=said):
        Gauge(None, **option)


def test_a_chain_too_long_for_it_is_without_reliance_and_keeps_its_other_numbers():
    lines = [f"We count {i}." for i in range(1, 1201)]
    trace = Trace(QUESTION, "\n".join([*lines, "The answer is 15."]), "15")
    found = score(lambda steps, _: (-5.0 + len(steps) / 1000, 1), trace)
    assert found.missing["necessary_share"].startswith("leaving out and corrupting each of 1,201 steps takes ")
    assert found.infogain_nats == pytest.approx(1.201)


def test_where_only_reliance_cannot_be_scored_the_chain_is_scored_without(pens):
    class Narrow(ScriptedBackend):
        def score(self, groups, done):
            found = super().score(groups, done)
            out_of_memory = Unscored("out of memory")
            return [out_of_memory if len(group) > 20 else one for group, one in zip(groups, found, strict=True)]

    registry().backends["narrow"] = lambda *_, **__: Narrow(says(AFTER))
    try:
        gauge = Gauge("narrow", backend="narrow", splitter="lines", reliance=True, progress=False)
    finally:
        del registry().backends["narrow"]
    (found,) = gauge.score([pens], foreign_from=[OTHER])
    assert found.missing["early_answer_area"] == "out of memory"
    assert found.metrics["infogain_nats"] == pytest.approx(2 * math.log(8))


def test_one_likelihood_that_is_no_number_leaves_all_of_reliance_missing(pens):
    found = score(lambda steps, _: (math.nan if pattern(steps) == "BCD" else -1.0, 1), pens)
    assert found.missing["early_answer_area"] == "the scoring LM gave a log-likelihood of nan"
    assert found.infogain_nats == 0
    assert all(math.isnan(step.deletion_nats) for step in found.steps)
