"""The measures that a comparison shows: outcomes, which are tested, and confounders, which are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..answers.endings import ends_mid_sentence
from ..columns import METRICS
from ..errors import Missing
from ..infogain import perplexity
from .own_answer import gain_before_own_answer, gain_over, reasons_first, supported_before_own_answer
from .record import Record


@dataclass(frozen=True)
class Measure:
    """A number of one chain.

    Attributes:
        key, label, unit: its name in files, its name for people, and its unit.
        compute: returns the number or raises `Missing("why")`.
        role: `outcome` (deciding or exploratory, as the settings say) or `confounder`, as in `Row`.
        higher_is_better: None where neither direction is better.
        description: one sentence.
        of_score: whether it needs the scores of a scorer of ours.
    """

    key: str
    label: str
    unit: str
    compute: Callable[[Record], float]
    role: Literal["outcome", "confounder"] = "outcome"
    higher_is_better: bool | None = True
    description: str = ""
    of_score: bool = True


def metric(name: str) -> Callable[[Record], float]:
    """A chain metric under the name that the core gives it."""

    def compute(record: Record) -> float:
        value = record.score.metrics.get(name, math.nan)
        if math.isnan(value):
            raise Missing(record.score.missing.get(name, f"{name} was not computed"))
        return value

    return compute


def gain_without_final(record: Record) -> float:
    """`infogain_nats_without_final`: the gain of the steps before the answer is announced.

    A chain that only announces an answer has no such steps and counts as 0 nats. If such chains were left out, a model
    that stopped reasoning would be compared only on the chains where it still reasons.
    """
    score = record.score
    if score.log_likelihoods and score.steps and all(step.kind == "final_answer" for step in score.steps):
        return 0.0
    return metric("infogain_nats_without_final")(record)


def abstained(record: Record) -> float:
    """1 where the response abstains."""
    if undetermined(record):
        raise Missing("undetermined: it cannot be told whether the response answers or abstains")
    return float(record.stance == "abstained")


def undetermined(record: Record) -> float:
    """1 where it cannot be told whether the response answers or abstains."""
    if record.stance is None:
        raise Missing("nothing says whether the response answers or abstains")
    return float(record.stance == "undetermined")


def n_steps(record: Record) -> float:
    """Steps in the chain; 0, not missing, for an empty chain. Raises Missing where it could not be cut into steps."""
    if "n_steps" in record.score.missing:
        raise Missing(record.score.missing["n_steps"])
    return float(record.score.n_steps)


def tokens(record: Record) -> float:
    """Tokens of the chain as the scoring LM's tokenizer counts them."""
    return float(sum(_counted(step.n_tokens) for step in record.score.steps))


def first_ppl(record: Record) -> float:
    """PPL_0: the gold answer's perplexity given only the question. Huge values dominate the mean of `infogain`."""
    score = record.score
    if not score.log_likelihoods or not score.n_answer_tokens:
        raise Missing(score.missing.get("infogain", "no log-likelihoods"))
    # The number of answer tokens is that after the last step, and another one before it where another accepted answer
    # was likelier there or the answer was cut otherwise: so back from there, step by step.
    last = perplexity(score.log_likelihoods[-1], score.n_answer_tokens)
    first = math.fsum([last, *(step.ppl_gain for step in score.steps)])
    if not math.isfinite(first):
        raise Missing("PPL_0 exceeds the range of a float")
    return first


def question_length(record: Record) -> float:
    """Characters of the question."""
    return float(len(record.question))


def truncated(record: Record) -> float:
    """1 where the response was cut off by a length limit."""
    if record.truncated is None:
        raise Missing("the run does not say whether a response was cut off")
    return float(record.truncated)


def unfinished(record: Record) -> float:
    """1 where the response ends neither at a sentence end nor with an answer, as responses that were cut off do."""
    if record.scored:
        if not record.score.steps:
            raise Missing("no steps in the response")
        last = record.score.steps[-1]
        return float(ends_mid_sentence(last.text, announces=last.kind == "final_answer"))
    if record.unfinished is None:
        raise Missing("no response in the file")
    return float(record.unfinished)


def answer_stating(record: Record) -> float:
    """Share of the steps that state the gold answer."""
    steps = record.score.steps
    if not steps:
        raise Missing("no steps in the response")
    return sum(step.states_answer for step in steps) / len(steps)


def _counted(n: int | None) -> int:
    if n is None:
        raise Missing("the chain was not tokenized")
    return n


def _chain_metric(
    key: str,
    label: str,
    compute: Callable[[Record], float] | None = None,
    role: Literal["outcome", "confounder"] = "outcome",
) -> Measure:
    """A chain metric of the core, with the unit, direction and description that the core declares for it."""
    about = METRICS[key]
    return Measure(
        key, label, about.unit, compute or metric(key), role, about.higher_is_better, description=about.description
    )


