"""How probable the scoring LM finds the option that a chain chose: the chain's confidence in its own answer."""

from __future__ import annotations

import math

from .answers.own_option import own_option
from .chain import Chain, ChainMetric
from .errors import Missing
from .infogain import option_scores, with_steps
from .probability import softmax


def _own_probability(chain: Chain, *, per_token: bool) -> float:
    scores = option_scores(with_steps(chain), per_token=per_token)[-1]
    trace = chain.trace
    assert trace.choices is not None
    own = own_option([step.text for step in chain.steps], trace.choices, trace.model_answer)
    if own is None:
        raise Missing("the response names none of the options as its answer")
    # Options of the same text count as one.
    same = [option.strip() == own.strip() for option in trace.choices]
    return min(1.0, math.fsum(p for p, is_own in zip(softmax(scores), same, strict=True) if is_own))


def own_probability(chain: Chain) -> float:
    return _own_probability(chain, per_token=False)


def own_probability_per_token(chain: Chain) -> float:
    return _own_probability(chain, per_token=True)


OWN_OPTION_METRICS = (
    ChainMetric(
        "own_probability",
        own_probability,
        None,
        "probability",
        "Probability, among all options after the chain, of the option that the response chose: the chain's "
        "confidence; multiple choice only.",
    ),
    ChainMetric(
        "own_probability_per_token",
        own_probability_per_token,
        None,
        "probability",
        "own_probability with each option's log-likelihood divided by its tokens.",
    ),
)
