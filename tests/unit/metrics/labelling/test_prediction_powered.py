"""The corrected share against closed forms and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmark_modules import benchmark

from stepgauge.metrics.labelling.prediction_powered import corrected, labels_for, population, uncorrected
from stepgauge.metrics.labelling.sample import LEAST, allocate


def plain(n: int, labelled: int, seed: int = 0):
    """One stratum, every step a cluster of its own: the setting of the papers."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.6).astype(float)
    score = np.clip(0.5 + 0.4 * (truth - 0.5) + rng.normal(0, 0.35, n), 0, 1)
    label = np.where(np.arange(n) < labelled, truth, math.nan)
    return truth, score, population(np.ones(n), score, ["h"] * n, range(n), label)  # type: ignore[arg-type]


def test_in_one_stratum_it_is_the_estimator_of_the_papers():
    n, labelled = 20_000, 400
    truth, score, data = plain(n, labelled)
    found = corrected(data)
    y, f = truth[:labelled], score[:labelled]
    # PPI++ (arXiv 2311.01453), proposition 2 and example 6.1, with the labelled steps among all N.
    power = np.cov(y, f)[0, 1] / np.var(score, ddof=1)
    assert found.power == pytest.approx(power, rel=0.1)
    assert found.estimate.value == pytest.approx(found.power * score.mean() + (y - found.power * f).mean(), abs=1e-12)
    half = 1.96 * math.sqrt(np.var(y - found.power * f, ddof=1) / labelled)
    assert (found.estimate.high - found.estimate.low) / 2 == pytest.approx(half, rel=0.03)
    assert half < 1.96 * math.sqrt(np.var(y, ddof=1) / labelled)


def test_with_all_labels_it_is_the_labels_mean_with_its_interval_over_clusters():
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(60), 5)
    truth = (rng.random(300) < rng.random(60)[cluster]).astype(float)
    weight = rng.uniform(0.5, 2, 300)
    data = population(weight, rng.random(300), (truth + rng.random(300) > 0.7).tolist(), cluster, truth)  # type: ignore[arg-type]
    found, naive = corrected(data).estimate, uncorrected(data, truth)
    assert found.value == pytest.approx(np.average(truth, weights=weight))
    assert (found.low, found.high) == pytest.approx((naive.low, naive.high), abs=0.02)


def test_a_judge_that_is_always_wrong_is_turned_round():
    truth, _, data = plain(3_000, 200)
    wrong = population(data.weight, 1 - truth, truth.tolist(), range(3_000), data.label)  # type: ignore[arg-type]
    found = corrected(wrong)
    assert found.estimate.low <= truth.mean() <= found.estimate.high
    assert found.estimate.value == pytest.approx(truth.mean(), abs=0.01)


@pytest.mark.parametrize("labelled", [0, 1])
def test_without_labels_there_is_no_number(labelled):
    *_, data = plain(50, labelled)
    found = corrected(data)
    assert all(math.isnan(value) for value in (found.estimate.value, found.estimate.low, found.power))
    assert found.labels == labelled
    assert math.isnan(labels_for(0.1, found))


def test_a_stratum_without_labels_is_joined_to_the_nearest():
    strata = ["a"] * 40 + ["b"] * 40 + ["c"] * 5
    score = [0.9] * 40 + [0.2] * 40 + [0.2] * 5
    label = ([1.0] * 10 + [math.nan] * 30) + ([0.0] * 10 + [math.nan] * 30) + [math.nan] * 5
    found = corrected(population([1.0] * 85, score, strata, range(85), label)).estimate
    assert found.value == pytest.approx(40 / 85)
    assert found.low < 40 / 85 < found.high  # ten of ten are no certainty


def test_the_number_of_labels_that_a_width_needs_is_the_one_that_gives_it():
    *_, few = plain(20_000, 200)
    needed = labels_for(0.08, corrected(few))
    assert needed > 200
    *_, many = plain(20_000, int(needed))
    found = corrected(many).estimate
    assert found.high - found.low == pytest.approx(0.08, rel=0.12)
    assert math.isinf(labels_for(0.002, corrected(few)))


@pytest.mark.parametrize("n", [0, 3, 20, 50, 137, 1000])
def test_the_allocation_sums_to_n_and_looks_at_every_stratum(n):
    sizes = {"a": 400, "b": 25, "c": 4}
    found = allocate(sizes, {"a": 380.0, "b": 20.0, "c": 1.0}, n)
    assert sum(found.values()) == min(n, 429)
    assert all(found[name] <= size for name, size in sizes.items())
    if n >= 50:
        assert found["b"] >= LEAST
        assert found["c"] == 4


@pytest.mark.parametrize("labels", [50, 100])
def test_the_corrected_interval_holds_the_truth_where_the_judges_own_does_not(labels):
    simulation = benchmark("knowledge.corrected")
    judge = next(one for one in simulation.JUDGES if one.name == "middling")
    found = simulation.simulate(judge, labels, 150, chains=200)
    # 150 draws of .95 fall below .90 once in 250.
    assert found.covered >= 0.9
    assert found.naive < 0.2
    assert found.naive_width < found.width < 0.3