# `infogain_same_length` cannot be computed from one chain: it needs the other run's chain for the question (pairs.py).
SAME_LENGTH = Measure(
    "infogain_same_length",
    "infogain, same length",
    "PPL",
    metric("infogain"),
    "outcome",
    higher_is_better=True,
    description="infogain with both runs' drops of perplexity divided by the mean length of their two chains.",
)

# Missing where no chain of either run has a step that a judge supports: there is nothing that could fall (values.py).
SUPPORTED = Measure(
    "supported_before_own_answer",
    "supported steps",
    "share",
    supported_before_own_answer,
    description="Of the steps up to the chain's own first answer, the share before it whose checkable claims hold.",
)

OVER_CONTROLS = {
    name: Measure(
        f"gain_over_{name}_before_own_answer",
        f"gain over {name}, own answer",
        "nats",
        gain_over(name),
        description=f"infogain_nats_before_own_answer minus the gain of the control `{name}` there.",
    )
    for name in ("filler", "foreign", "shuffled")
}

# Only where chains were scored with reliance; of these the first decides.
RELIANCE: Sequence[Measure] = (
    _chain_metric("early_answer_area_before_answer", "early answer area, own answer"),
    _chain_metric("post_hoc_share_before_answer", "post-hoc share, own answer"),
    _chain_metric("necessary_share_before_answer", "necessary steps, own answer"),
    _chain_metric("true_thinking_before_answer", "true thinking, own answer"),
)

# Only where the model under test wrote ends anew.
REGROWN: Sequence[Measure] = (
    _chain_metric("mistake_effect", "effect of a mistake"),
    _chain_metric("answer_kept_share", "answer kept, mistake"),
    _chain_metric("answer_kept_share_unchanged", "answer kept, unchanged"),
)

OUTCOMES: Sequence[Measure] = (
    Measure(
        "infogain_nats_before_own_answer",
        "infogain_nats, own answer",
        "nats",
        gain_before_own_answer,
        description="infogain_nats up to the first step that states an answer of the chain's own, right or wrong.",
    ),
    Measure(
        "reasons_first",
        "reasons first",
        "share",
        reasons_first,
        description="Share of the chains in which a step comes before the first that states an answer.",
    ),
    SUPPORTED,
    *OVER_CONTROLS.values(),
    Measure(
        "abstained",
        "abstained",
        "share",
        abstained,
        higher_is_better=None,
        description="Share of the responses that abstain, among those of which it can be told.",
        of_score=False,
    ),
    Measure(
        "undetermined",
        "undetermined",
        "share",
        undetermined,
        higher_is_better=None,
        description="Share of the responses of which it cannot be told whether they answer: cut off, empty.",
        of_score=False,
    ),
    _chain_metric("infogain", "infogain"),
    _chain_metric("infogain_before_answer", "infogain, no answer"),
    SAME_LENGTH,
    _chain_metric("infogain_nats", "infogain_nats"),
    _chain_metric("infogain_nats_without_final", "infogain_nats, no final", gain_without_final),
    _chain_metric("infogain_nats_before_answer", "infogain_nats, no answer"),
    _chain_metric("entropy_drop_bits", "entropy drop"),
    _chain_metric("entropy_drop_bits_before_answer", "entropy drop, no answer"),
    _chain_metric("entropy_drop_bits_per_token", "entropy drop, per token"),
    _chain_metric("entropy_drop_bits_per_token_before_answer", "entropy drop, per token, no answer"),
    _chain_metric("informative_share", "informative steps"),
    _chain_metric("ki", "ki"),
    _chain_metric("ki_coverage", "ki_coverage"),
    _chain_metric("claims_supported", "claims supported"),
    _chain_metric("claims_contradicted", "claims contradicted"),
    _chain_metric("claims_not_covered", "claims not covered"),
    *RELIANCE,
    *REGROWN,
    _chain_metric("n_steps", "steps", n_steps),
    Measure(
        "tokens",
        "tokens",
        "tokens",
        tokens,
        higher_is_better=None,
        description="Tokens of the chain as the scoring LM's tokenizer counts them.",
    ),
)

_OF_THE_RUN = ("truncated", "unfinished")
CONFOUNDERS: Sequence[Measure] = (
    *(
        Measure(key, label, unit, compute, "confounder", None, description, of_score=key not in _OF_THE_RUN)
        for key, label, unit, compute, description in (
            ("ppl_0", "PPL_0", "PPL", first_ppl, "Perplexity of the gold answer given the question alone."),
            ("question_length", "question length", "characters", question_length, "Characters of the question."),
            ("truncated", "cut off", "share", truncated, "Share of the responses cut off by a length limit."),
            (
                "unfinished",
                "ends mid-sentence",
                "share",
                unfinished,
                "Share of the chains whose last step neither ends a sentence nor announces an answer.",
            ),
            (
                "answer_stating_share",
                "steps with the answer",
                "share",
                answer_stating,
                "Share of the steps that state the gold answer.",
            ),
        )
    ),
    _chain_metric("leak_share", "leaked gain", role="confounder"),
)
