"""Calibration against brute force: every pair, every order of ties, every response written out."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from stepgauge.metrics.calibration.estimators import aurc, auroc, brier, ece, reliability, risk_coverage
from stepgauge.metrics.calibration.resampling import Responses, ece_interval, percentile, resampled


def _responses(confidences, right, questions=None):
    where = np.arange(len(right)) if questions is None else np.array(questions)
    return Responses(np.array(confidences, dtype=float), np.array(right, dtype=float), where)


def _cases():
    rng = random.Random(7)
    for n in (1, 2, 5, 7):
        for levels in (2, 3, 100):
            conf = [rng.randrange(levels + 1) / levels for _ in range(n)]
            yield conf, [rng.randrange(2) for _ in range(n)]


def _orders(confidences):
    """All orders of the responses by falling confidence; those of equal confidence in every order."""
    found = sorted(range(len(confidences)), key=lambda i: -confidences[i])
    groups = [list(group) for _, group in itertools.groupby(found, key=lambda i: confidences[i])]
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [i for group in orders for i in group]


@pytest.mark.parametrize(("conf", "right"), _cases())
def test_brier_and_auroc_are_those_of_all_responses_and_all_pairs(conf, right) -> None:
    data = _responses(conf, right).of()
    assert brier(data) == pytest.approx(sum((c - y) ** 2 for c, y in zip(conf, right, strict=True)) / len(right))
    pairs = [
        (a > b) + (a == b) / 2
        for a, x in zip(conf, right, strict=True)
        if x
        for b, y in zip(conf, right, strict=True)
        if not y
    ]
    if pairs:
        assert auroc(data) == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert math.isnan(auroc(data))


@pytest.mark.parametrize(("conf", "right"), _cases())
def test_aurc_is_the_mean_over_all_orders_of_equal_confidences(conf, right) -> None:
    def area(order):
        wrong, total = 0, Fraction(0)
        for k, i in enumerate(order, 1):
            wrong += 1 - right[i]
            total += Fraction(wrong, k)
        return total / len(order)

    areas = [area(order) for order in _orders(conf)]
    data = _responses(conf, right).of()
    assert aurc(data) == pytest.approx(float(sum(areas) / len(areas)))
    coverage, risk = risk_coverage(data)
    assert risk.mean() == pytest.approx(float(aurc(data)))
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - sum(right) / len(right))


@pytest.mark.parametrize("bins", [1, 3, 10])
@pytest.mark.parametrize(("conf", "right"), _cases())
def test_ece_spreads_each_response_over_the_bins_it_reaches_into(conf, right, bins) -> None:
    n = len(right)
    mean = {c: Fraction(sum(y for d, y in zip(conf, right, strict=True) if d == c), conf.count(c)) for c in conf}
    gap = Fraction(0)
    for b in range(bins):
        low, high = Fraction(b * n, bins), Fraction((b + 1) * n, bins)
        gap += abs(
            sum(
                max(Fraction(0), min(high, place + 1) - max(low, place)) * (mean[c] - Fraction(c))
                for place, c in enumerate(sorted(conf))
            )
        )
    data = _responses(conf, right).of()
    assert ece(data, bins) == pytest.approx(float(gap / n), abs=1e-12)
    confidence, accuracy = reliability(data, bins)
    assert np.abs(accuracy - confidence).mean() == pytest.approx(float(ece(data, bins)), abs=1e-12)


def test_ece_of_bins_that_divide_the_responses_is_the_usual_one() -> None:
    rng = np.random.default_rng(3)
    conf = rng.random(200)
    right = (rng.random(200) < conf**2).astype(float)
    order = np.argsort(conf)
    parts = zip(np.array_split(conf[order], 10), np.array_split(right[order], 10), strict=True)
    usual = sum(abs(c.mean() - y.mean()) * len(c) for c, y in parts) / 200
    assert ece(_responses(conf, right).of()) == pytest.approx(usual)


def test_numbers_known_by_hand() -> None:
    sure = _responses([0.9] * 10, [1] * 9 + [0]).of()
    assert ece(sure) == pytest.approx(0)  # nine of ten are right, whatever the order in which they stand
    assert brier(sure) == pytest.approx(0.09)
    assert auroc(sure) == 0.5
    assert aurc(sure) == pytest.approx(0.1)
    sorted_out = _responses([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]).of()
    assert auroc(sorted_out) == 1
    assert aurc(sorted_out) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


def test_resamples_draw_whole_questions_and_give_what_a_loop_gives() -> None:
    rng = np.random.default_rng(5)
    questions = np.repeat(np.arange(12), 3)
    conf, right = np.round(rng.random(36), 1), (rng.random(36) < 0.5).astype(float)
    one = _responses(conf, right, questions)
    found = resampled([one], 12, [brier, ece, auroc, aurc], resamples=20, seed=4)[0]
    weights = np.random.default_rng(4).multinomial(12, np.full(12, 1 / 12), size=20)
    for row, drawn in enumerate(weights):
        picked = [i for q in range(12) for _ in range(drawn[q]) for i in np.flatnonzero(questions == q)]
        again = _responses(conf[picked], right[picked]).of()
        assert found[:, row] == pytest.approx([float(of(again)) for of in (brier, ece, auroc, aurc)], nan_ok=True)


def test_ece_interval_of_confidences_that_are_right_holds_0_and_a_percentile_interval_never_does() -> None:
    rng = np.random.default_rng(11)
    inside = naive = 0
    for seed in range(100):
        conf = 0.2 + 0.75 * rng.random(150)
        one = _responses(conf, rng.random(150) < conf)
        drawn = resampled([one], 150, [ece], resamples=199, seed=seed)[0, 0]
        inside += ece_interval(float(ece(one.of())), drawn, one, 150, seed=seed)[0] == 0
        naive += percentile(drawn, 150)[0] <= 0
    assert inside >= 92
    assert naive == 0


def test_ece_interval_of_confidences_far_too_high_is_above_0_and_holds_the_truth_in_most_samples() -> None:
    rng = np.random.default_rng(12)
    inside = zero = 0
    for seed in range(100):
        conf = 0.4 + 0.55 * rng.random(600)
        one = _responses(conf, rng.random(600) < conf - 0.15)
        drawn = resampled([one], 600, [ece], resamples=199, seed=seed)[0, 0]
        low, high = ece_interval(float(ece(one.of())), drawn, one, 600, seed=seed)
        inside += low <= 0.15 <= high
        zero += low == 0
    assert inside >= 85
    assert zero == 0
