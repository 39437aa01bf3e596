"""Estimators over the n responses to one question, each unbiased under independent sampling unless it says otherwise.

Sources: pass@k: Chen et al. 2021, arXiv 2107.03374, equation 1. pass^k: Yao et al. 2024, arXiv 2406.12045, section 3.
maj@k: the vote of self-consistency, Wang et al. 2022, arXiv 2203.11171. The formulas are in docs/repeats.md.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def within_variance(values: Sequence[float]) -> float:
    """The variance of one response, from n >= 2 of them: sum of squared deviations / (n - 1)."""
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def between_terms(means: Sequence[float], within: Sequence[float], counts: Sequence[int]) -> list[float]:
    """One term per question; their mean estimates the variance of the questions' true means, without bias.

    The variance of the observed means over Q >= 2 questions has the within-question variance in it: that of question q
    is sampled n_q times, so it adds within[q] / counts[q], which is taken off. Questions may differ in their variance
    and in n_q. The estimate can be negative where there is little variance between questions; it is not cut at 0, since
    that would bias it.
    """
    mean = math.fsum(means) / len(means)
    scale = len(means) / (len(means) - 1)
    return [scale * (one - mean) ** 2 - spread / n for one, spread, n in zip(means, within, counts, strict=True)]


def pass_at_k(n: int, right: int, k: int) -> float:
    """Probability that one or more of k responses are right, k <= n: 1 - C(n - right, k) / C(n, k)."""
    return 1 - math.comb(n - right, k) / math.comb(n, k)


def pass_hat_k(n: int, right: int, k: int) -> float:
    """Probability that all of k responses are right, k <= n: C(right, k) / C(n, k)."""
    return math.comb(right, k) / math.comb(n, k)


def majority_at_k(votes: Sequence[tuple[Hashable | None, float]], k: int) -> float:
    """Expected accuracy of the most frequent answer among k of n responses, k <= n, over all subsets of size k.

    Args:
        votes: (answer, accuracy) of each response. Responses without an answer (None) do not vote; a subset of only
            such has their mean accuracy. Of equally frequent answers each is taken with the same probability. An
            answer's accuracy is the mean over its responses.
    """
    groups: dict[Hashable, list[float]] = {}
    silent: list[float] = []
    for answer, value in votes:
        (silent if answer is None else groups.setdefault(answer, [])).append(value)
    classes = sorted((len(values), math.fsum(values) / len(values)) for values in groups.values())
    quiet = (len(silent), math.fsum(silent) / len(silent) if silent else 0.0)
    return _majority(tuple(classes), quiet, k)


@functools.lru_cache(maxsize=20_000)
def _majority(classes: tuple[tuple[int, float], ...], silent: tuple[int, float], k: int) -> float:
    """Counts subsets by their largest vote m and the number of answers that reach it, class by class.

    ways[r, t] is the number of ways to draw t responses so that r answers have m votes and none has more; worth[r, t]
    is the sum over those ways of the accuracies of the answers with m votes.
    """
    drawn, quiet = math.comb(sum(count for count, _ in classes) + silent[0], k), np.zeros(k + 1)
    quiet[: min(k, silent[0]) + 1] = [math.comb(silent[0], t) for t in range(min(k, silent[0]) + 1)]
    total = silent[1] * float(quiet[k])
    for most in range(1, min(k, max((count for count, _ in classes), default=0)) + 1):
        reach = k // most
        ways, worth = np.zeros((reach + 1, k + 1)), np.zeros((reach + 1, k + 1))
        ways[0] = quiet
        for count, value in classes:
            fewer = np.array([math.comb(count, t) for t in range(min(most - 1, count) + 1)], dtype=float)
            more_ways, more_worth = _times(ways, fewer), _times(worth, fewer)
            if count >= most:
                hit = math.comb(count, most)
                more_ways[1:, most:] += hit * ways[:-1, : k + 1 - most]
                more_worth[1:, most:] += hit * (worth + value * ways)[:-1, : k + 1 - most]
            ways, worth = more_ways, more_worth
        total += math.fsum(float(worth[r, k]) / r for r in range(1, reach + 1))
    return total / drawn


def _times(table: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros_like(table)
    for shift, factor in enumerate(factors[: table.shape[1]]):
        out[:, shift:] += factor * table[:, : table.shape[1] - shift]
    return out


def entropy_bits(answers: Sequence[Hashable]) -> float:
    """Shannon entropy of the answers' shares, in bits. It is the plug-in estimate, too low for few responses."""
    counts = Counter(answers).values()
    return math.fsum(-count / len(answers) * math.log2(count / len(answers)) for count in counts) + 0.0
