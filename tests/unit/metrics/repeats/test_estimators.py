"""Estimators over the responses to one question, against brute force over all subsets and exact expectations."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import Counter
from fractions import Fraction

import pytest

from stepgauge.metrics.repeats.estimators import (
    between_terms,
    entropy_bits,
    majority_at_k,
    pass_at_k,
    pass_hat_k,
    within_variance,
)


def subsets(n: int, k: int) -> list[tuple[int, ...]]:
    return list(itertools.combinations(range(n), k))


@pytest.mark.parametrize("n", range(1, 9))
def test_pass_at_k_and_pass_hat_k_are_shares_of_all_subsets(n):
    for right in range(n + 1):
        correct = [i < right for i in range(n)]
        for k in range(1, n + 1):
            drawn = [[correct[i] for i in subset] for subset in subsets(n, k)]
            assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, drawn)) / len(drawn))
            assert pass_hat_k(n, right, k) == pytest.approx(sum(map(all, drawn)) / len(drawn))


def vote(drawn: list[tuple[str | None, float]], mean: dict[str, Fraction]) -> Fraction:
    """The accuracy that the most frequent answer has; of equally frequent ones each has the same chance."""
    counts = Counter(answer for answer, _ in drawn if answer is not None)
    if not counts:
        return sum((Fraction(value) for _, value in drawn), Fraction(0)) / len(drawn)
    best = [answer for answer, count in counts.items() if count == max(counts.values())]
    return sum((mean[answer] for answer in best), Fraction(0)) / len(best)


@pytest.mark.parametrize("seed", range(40))
def test_majority_is_the_mean_vote_over_all_subsets(seed):
    rng = random.Random(seed)
    n = rng.randint(1, 9)
    answers = [rng.choice(["1", "2", "3", "4", None]) for _ in range(n)]
    right = {answer: rng.choice([0.0, 1.0]) for answer in {"1", "2", "3", "4"}}
    # Now and then the run's metric grades equal answers differently.
    votes = [
        (answer, rng.choice([0.0, 1.0]) if rng.random() < 0.1 else right.get(answer or "", 0.0)) for answer in answers
    ]
    by_answer = {
        answer: Fraction(
            sum(int(value) for one, value in votes if one == answer), sum(one == answer for one in answers)
        )
        for answer in answers
        if answer is not None
    }
    for k in range(1, n + 1):
        expected = [vote([votes[i] for i in subset], by_answer) for subset in subsets(n, k)]
        assert majority_at_k(votes, k) == pytest.approx(float(sum(expected) / len(expected)), abs=1e-12)


def test_majority_of_many_responses_is_fast_and_exact_at_the_ends():
    votes = [(str(i % 13), float(i % 13 == 0)) for i in range(64)]
    assert majority_at_k(votes, 1) == pytest.approx(5 / 64)
    # Of 64 the answers 0 to 11 have 5 votes each, 12 has 4: twelve are equally frequent, and one of them is right.
    assert majority_at_k(votes, 64) == pytest.approx(1 / 12)


def test_within_variance_is_that_of_a_sample():
    values = [0.0, 1.0, 1.0, 0.5]
    assert within_variance(values) == pytest.approx(statistics.variance(values))


def test_two_responses_tell_how_pass_at_2_and_pass_hat_2_differ_from_accuracy():
    """pass@2 = pass@1 + the variance within, pass^2 = pass@1 - the variance within, for every count."""
    for n in range(2, 9):
        for right in range(n + 1):
            spread = within_variance([float(i < right) for i in range(n)])
            assert pass_at_k(n, right, 2) == pytest.approx(right / n + spread)
            assert pass_hat_k(n, right, 2) == pytest.approx(right / n - spread)


@pytest.mark.parametrize("counts", [(2, 2, 2), (2, 3, 4)])
def test_variances_are_unbiased_with_unequal_numbers_of_responses(counts):
    """Expectation over every outcome of every draw, exactly: questions from a population of two kinds."""
    kinds = (Fraction(1, 5), Fraction(9, 10))
    between = within = Fraction(0)
    for true in itertools.product(kinds, repeat=len(counts)):
        for drawn in itertools.product(*(itertools.product((0, 1), repeat=n) for n in counts)):
            chance = Fraction(1, len(kinds) ** len(counts))
            for p, values in zip(true, drawn, strict=True):
                for value in values:
                    chance *= p if value else 1 - p
            spreads = [within_variance([float(value) for value in values]) for values in drawn]
            means = [sum(values) / len(values) for values in drawn]
            within += chance * Fraction(sum(spreads) / len(spreads))
            between += chance * Fraction(statistics.mean(between_terms(means, spreads, counts)))
    mean = sum(kinds) / len(kinds)
    assert float(between) == pytest.approx(float(sum((p - mean) ** 2 for p in kinds) / len(kinds)), abs=1e-9)
    assert float(within) == pytest.approx(float(sum(p * (1 - p) for p in kinds) / len(kinds)), abs=1e-9)


def test_entropy_is_in_bits():
    assert entropy_bits(["a", "b", "c", "d"]) == pytest.approx(2)
    assert entropy_bits(["a"] * 8) == 0
    assert math.copysign(1, entropy_bits(["a"] * 8)) == 1
    assert entropy_bits(["a", "a", "a", "b"]) == pytest.approx(2 - 0.75 * math.log2(3))
