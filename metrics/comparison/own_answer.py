"""What a chain does before it states an answer of its own, right or wrong: measures that decide about reasoning.

Neither how the last line is worded nor whether it is right moves them: all that they count comes before the first step
that announces an answer, states the gold answer, or states the answer that the chain ends up with. Where none of that
was recognised, the last step is taken for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import Missing
from ..knowledge.policy import DEFAULT, POLICIES
from ..trace import steps_before_own_answer as steps_before
from .record import Record


def steps_before_own_answer(record: Record) -> int:
    """Steps before the first that states an answer, 0 to t - 1. Raises Missing for a chain without steps."""
    steps = record.score.steps
    if not steps:
        raise Missing("no steps in the response")
    commit = record.score.metrics.get("commit_step", math.nan)
    return steps_before(steps, None if math.isnan(commit) else int(commit) - 1)


def gain_before_own_answer(record: Record) -> float:
    """Log-likelihood of the gold answer after those steps, minus that before the chain. 0 where there are none.

    If chains that only give an answer were left out, a model that stopped reasoning would be compared only on those
    where it still reasons.
    """
    count = steps_before_own_answer(record)
    score = record.score
    if not score.log_likelihoods:
        raise Missing(score.missing.get("infogain_nats", "no log-likelihoods"))
    gain = score.log_likelihoods[count] - score.log_likelihoods[0]
    if math.isnan(gain):
        raise Missing("a log-likelihood is missing")
    return gain


def gain_over(control: str) -> Callable[[Record], float]:
    """The same gain minus that of a control with as many steps: what their content contributes."""

    def compute(record: Record) -> float:
        gain = gain_before_own_answer(record)
        score = record.score
        found = score.controls.get(control)
        if found is None:
            raise Missing(f"not scored with the control {control!r}")
        if not steps_before_own_answer(record):
            return gain
        value = found.log_likelihood_before_own_answer
        if math.isnan(value):
            raise Missing(f"control {control!r} has no likelihood before the chain's own answer")
        return gain - (value - score.log_likelihoods[0])

    return compute


def reasons_first(record: Record) -> float:
    """1 where a step comes before the first that states an answer, 0 where the chain begins with its answer."""
    return float(steps_before_own_answer(record) > 0)


def supported_before_own_answer(record: Record) -> float:
    """Of the steps up to the first that states an answer, the share that comes before it and whose claims hold.

    0 for a chain that only gives an answer, or says nothing that a judge could support.
    """
    count = steps_before_own_answer(record)
    score = record.score
    if "ki" not in score.metrics or "was not judged" in score.missing.get("ki", ""):
        raise Missing("knowledge was not judged")
    policy = POLICIES.get(str(score.provenance.get("policy", DEFAULT.name)), DEFAULT)
    outcomes = [policy.step(step.verdicts) for step in score.steps[:count]]
    if "unscored" in outcomes:
        raise Missing(score.missing.get("ki", "a judge failed on a step before the answer"))
    return outcomes.count("consistent") / (count + 1)
