"""InfoGain and its relatives: numbers computed from log p(gold answer | question, steps so far).

Notation: l_i is the log-likelihood in nats after i of t steps, N the number of answer tokens,
PPL_i = exp(-l_i / N). Formulas: arXiv 2506.02126, section 3.3; arXiv 2411.11984 for the theory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from .chain import Chain, ChainMetric, Likelihoods
from .missing import Missing


def perplexity(log_likelihood: float, n_tokens: int) -> float:
    """exp(-log-likelihood / tokens), from nats. inf when the exponent is beyond a float."""
    exponent = -log_likelihood / n_tokens
    return math.exp(exponent) if exponent < 709 else math.inf


def mean_perplexity_drop(log_likelihoods: Sequence[float], n_tokens: Sequence[int]) -> float:
    """(1/t) sum of PPL_{i-1} - PPL_i over t+1 log-likelihoods.

    Raises Missing when there is no step or a perplexity is beyond a float.
    """
    if len(log_likelihoods) < 2:
        raise Missing("no steps")
    ppl = [perplexity(value, n) for value, n in zip(log_likelihoods, n_tokens, strict=True)]
    if not all(map(math.isfinite, ppl)):
        raise Missing("a perplexity is too large for a float")
    # Summed step by step, as defined, though it telescopes: the sum is the same to rounding.
    drops = [before - after for before, after in pairwise(ppl)]
    return math.fsum(drops) / len(drops)


def gains(log_likelihoods: Sequence[float]) -> list[float]:
    """l_i - l_{i-1} in nats, per step."""
    return [after - before for before, after in pairwise(log_likelihoods)]


def softmax(log_likelihoods: Sequence[float]) -> list[float]:
    """Probabilities over options from their log-likelihoods in nats."""
    top = max(log_likelihoods)
    weights = [math.exp(value - top) for value in log_likelihoods]
    return [weight / math.fsum(weights) for weight in weights]


def entropy_bits(probabilities: Sequence[float]) -> float:
    """Shannon entropy in bits."""
    return -math.fsum(p * math.log2(p) for p in probabilities if p > 0)


def gold_probabilities(chain: Chain) -> list[float]:
    """Probability of the gold option among the choices, after 0..t steps. Raises Missing without choices."""
    options = _choices(chain)
    assert chain.trace.choices is not None
    gold = list(chain.trace.choices).index(chain.trace.answers[0])
    return [softmax(row)[gold] for row in options]


def _likelihoods(chain: Chain) -> Likelihoods:
    if chain.likelihoods is None:
        raise Missing(chain.no_likelihoods)
    return chain.likelihoods


def _with_steps(chain: Chain) -> Likelihoods:
    likelihoods = _likelihoods(chain)
    if not chain.steps:
        raise Missing("no steps in the response")
    return likelihoods


def _choices(chain: Chain) -> Sequence[Sequence[float]]:
    likelihoods = _likelihoods(chain)
    if likelihoods.choices is None:
        raise Missing("not a multiple-choice question")
    return likelihoods.choices


def _before_answer(chain: Chain) -> int:
    """Number of steps before the first one that states the gold answer; all of them when none does."""
    _with_steps(chain)
    for i, step in enumerate(chain.steps):
        if step.states_answer:
            if i == 0:
                raise Missing("the first step states the answer")
            return i
    return len(chain.steps)


def _without_final(chain: Chain) -> tuple[Sequence[float], Sequence[int]]:
    likelihoods = _with_steps(chain)
    assert likelihoods.without_final is not None
    assert likelihoods.n_answer_tokens_without_final is not None
    if len(likelihoods.without_final) < 2:
        raise Missing("every step only announces the final answer")
    return likelihoods.without_final, likelihoods.n_answer_tokens_without_final


def infogain(chain: Chain) -> float:
    likelihoods = _with_steps(chain)
    return mean_perplexity_drop(likelihoods.answer, likelihoods.n_answer_tokens)


def infogain_nats(chain: Chain) -> float:
    values = _with_steps(chain).answer
    return values[-1] - values[0]


def infogain_bits(chain: Chain) -> float:
    return infogain_nats(chain) / math.log(2)


def infogain_nats_per_step(chain: Chain) -> float:
    return infogain_nats(chain) / len(chain.steps)


def infogain_nats_per_step_token(chain: Chain) -> float:
    context = _with_steps(chain).n_context_tokens
    added = context[-1] - context[0]
    if added < 1:
        raise Missing("the steps add no tokens")
    return infogain_nats(chain) / added


def infogain_nats_per_answer_token(chain: Chain) -> float:
    return infogain_nats(chain) / _with_steps(chain).n_answer_tokens[-1]


def infogain_without_final(chain: Chain) -> float:
    return mean_perplexity_drop(*_without_final(chain))


def infogain_nats_without_final(chain: Chain) -> float:
    values, _ = _without_final(chain)
    return values[-1] - values[0]


def infogain_before_answer(chain: Chain) -> float:
    steps = _before_answer(chain)
    likelihoods = _with_steps(chain)
    return mean_perplexity_drop(likelihoods.answer[: steps + 1], likelihoods.n_answer_tokens[: steps + 1])


def infogain_nats_before_answer(chain: Chain) -> float:
    values = _with_steps(chain).answer
    return values[_before_answer(chain)] - values[0]


def informative_share(chain: Chain) -> float:
    per_step = gains(_with_steps(chain).answer)
    return sum(gain > chain.epsilon for gain in per_step) / len(per_step)


def regressive_share(chain: Chain) -> float:
    per_step = gains(_with_steps(chain).answer)
    return sum(gain < -chain.epsilon for gain in per_step) / len(per_step)


def half_gain_position(chain: Chain) -> float:
    values = _with_steps(chain).answer
    total = values[-1] - values[0]
    if total <= chain.epsilon:
        raise Missing(f"the chain gains no more than epsilon ({chain.epsilon:g} nats) in total")
    reached = next(i for i, value in enumerate(values) if value - values[0] >= total / 2)
    return reached / len(chain.steps)


def entropy_drop_bits(chain: Chain) -> float:
    _with_steps(chain)
    options = _choices(chain)
    return entropy_bits(softmax(options[0])) - entropy_bits(softmax(options[-1]))


def gold_probability(chain: Chain) -> float:
    _with_steps(chain)
    return gold_probabilities(chain)[-1]


def n_steps(chain: Chain) -> float:
    return float(len(chain.steps))


def infogain_reference(chain: Chain) -> float:
    likelihoods = _with_steps(chain)
    if likelihoods.whole is None:
        raise Missing("computed only with variant='reference'")
    ppl = [perplexity(value, n) for value, n in likelihoods.whole]
    if not all(map(math.isfinite, ppl)):
        raise Missing("a perplexity is too large for a float")
    return (ppl[0] - ppl[-1]) / len(ppl)


INFOGAIN_METRICS = (
    ChainMetric("n_steps", n_steps, None, "steps", "Steps in the chain."),
    ChainMetric("infogain", infogain, True, "PPL", "Mean drop of the answer's perplexity per step (the paper's)."),
    ChainMetric("infogain_nats", infogain_nats, True, "nats", "Log-likelihood gained by the whole chain."),
    ChainMetric("infogain_bits", infogain_bits, True, "bits", "The same in bits."),
    ChainMetric("infogain_nats_per_step", infogain_nats_per_step, True, "nats/step", "Gain per step."),
    ChainMetric(
        "infogain_nats_per_step_token", infogain_nats_per_step_token, True, "nats/token", "Gain per token of the steps."
    ),
    ChainMetric(
        "infogain_nats_per_answer_token",
        infogain_nats_per_answer_token,
        True,
        "nats/token",
        "Gain per token of the gold answer.",
    ),
    ChainMetric(
        "infogain_without_final", infogain_without_final, True, "PPL", "infogain without final-answer boilerplate."
    ),
    ChainMetric(
        "infogain_nats_without_final",
        infogain_nats_without_final,
        True,
        "nats",
        "infogain_nats without final-answer boilerplate.",
    ),
    ChainMetric(
        "infogain_before_answer", infogain_before_answer, True, "PPL", "infogain up to the first step with the answer."
    ),
    ChainMetric(
        "infogain_nats_before_answer",
        infogain_nats_before_answer,
        True,
        "nats",
        "infogain_nats up to the first step with the answer.",
    ),
    ChainMetric("informative_share", informative_share, True, "share", "Steps that gain more than epsilon nats."),
    ChainMetric("regressive_share", regressive_share, False, "share", "Steps that lose more than epsilon nats."),
    ChainMetric(
        "half_gain_position", half_gain_position, None, "share", "Share of the chain after which half is gained."
    ),
    ChainMetric("entropy_drop_bits", entropy_drop_bits, True, "bits", "Entropy over the options, before minus after."),
    ChainMetric("gold_probability", gold_probability, True, "probability", "Gold option's probability at the end."),
)

REFERENCE_METRIC = ChainMetric(
    "infogain_reference",
    infogain_reference,
    True,
    "PPL",
    "What the published code computes: whole-sequence perplexity, divided by steps + 1 (here in float32, on the "
    "step's own text).",
)
