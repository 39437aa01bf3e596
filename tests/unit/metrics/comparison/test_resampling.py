"""Resampling against SciPy's, and its time: one draw and one matrix product for all measures."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from made_runs import chain, record, run
from scipy.stats import bootstrap, norm, permutation_test, t

from stepgauge.metrics.comparison import Row, Settings, compare_runs, question_hash

MEASURES = ("infogain_nats", "infogain_nats_without_final")


def rows(differences: np.ndarray, resamples: int = 9999) -> dict[str, Row]:
    """Gains of 0 against these; the second measure has them doubled."""
    sides = []
    for name, values in (("base", np.zeros_like(differences)), ("tuned", differences)):
        chains = [chain([-9.0, -9.0 + one], infogain_nats=one, infogain_nats_without_final=2 * one) for one in values]
        sides.append(run(name, [record(i, one) for i, one in enumerate(chains)]))
    settings = Settings(resamples=resamples, deciding=MEASURES)
    return {row.measure: row for row in compare_runs(*sides, settings).tasks[0].rows}


def level(n: int) -> float:
    """A t distribution's 95 % as the level of SciPy's interval of n clusters."""
    return float(1 - 2 * norm.cdf(-np.sqrt(n / (n - 1)) * t.isf(0.025, n - 1)))


@pytest.mark.parametrize("n", [4, 9, 25, 60, 1100])
def test_interval_is_scipys_bca_at_the_level_of_a_t_distribution(n):
    """Same seed, same draws. Multiples of 1/64, skewed, so that sums are exact in any order."""
    differences = np.round(np.random.default_rng(n).exponential(1, n) * 64) / 64 - 0.5
    found = rows(differences)
    # A cluster is a question, and clusters are in the order of their hashes: SciPy draws from the same order.
    order = np.argsort([question_hash(f"Question {i}?") for i in range(n)])
    draws = {"n_resamples": 9999, "confidence_level": level(n), "batch": 500, "rng": np.random.default_rng(0)}
    expected = bootstrap((differences[order],), np.mean, **draws).confidence_interval
    assert (found["infogain_nats"].low, found["infogain_nats"].high) == pytest.approx(tuple(expected), abs=1e-12)
    doubled = found["infogain_nats_without_final"]
    assert (doubled.low, doubled.high) == pytest.approx((2 * expected.low, 2 * expected.high), abs=1e-12)


def test_interval_of_unequal_clusters_and_of_missing_numbers_is_scipys_bca_too():
    """One measure has all, one lacks every fifth cluster, one has the last question of each cluster alone."""
    rng = np.random.default_rng(8)
    own = [np.round(rng.exponential(1, size) * 64) / 64 - 0.5 for size in rng.integers(1, 5, 70)]
    measures = {
        "infogain_nats": own,
        "infogain_nats_without_final": [one if i % 5 else one * np.nan for i, one in enumerate(own)],
        "infogain_nats_before_answer": [np.append(one[:-1] * np.nan, one[-1]) for one in own],
    }
    sides = ([], [])
    for cluster, i in ((cluster, i) for cluster, values in enumerate(own) for i in range(len(values))):
        gains = {measure: float(values[cluster][i]) for measure, values in measures.items()}
        for records, factor in zip(sides, (0, 1), strict=True):
            score = chain([-9.0, -8.0], **{measure: factor * gain for measure, gain in gains.items()})
            records.append(record(10 * cluster + i, score, question=f"Cluster {cluster}?"))
    (task,) = compare_runs(*(run(name, one) for name, one in zip(("base", "tuned"), sides, strict=True))).tasks
    order = np.argsort([question_hash(f"Cluster {i}?") for i in range(70)])
    for measure, values in measures.items():
        kept = [there for i in order if len(there := values[i][np.isfinite(values[i])])]
        expected = bootstrap(
            ([one.sum() for one in kept], [len(one) for one in kept]),
            lambda sums, counts, axis: sums.sum(axis) / counts.sum(axis),
            n_resamples=9999,
            confidence_level=level(len(kept)),
            paired=True,
            rng=np.random.default_rng(0),
        ).confidence_interval
        row = task.row(measure)
        assert (row.n, row.n_clusters) == (sum(map(len, kept)), len(kept))
        assert (row.low, row.high) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(("n", "tolerance"), [(3, 1e-12), (9, 1e-12), (13, 1e-12), (40, 0.02), (1100, 0.02)])
def test_p_is_scipys_and_exact_where_all_flips_can_be_counted(n, tolerance):
    differences = np.round((np.random.default_rng(n).normal(0.3, 1, n)) * 64) / 64
    expected = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=9999, batch=500, rng=1)
    found = rows(differences)
    for name in MEASURES:
        assert found[name].p == pytest.approx(expected.pvalue, abs=tolerance)


def test_level_of_the_interval_holds_for_few_questions_too():
    """The lower end is above the truth in 2.5 % of the runs."""
    rng = np.random.default_rng(5)
    missed = {8: 0, 30: 0}
    for n in missed:
        for _ in range(200):
            missed[n] += not rows(rng.normal(0, 1, n), 999)["infogain_nats"].low <= 0
    assert all(count <= 12 for count in missed.values()), missed  # binomial(200, .025) is above 12 once in 700


@pytest.mark.slow
def test_time_of_resampling_is_linear_in_the_questions():
    from stepgauge.metrics.comparison.statistics import clustered, intervals, permutation_ps

    rng = np.random.default_rng(0)
    seconds = {}
    for n in (5_000, 20_000):
        names = [str(i) for i in range(n)]
        many = [clustered(rng.normal(0, 1, n), names) for _ in range(4)]
        start = time.process_time()
        intervals(many, resamples=1999, seed=0)
        permutation_ps(many, resamples=1999, seed=0)
        seconds[n] = time.process_time() - start
    assert seconds[20_000] < 8 * seconds[5_000], seconds


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 10_000, 50_000])
def test_memory_of_resampling_is_that_of_a_block_and_of_the_data(n):
    """4 measures, their counts and copies are 10 numbers a question; a block is 8 MB, and two are held at a time."""
    from stepgauge.metrics.comparison.statistics import clustered, intervals, permutation_ps

    rng = np.random.default_rng(0)
    many = [clustered(rng.normal(0, 1, n), [str(i) for i in range(n)]) for _ in range(4)]
    intervals(many, resamples=999, seed=0)  # imports
    tracemalloc.start()
    intervals(many, resamples=4_999, seed=0)
    permutation_ps(many, resamples=4_999, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24e6 + 160 * n, peak
