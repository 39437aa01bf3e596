"""The formulas, on chains whose log-likelihoods are set by hand."""

from __future__ import annotations

import math

import pytest

from stepgauge.metrics import Chain, Likelihoods, Missing, Step, Trace
from stepgauge.metrics.infogain import INFOGAIN_METRICS

METRICS = {metric.name: metric.compute for metric in INFOGAIN_METRICS}
# PPL = exp(-l / 2): 8, 4, 2, 1 for two answer tokens.
LOG_LIKELIHOODS = [-2 * math.log(ppl) for ppl in (8, 4, 2, 1)]


def chain(
    log_likelihoods=LOG_LIKELIHOODS, *, states=(), final=(), choices=None, without_final=None, step_tokens=5, **more
) -> Chain:
    count = len(log_likelihoods) - 1
    steps = [
        Step(f"s{i}", 3 * i, 3 * i + 2, "final_answer" if i in final else "reasoning", i in states)
        for i in range(count)
    ]
    kept = without_final if without_final is not None else log_likelihoods
    likelihoods = Likelihoods(
        answer=log_likelihoods,
        n_answer_tokens=[2] * (count + 1),
        n_context_tokens=[10 + step_tokens * i for i in range(count + 1)],
        choices=choices,
        n_choice_tokens=[[1, 2] for _ in choices] if choices else None,
        without_final=kept,
        n_answer_tokens_without_final=[2] * len(kept),
    )
    options = ["x", "y"] if choices else None
    return Chain(Trace("q", "s0 s1 s2", "x", choices=options), steps, likelihoods, **more)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n_steps", 3),
        ("infogain", (8 - 1) / 3),
        ("infogain_nats", 2 * math.log(8)),
        ("infogain_bits", 2 * 3),
        ("infogain_nats_per_step", 2 * math.log(8) / 3),
        ("infogain_nats_per_step_token", 2 * math.log(8) / 15),
        ("infogain_nats_per_answer_token", math.log(8)),
        ("informative_share", 1),
        ("regressive_share", 0),
        ("half_gain_position", 2 / 3),
        ("infogain_before_answer", (8 - 1) / 3),
        ("infogain_nats_before_answer", 2 * math.log(8)),
    ],
)
def test_metric_follows_its_formula(name, expected):
    assert METRICS[name](chain()) == pytest.approx(expected)


def test_gains_within_epsilon_are_neither_informative_nor_regressive():
    scored = chain([-5.0, -4.96, -5.5, -2.0], epsilon=0.05)
    assert METRICS["informative_share"](scored) == pytest.approx(1 / 3)
    assert METRICS["regressive_share"](scored) == pytest.approx(1 / 3)


def test_before_answer_stops_in_front_of_the_first_step_that_states_it():
    assert METRICS["infogain_before_answer"](chain(states={1, 2})) == pytest.approx(8 - 4)
    assert METRICS["infogain_nats_before_answer"](chain(states={1})) == pytest.approx(2 * math.log(2))


def test_without_final_uses_the_chain_without_boilerplate():
    scored = chain(final={2}, without_final=LOG_LIKELIHOODS[:3])
    assert METRICS["infogain_without_final"](scored) == pytest.approx((8 - 2) / 2)
    assert METRICS["infogain_nats_without_final"](scored) == pytest.approx(2 * math.log(4))


def test_entropy_drop_and_gold_probability_over_the_options():
    even, sure = [math.log(0.2), math.log(0.2)], [math.log(0.3), math.log(0.1)]
    scored = chain([-2.0, -1.0], choices=[even, sure])
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert METRICS["gold_probability"](scored) == pytest.approx(0.75)
    assert METRICS["entropy_drop_bits"](scored) == pytest.approx(1 - entropy)


def test_options_per_token_do_not_favour_the_short_one():
    """e^-1 a token each, and the second has two of them: by the sum the first is likelier, per token it is not."""
    scored = chain([-2.0, -1.0], choices=[[-1.0, -2.0], [-1.0, -2.0 - 2 * math.log(3)]])
    assert METRICS["gold_probability"](scored) == pytest.approx(1 / (1 + math.exp(-1) / 9))
    assert METRICS["gold_probability_per_token"](scored) == pytest.approx(0.75)
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert METRICS["entropy_drop_bits_per_token"](scored) == pytest.approx(1 - entropy)


def test_options_too_unlikely_for_a_float_are_weighed_against_each_other():
    even, sure = [-2000.0, -2000.0], [-2000.0, -2000.0 - math.log(3)]
    scored = chain([-2.0, -1.0], choices=[even, sure])
    assert METRICS["gold_probability"](scored) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("name", "scored", "reason"),
    [
        ("infogain", chain([-3.0]), "no steps in the response"),
        ("infogain", Chain(Trace("q", "r"), (), None, "no gold answer"), "no gold answer"),
        ("infogain", chain([-1e6, -1.0]), "too large for a float"),
        ("half_gain_position", chain([-1.0, -2.0]), "gains no more than epsilon"),
        ("infogain_before_answer", chain(states={0}), "first step states the answer"),
        ("infogain_nats_per_step_token", chain(step_tokens=0), "the steps add no tokens"),
        ("leak_share", chain([-2.0, -1.0, -2.0]), "gains nothing in total"),
        ("leak_share", chain([-2.0, -1.0, -2.0], states={1}), "gains nothing in total"),
        ("infogain_without_final", chain(final={0, 1, 2}, without_final=[-2.0]), "only announces the final answer"),
        ("entropy_drop_bits", chain(), "not a multiple-choice question"),
        ("gold_probability", chain(), "not a multiple-choice question"),
    ],
)
def test_metric_that_cannot_be_computed_says_why(name, scored, reason):
    with pytest.raises(Missing, match=reason):
        METRICS[name](scored)


def test_every_metric_is_described():
    assert all(metric.description and metric.unit for metric in INFOGAIN_METRICS)
