"""Questions of one text are no independent ones: p, interval and questions needed go by clusters."""

from __future__ import annotations

import dataclasses
import itertools
import math
from statistics import NormalDist, stdev

import numpy as np
import pytest
from made_runs import chain, record, run
from scipy.stats import chi2, norm, t

from stepgauge.metrics.comparison import Row, Settings, compare_runs

SETTINGS = Settings(resamples=1999, deciding=("infogain_nats",))
POWER_ONLY = Settings(resamples=99, deciding=("infogain_nats",))
TESTED = 2  # accuracy, infogain_nats
FEWEST = 7  # clusters: 2 / 2^7 is the first p below .05 / 2


def compared(clusters: list[list[tuple[float, float]]], settings: Settings = SETTINGS) -> dict[str, Row]:
    """Rows of two runs; per cluster, the base's and the tuned run's numbers of its questions, which share a text.

    The numbers, 0 to 1, are the runs' accuracy and their `infogain_nats`.
    """
    sides = ([], [])
    ids = itertools.count()
    for cluster, questions in enumerate(clusters):
        for values in questions:
            number = next(ids)
            for records, value in zip(sides, values, strict=True):
                score = chain([-9.0, -9.0, -9.0 + value])
                fields = {"question": f"Cluster {cluster}?", "accuracy": {"correct": value}}
                records.append(record(number, score, **fields))
    (task,) = compare_runs(run("base", sides[0]), run("tuned", sides[1]), settings).tasks
    assert sum(not math.isnan(row.p) for row in task.rows) == TESTED
    return {row.measure: row for row in task.rows}


def drawn(rng, sizes: list[int], *, shift: float = 0.0, grow: float = 0.0) -> list[list[tuple[float, float]]]:
    """Clusters whose questions move together: by a shift, more in large clusters, and a part of chance per cluster."""
    out = []
    for size in sizes:
        before = rng.uniform(0.3, 0.6, size)
        move = shift + grow * size + rng.normal(0, 0.1)
        out.append([(float(b), float(np.clip(b + move + rng.normal(0, 0.02), 0, 1))) for b in before])
    return out


def differences(clusters) -> list[list[float]]:
    return [[after - before for before, after in questions] for questions in clusters]


def test_p_is_that_of_all_flips_of_whole_clusters():
    clusters = drawn(np.random.default_rng(1), [1, 4, 2, 5, 1, 3, 2], shift=0.06)
    sums = [math.fsum(cluster) for cluster in differences(clusters)]
    flips = [abs(math.fsum(s * d for s, d in zip(f, sums, strict=True))) for f in itertools.product((1, -1), repeat=7)]
    expected = sum(value >= abs(math.fsum(sums)) - 1e-12 for value in flips) / len(flips)
    assert 0.02 < expected < 0.5
    rows = compared(clusters)
    for measure in ("accuracy", "infogain_nats"):
        assert rows[measure].p == pytest.approx(expected, abs=1e-9)
        assert (rows[measure].n, rows[measure].n_clusters) == (18, 7)


def test_interval_is_that_of_drawing_whole_clusters_and_weighing_questions_alike():
    rng = np.random.default_rng(2)
    sizes = [1, 2, 3, 6] * 20
    clusters = drawn(rng, sizes, grow=0.02)
    own = differences(clusters)
    sums, counts = np.array([sum(cluster) for cluster in own]), np.array(sizes)
    picks = rng.integers(0, len(sizes), (20_000, len(sizes)))
    low, high = np.quantile(sums[picks].sum(axis=1) / counts[picks].sum(axis=1), [0.025, 0.975])
    row = compared(clusters)["infogain_nats"]
    assert row.difference == pytest.approx(sums.sum() / counts.sum())
    assert (row.low, row.high) == pytest.approx((low, high), abs=0.06 * (high - low))


