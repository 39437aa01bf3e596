"""Probabilities from log-likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence


def softmax(log_likelihoods: Sequence[float]) -> list[float]:
    """Probabilities over options from their log-likelihoods in nats."""
    top = max(log_likelihoods)
    weights = [math.exp(value - top) for value in log_likelihoods]
    return [weight / math.fsum(weights) for weight in weights]
