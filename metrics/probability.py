"""Probabilities from log-likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence


def log_sum_exp(log_likelihoods: Sequence[float]) -> float:
    """Log of the summed probabilities of one or more log-likelihoods in nats; of one, that one itself."""
    top = max(log_likelihoods)
    return top + math.log(math.fsum(math.exp(value - top) for value in log_likelihoods))


def softmax(log_likelihoods: Sequence[float]) -> list[float]:
    """Probabilities over options from their log-likelihoods in nats."""
    top = max(log_likelihoods)
    weights = [math.exp(value - top) for value in log_likelihoods]
    return [weight / math.fsum(weights) for weight in weights]
