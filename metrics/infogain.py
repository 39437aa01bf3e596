"""InfoGain and its relatives: numbers computed from log p(gold answer | question, steps so far).

Notation: l_i is the log-likelihood in nats after i of t steps, N the number of answer tokens,
PPL_i = exp(-l_i / N). Formulas: arXiv 2506.02126, section 3.3; arXiv 2411.11984 for the theory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from .answers.finals import commit_of
from .chain import Chain, ChainMetric, Likelihoods
from .errors import Missing
from .probability import softmax
from .trace import steps_before_answer

BEFORE = "_before_answer"


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


def entropy_bits(probabilities: Sequence[float]) -> float:
    """Shannon entropy in bits."""
    return -math.fsum(p * math.log2(p) for p in probabilities if p > 0)


def gold_probabilities(chain: Chain, *, per_token: bool = False) -> list[float]:
    """Probability that the choice is right, after 0..t steps: of all gold options, and of each time one is listed.

    Args:
        per_token: compare the options by their log-likelihood per token, since by its sum short options are likelier.

    Raises Missing without choices.
    """
    options = option_scores(_likelihoods(chain), per_token=per_token)
    assert chain.trace.choices is not None
    golds = chain.trace.distinct_answers
    right = [option.strip() in golds for option in chain.trace.choices]
    return [math.fsum(p for p, is_gold in zip(softmax(row), right, strict=True) if is_gold) for row in options]


def _likelihoods(chain: Chain) -> Likelihoods:
    if chain.likelihoods is None:
        raise Missing(chain.no_likelihoods)
    return chain.likelihoods


def with_steps(chain: Chain) -> Likelihoods:
    likelihoods = _likelihoods(chain)
    if not chain.steps:
        raise Missing("no steps in the response")
    return likelihoods


def option_scores(likelihoods: Likelihoods, *, per_token: bool = False) -> Sequence[Sequence[float]]:
    """Each option's log-likelihood after 0..t steps, in nats or in nats per token. Raises Missing without choices."""
    if likelihoods.choices is None:
        raise Missing("not a multiple-choice question")
    if not per_token:
        return likelihoods.choices
    assert likelihoods.n_choice_tokens is not None
    return [
        [value / n for value, n in zip(values, counts, strict=True)]
        for values, counts in zip(likelihoods.choices, likelihoods.n_choice_tokens, strict=True)
    ]


def before_answer(chain: Chain) -> int:
    """Steps before the first that states the gold answer; all of them when none does. Raises Missing for none."""
    if not chain.steps:
        raise Missing("no steps in the response")
    count = steps_before_answer(chain.steps)
    if not count:
        raise Missing("the first step states the answer")
    return count


def _without_final(chain: Chain) -> tuple[Sequence[float], Sequence[int]]:
    likelihoods = with_steps(chain)
    assert likelihoods.without_final is not None
    assert likelihoods.n_answer_tokens_without_final is not None
    if len(likelihoods.without_final) < 2:
        raise Missing("every step only announces the final answer")
    return likelihoods.without_final, likelihoods.n_answer_tokens_without_final


def _infogain(likelihoods: Likelihoods, k: int) -> float:
    return mean_perplexity_drop(likelihoods.answer[: k + 1], likelihoods.n_answer_tokens[: k + 1])


def _nats(likelihoods: Likelihoods, k: int) -> float:
    return likelihoods.answer[k] - likelihoods.answer[0]


def _bits(likelihoods: Likelihoods, k: int) -> float:
    return _nats(likelihoods, k) / math.log(2)


def _nats_per_step(likelihoods: Likelihoods, k: int) -> float:
    return _nats(likelihoods, k) / k


def _nats_per_step_token(likelihoods: Likelihoods, k: int) -> float:
    added = likelihoods.n_context_tokens[k] - likelihoods.n_context_tokens[0]
    if added < 1:
        raise Missing("the steps add no tokens")
    return _nats(likelihoods, k) / added


def _nats_per_answer_token(likelihoods: Likelihoods, k: int) -> float:
    return _nats(likelihoods, k) / likelihoods.n_answer_tokens[k]


def _entropy_drop_bits(likelihoods: Likelihoods, k: int) -> float:
    return _drop_bits(option_scores(likelihoods), k)


def _entropy_drop_bits_per_token(likelihoods: Likelihoods, k: int) -> float:
    return _drop_bits(option_scores(likelihoods, per_token=True), k)


def _drop_bits(options: Sequence[Sequence[float]], k: int) -> float:
    return entropy_bits(softmax(options[0])) - entropy_bits(softmax(options[k]))


def _reference(likelihoods: Likelihoods, k: int) -> float:
    if likelihoods.whole is None:
        raise Missing("computed only with variant='reference'")
    ppl = [perplexity(value, n) for value, n in likelihoods.whole[: k + 1]]
    if not all(map(math.isfinite, ppl)):
        raise Missing("a perplexity is too large for a float")
    return (ppl[0] - ppl[-1]) / len(ppl)


def _two_forms(
    name: str, gain: Callable[[Likelihoods, int], float], unit: str, description: str
) -> tuple[ChainMetric, ChainMetric]:
    """A gain over the whole chain, and up to the first step that states the answer.

    Args:
        gain: of the chain's first k steps, from its likelihoods and k, at least 1.
    """

    def whole(chain: Chain) -> float:
        return gain(with_steps(chain), len(chain.steps))

    def before(chain: Chain) -> float:
        return gain(with_steps(chain), before_answer(chain))

    return (
        ChainMetric(name, whole, True, unit, description),
        ChainMetric(
            f"{name}{BEFORE}", before, True, unit, f"{name}, up to the first step that states the gold answer."
        ),
    )