def test_a_question_asked_four_times_says_no_more_than_asked_once():
    """Differences are multiples of 1/64, so sums of four are exact."""
    rng = np.random.default_rng(3)
    once = [[(0.5, 0.5 + int(step) / 64)] for step in rng.integers(-9, 15, 25)]
    rows, again = compared(once), compared([questions * 4 for questions in once])
    for measure in ("accuracy", "infogain_nats"):
        one, four = rows[measure], again[measure]
        assert (one.n, four.n, one.n_clusters, four.n_clusters) == (25, 100, 25, 25)
        assert (four.low, four.high, four.p) == pytest.approx((one.low, one.high, one.p))
        assert four.sd == pytest.approx(one.sd)
    one, four = rows["accuracy"], again["accuracy"]
    assert one.needed is not None
    assert four.needed is not None
    assert one.needed > 25
    assert 4 * (one.needed - 1) < four.needed <= 4 * one.needed, "as many texts, each of them four times"


def test_questions_needed_are_texts_needed_times_questions_per_text():
    """By normal quantiles: the test at a corrected level, and the interval, whichever wants more."""
    clusters = drawn(np.random.default_rng(4), [1, 2, 3, 6] * 10)
    own = differences(clusters)
    questions = sum(map(len, own))
    mean, size = math.fsum(itertools.chain(*own)) / questions, questions / len(own)
    spread = stdev((math.fsum(cluster) - len(cluster) * mean) / size for cluster in own)
    row = compared(clusters, dataclasses.replace(POWER_ONLY, smallest_gain=0.2, alpha=0.01))["infogain_nats"]
    assert row.sd == pytest.approx(spread)
    assert row.smallest == pytest.approx(0.2 * stdev(before for questions in clusters for before, _ in questions))
    z = NormalDist().inv_cdf
    level = 0.01 / TESTED / 2
    test, interval = z(1 - level) + z(0.8), z(0.975) + z(0.9)
    assert test > interval
    # A t test needs a few more than a normal one: half of z squared.
    texts = (test * spread / row.smallest) ** 2 + z(1 - level) ** 2 / 2
    assert row.needed == pytest.approx(texts * size, rel=0.003)


def power_of(effect: float, n: int, level: float, *, enclosed: bool = False) -> float:
    """Of a two-sided t test, or that the interval lies within ±effect: over the spreads that may be seen."""
    bound, shift = t.isf(level / 2, n - 1), effect * math.sqrt(n)
    spreads = np.sqrt(chi2.ppf((np.arange(20_000) + 0.5) / 20_000, n - 1) / (n - 1))
    if enclosed:
        return float(np.mean(np.clip(2 * norm.cdf(shift - bound * spreads) - 1, 0, 1)))
    return float(np.mean(norm.cdf(shift - bound * spreads) + norm.cdf(-shift - bound * spreads)))


@pytest.mark.parametrize("effect", [0.3, 1, 1.5, 2.5, 3.5, 4, 5.5, 7, 9, 9.5, 11, 1e6])
def test_questions_needed_are_the_fewest_that_give_the_power(effect):
    """Also where the difference that matters is far larger than the spread."""
    base = [0.25 + i % 2 / 2 for i in range(20)]
    move = 0.2 * stdev(base) / effect * math.sqrt(19 / 20)
    clusters = [[(value, value + (move if i // 2 % 2 else -move))] for i, value in enumerate(base)]
    row = compared(clusters, POWER_ONLY)["infogain_nats"]
    assert row.smallest / row.sd == pytest.approx(effect)

    def enough(n: int) -> bool:
        return (
            n >= FEWEST
            and power_of(effect, n, 0.05 / TESTED) >= POWER_ONLY.power
            and power_of(effect, n, 0.05, enclosed=True) >= POWER_ONLY.power - 1e-3
        )

    assert row.needed is not None
    assert enough(row.needed)
    assert not enough(row.needed - 1)


@pytest.mark.parametrize("copies", [1, 4])
def test_without_any_spread_as_many_texts_are_needed_as_the_test_can_decide_with(copies):
    base = [0.25 + i % 2 / 2 for i in range(8)]
    row = compared([[(value, value + 0.125)] * copies for value in base], POWER_ONLY)["infogain_nats"]
    assert (row.sd, row.needed) == (0, FEWEST * copies)


def test_share_of_few_clusters_that_move_needs_more_of_them():
    """The test sees only questions that move: where one in ten does, ten times as many are needed to decide."""
    clusters = [[(0.5, 0.5 + (1e-4 if i % 10 == 0 else 0))] for i in range(60)]
    assert compared(clusters, POWER_ONLY)["accuracy"].needed == max(10 * FEWEST, 92)
