"""The numbers that a comparison puts side by side: outcomes, which are tested, and confounders, which are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import Missing
from .record import Record


@dataclass(frozen=True)
class Measure:
    """A number of one chain.

    Attributes:
        key, label, unit: its name in files, its name for people, and its unit.
        compute: returns the number or raises `Missing("why")`.
        role: `outcome` or `confounder`, as in `Row`.
        higher_is_better: None where neither direction is.
    """

    key: str
    label: str
    unit: str
    compute: Callable[[Record], float]
    role: Literal["outcome", "confounder"] = "outcome"
    higher_is_better: bool | None = True


def metric(name: str) -> Callable[[Record], float]:
    """A chain metric under the name that the core gives it."""

    def compute(record: Record) -> float:
        value = record.score.metrics.get(name, math.nan)
        if math.isnan(value):
            raise Missing(record.score.missing.get(name, f"{name} was not computed"))
        return value

    return compute


def accuracy(name: str) -> Callable[[Record], float]:
    """One of the run's own metrics."""

    def compute(record: Record) -> float:
        value = record.accuracy.get(name, math.nan)
        if math.isnan(value):
            raise Missing(f"the run has no {name} for it")
        return value

    return compute


def gain_without_final(record: Record) -> float:
    """`infogain_nats_without_final`: what the steps before the announcement of an answer gain.

    A chain that only announces an answer has no such steps, and nothing said gains nothing: 0 nats. Were it left out,
    a model that stopped reasoning would be compared on the chains where it still reasons.
    """
    score = record.score
    if score.log_likelihoods and score.steps and all(step.kind == "final_answer" for step in score.steps):
        return 0.0
    return metric("infogain_nats_without_final")(record)


def n_steps(record: Record) -> float:
    """Steps in the chain; an empty chain has none, and that is a number."""
    return float(record.score.n_steps)


def tokens(record: Record) -> float:
    """Tokens of the chain as the scoring LM's tokenizer counts them."""
    return float(sum(_counted(step.n_tokens) for step in record.score.steps))


def first_ppl(record: Record) -> float:
    """PPL_0: the gold answer's perplexity given the question alone. Chains where it is huge rule `infogain`'s mean."""
    score = record.score
    if not score.log_likelihoods or not score.n_answer_tokens:
        raise Missing(score.missing.get("infogain", "no log-likelihoods"))
    try:
        return math.exp(-score.log_likelihoods[0] / score.n_answer_tokens)
    except OverflowError:
        raise Missing("PPL_0 exceeds the range of a float") from None


def question_length(record: Record) -> float:
    """Characters of the question."""
    return float(len(record.question))


def truncated(record: Record) -> float:
    """1 where the response was cut off by a length limit."""
    if record.truncated is None:
        raise Missing("the run does not say whether a response was cut off")
    return float(record.truncated)


def unfinished(record: Record) -> float:
    """1 where the last step ends neither with a sentence's end nor with an answer: what cut-off responses look like."""
    if not record.score.steps:
        raise Missing("no steps in the response")
    last = record.score.steps[-1]
    return float(last.kind != "final_answer" and not last.text.rstrip("\"'”’)]*_`$ ").endswith(_ENDS))


def answer_stating(record: Record) -> float:
    """Share of the steps that write the gold answer down."""
    steps = record.score.steps
    if not steps:
        raise Missing("no steps in the response")
    return sum(step.states_answer for step in steps) / len(steps)


_ENDS = (".", "!", "?", "…", "。", "！", "？", "．", "।", "۔", "؟", "}", "]")


def _counted(n: int | None) -> int:
    if n is None:
        raise Missing("the chain was not tokenized")
    return n


# `infogain_same_length` is no number of one chain: it needs the other run's chain of the question (pairs.py).
SAME_LENGTH = Measure(
    "infogain_same_length", "infogain, same length", "PPL", metric("infogain"), "outcome", higher_is_better=True
)

OUTCOMES: Sequence[Measure] = (
    Measure("infogain", "infogain", "PPL", metric("infogain")),
    Measure("infogain_before_answer", "infogain, no answer", "PPL", metric("infogain_before_answer")),
    SAME_LENGTH,
    Measure("infogain_nats", "infogain_nats", "nats", metric("infogain_nats")),
    Measure("infogain_nats_without_final", "infogain_nats, no final", "nats", gain_without_final),
    Measure("infogain_nats_before_answer", "infogain_nats, no answer", "nats", metric("infogain_nats_before_answer")),
    Measure("entropy_drop_bits", "entropy drop", "bits", metric("entropy_drop_bits")),
    Measure(
        "entropy_drop_bits_before_answer",
        "entropy drop, no answer",
        "bits",
        metric("entropy_drop_bits_before_answer"),
    ),
    Measure("informative_share", "informative steps", "share", metric("informative_share")),
    Measure("ki", "ki", "share", metric("ki")),
    Measure("ki_coverage", "ki_coverage", "share", metric("ki_coverage"), higher_is_better=None),
    Measure("n_steps", "steps", "steps", n_steps, higher_is_better=None),
    Measure("tokens", "tokens", "tokens", tokens, higher_is_better=None),
)

CONFOUNDERS: Sequence[Measure] = tuple(
    Measure(key, label, unit, compute, "confounder", None)
    for key, label, unit, compute in (
        ("ppl_0", "PPL_0", "PPL", first_ppl),
        ("question_length", "question length", "characters", question_length),
        ("truncated", "cut off", "share", truncated),
        ("unfinished", "ends mid-sentence", "share", unfinished),
        ("answer_stating_share", "steps with the answer", "share", answer_stating),
        ("leak_share", "leaked gain", "share", metric("leak_share")),
    )
)