def infogain_without_final(chain: Chain) -> float:
    return mean_perplexity_drop(*_without_final(chain))


def infogain_nats_without_final(chain: Chain) -> float:
    values, _ = _without_final(chain)
    return values[-1] - values[0]


def answer_step(chain: Chain) -> float:
    if not chain.trace.answers:
        raise Missing("no gold answer")
    if not chain.steps:
        raise Missing("no steps in the response")
    before = steps_before_answer(chain.steps)
    if before == len(chain.steps):
        raise Missing("no step states the answer")
    return float(before + 1)


def commit_step(chain: Chain) -> float:
    if not chain.steps:
        raise Missing("no steps in the response")
    found = commit_of(chain.steps, chain.trace)
    if found is None:
        raise Missing("no step states an answer that the chain keeps to")
    return float(found + 1)


def leak_share(chain: Chain) -> float:
    values = with_steps(chain).answer
    total = values[-1] - values[0]
    if total <= 0:
        raise Missing("the chain gains nothing in total")
    before = steps_before_answer(chain.steps)
    return (values[before + 1] - values[before]) / total if before < len(chain.steps) else 0.0


def informative_share(chain: Chain) -> float:
    per_step = gains(with_steps(chain).answer)
    return sum(gain > chain.epsilon for gain in per_step) / len(per_step)


def regressive_share(chain: Chain) -> float:
    per_step = gains(with_steps(chain).answer)
    return sum(gain < -chain.epsilon for gain in per_step) / len(per_step)


def half_gain_position(chain: Chain) -> float:
    values = with_steps(chain).answer
    total = values[-1] - values[0]
    if total <= chain.epsilon:
        raise Missing(f"the chain gains no more than epsilon ({chain.epsilon:g} nats) in total")
    reached = next(i for i, value in enumerate(values) if value - values[0] >= total / 2)
    return reached / len(chain.steps)


def gold_probability(chain: Chain) -> float:
    with_steps(chain)
    return gold_probabilities(chain)[-1]


def gold_probability_per_token(chain: Chain) -> float:
    with_steps(chain)
    return gold_probabilities(chain, per_token=True)[-1]


def n_steps(chain: Chain) -> float:
    return float(len(chain.steps))


INFOGAIN_METRICS = (
    ChainMetric("n_steps", n_steps, None, "steps", "Steps in the chain."),
    *_two_forms(
        "infogain",
        _infogain,
        "PPL",
        "How far a step lowers the gold answer's perplexity on average: InfoGain as published (answer tokens only).",
    ),
    *_two_forms(
        "infogain_nats", _nats, "nats", "Log-likelihood of the gold answer after the chain, minus that before it."
    ),
    *_two_forms("infogain_bits", _bits, "bits", "infogain_nats in bits."),
    *_two_forms("infogain_nats_per_step", _nats_per_step, "nats/step", "infogain_nats divided by the steps."),
    *_two_forms(
        "infogain_nats_per_step_token",
        _nats_per_step_token,
        "nats/token",
        "infogain_nats divided by the tokens that the steps add.",
    ),
    *_two_forms(
        "infogain_nats_per_answer_token",
        _nats_per_answer_token,
        "nats/token",
        "infogain_nats divided by the tokens of the gold answer.",
    ),
    ChainMetric(
        "infogain_without_final",
        infogain_without_final,
        True,
        "PPL",
        "infogain without the steps that only give an answer.",
    ),
    ChainMetric(
        "infogain_nats_without_final",
        infogain_nats_without_final,
        True,
        "nats",
        "infogain_nats without the steps that only give an answer.",
    ),
    ChainMetric(
        "answer_step",
        answer_step,
        None,
        "step",
        "The first step that announces the gold answer, or writes down what the question does not hold; from 1.",
    ),
    ChainMetric(
        "commit_step",
        commit_step,
        None,
        "step",
        "The first step that states the chain's own final answer, right or wrong, and after which it announces no "
        "other one, from 1.",
    ),
    ChainMetric(
        "leak_share",
        leak_share,
        None,
        "share",
        "Share of infogain_nats that falls on the first step that states the gold answer: 0 where no step does, below "
        "0 where that step loses, above 1 where the others do, missing where the chain gains nothing.",
    ),
    ChainMetric(
        "informative_share", informative_share, True, "share", "Share of the steps that gain more than epsilon nats."
    ),
    ChainMetric(
        "regressive_share", regressive_share, False, "share", "Share of the steps that lose more than epsilon nats."
    ),
    ChainMetric(
        "half_gain_position",
        half_gain_position,
        None,
        "share",
        "Share of the chain's steps after which half of infogain_nats is reached.",
    ),
    *_two_forms(
        "entropy_drop_bits",
        _entropy_drop_bits,
        "bits",
        "Entropy over the options before the chain, minus that after it; multiple choice only.",
    ),
    ChainMetric(
        "gold_probability",
        gold_probability,
        True,
        "probability",
        "Probability of the gold options among all options, after the chain; multiple choice only.",
    ),
    *_two_forms(
        "entropy_drop_bits_per_token",
        _entropy_drop_bits_per_token,
        "bits",
        "entropy_drop_bits with options compared by log-likelihood per token, which does not favour short ones.",
    ),
    ChainMetric(
        "gold_probability_per_token",
        gold_probability_per_token,
        True,
        "probability",
        "gold_probability with options compared by log-likelihood per token, which does not favour short ones.",
    ),
)

REFERENCE_METRICS = _two_forms(
    "infogain_reference",
    _reference,
    "PPL",
    "InfoGain as the published code computes it: from the perplexity of question, steps and answer together, divided "
    "by steps + 1.",
)
