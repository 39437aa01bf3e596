"""A bag-of-tokens copy model: how much of a gain can be had just by repeating tokens that occur in the steps.

p(a_j | context) = λ count(a_j) / n + (1 − λ) / V over the n tokens of the context (0 for count / n where n = 0), with
λ = 0.9 and V = 50,000. Tokens are casefolded words, single digits and other symbols, independent of the scoring LM's
tokenizer: "72 eggs" is 7, 2, eggs. Scripts that put no space between words are split into characters.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from ..answers.golds import UNSPACED
from ..chain import Chain, ChainMetric
from ..errors import Missing
from ..infogain import before_answer
from ..probability import log_sum_exp

COPY_SHARE = 0.9
VOCABULARY = 50_000

_TOKEN = re.compile(rf"\d|[^\W\d_{UNSPACED}]+|\S")


def copy_tokens(text: str) -> list[str]:
    """Casefolded words, single digits and other symbols, in order."""
    return _TOKEN.findall(text.casefold())


def copy_gain(question: str, steps: Sequence[str], answers: Sequence[str]) -> float:
    """Log-likelihood of the answer under the copy model given question and steps, minus that given the question. Nats.

    Several accepted answers count together, as in `Likelihoods`. Raises Missing where none of them has a token.
    """
    wanted = [tokens for answer in answers if (tokens := copy_tokens(answer))]
    if not wanted:
        raise Missing("the gold answer has no word, digit or symbol")
    counts = Counter(copy_tokens(question))
    before = _log_likelihood(wanted, counts)
    for step in steps:
        counts.update(copy_tokens(step))
    return _log_likelihood(wanted, counts) - before


def _log_likelihood(answers: Sequence[Sequence[str]], counts: Counter[str]) -> float:
    n = max(counts.total(), 1)

    def log_p(token: str) -> float:
        return math.log(COPY_SHARE * counts[token] / n + (1 - COPY_SHARE) / VOCABULARY)

    return log_sum_exp([math.fsum(map(log_p, tokens)) for tokens in answers])


def copy_gain_nats(chain: Chain) -> float:
    return _gain(chain, lambda chain: len(chain.steps))


def copy_gain_nats_before_answer(chain: Chain) -> float:
    return _gain(chain, before_answer)


def _gain(chain: Chain, count: Callable[[Chain], int]) -> float:
    if not chain.trace.answers:
        raise Missing("no gold answer")
    if not chain.steps:
        raise Missing("no steps in the response")
    steps = [step.text for step in chain.steps[: count(chain)]]
    return copy_gain(chain.trace.question, steps, chain.trace.distinct_answers)


COPY_METRICS = (
    ChainMetric("copy_gain_nats", copy_gain_nats, None, "nats", "infogain_nats of a model that only copies tokens."),
    ChainMetric(
        "copy_gain_nats_before_answer",
        copy_gain_nats_before_answer,
        None,
        "nats",
        "copy_gain_nats, up to the first step that states the gold answer.",
    ),
)
