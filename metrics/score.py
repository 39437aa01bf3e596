"""The output: one `ChainScore` per trace, with a `StepScore` per step."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .chain import SourceChain
from .format_version import FORMAT, check_format
from .knowledge.arithmetic.judge import EQUATION
from .knowledge.types import Claim, Passage, Verdict
from .strict_json import without_nan
from .trace import Step, StepKind


@dataclass(frozen=True)
class StepScore:
    """One step with its scores.

    Attributes:
        text, start, end, kind, states_answer: as in `Step`.
        log_likelihood: log p(answer | question, steps up to and including this one), nats; nan when missing.
        gain: log_likelihood minus the one before this step, nats; nan when missing.
        ppl_gain: answer perplexity before this step minus after it (the paper's delta PPL); nan when missing.
        n_tokens: how many tokens the step adds to the answer's context; None when not tokenized.
        gold_probability: probability of the gold options among all choices after this step; nan without choices.
        entropy_bits: Shannon entropy over the choices after this step; nan without choices.
        verdicts: one per claim in the step.
        own_log_likelihood: log p(the chain's own answer | question, steps up to and including this one), nats; this
            and all that follows only with `reliance`, and nan when missing.
        deletion_nats: what the own answer loses without this step, nats.
        deletion_nats_before_answer: the same over the steps before the first that states the own answer; nan for those
            that are none of these.
        corrupted: the step as it was put wrong; None where it was not.
        corruption_nats: what the own answer loses with this step put wrong, nats.
        true_thinking: the step's true-thinking score, 0 to 1 (arXiv 2510.24941).
        answer_after_mistake: the final answer of the end that the model under test wrote anew behind `corrupted`; this
            and all that follows only for steps that the option `regrow` chose, and None when missing.
        answer_kept: whether that is the chain's own answer.
        no_answer_after_mistake: why there is none.
        answer_after_unchanged, answer_kept_unchanged, no_answer_after_unchanged: likewise behind the step as it was.
    """

    text: str
    start: int
    end: int
    kind: StepKind = "reasoning"
    states_answer: bool = False
    log_likelihood: float = math.nan
    gain: float = math.nan
    ppl_gain: float = math.nan
    n_tokens: int | None = None
    gold_probability: float = math.nan
    entropy_bits: float = math.nan
    verdicts: Sequence[Verdict] = ()
    own_log_likelihood: float = math.nan
    deletion_nats: float = math.nan
    deletion_nats_before_answer: float = math.nan
    corrupted: str | None = None
    corruption_nats: float = math.nan
    true_thinking: float = math.nan
    answer_after_mistake: str | None = None
    answer_kept: bool | None = None
    no_answer_after_mistake: str | None = None
    answer_after_unchanged: str | None = None
    answer_kept_unchanged: bool | None = None
    no_answer_after_unchanged: str | None = None


@dataclass(frozen=True)
class ControlScore:
    """What stood in the place of a chain's steps, and how likely the gold answer is after it.

    Attributes:
        steps, steps_before_answer: the texts, in the place of all steps and of those before the answer; empty when
            missing.
        log_likelihood, log_likelihood_before_answer: log p(answer | question, those texts), nats; nan when missing.
        chains: the chains that the texts of `foreign` come from.
        steps_before_own_answer, log_likelihood_before_own_answer: the same in the place of the steps before the chain's
            own answer, right or wrong.
    """

    steps: Sequence[str]
    steps_before_answer: Sequence[str]
    log_likelihood: float = math.nan
    log_likelihood_before_answer: float = math.nan
    chains: Sequence[SourceChain] = ()
    steps_before_own_answer: Sequence[str] = ()
    log_likelihood_before_own_answer: float = math.nan


@dataclass(frozen=True)
class ChainScore:
    """All scores of one chain.

    Attributes:
        id, trace_hash: which trace this is.
        log_likelihoods: t+1 floats, log p(answer | question, steps[:i]) in nats, summed over answer tokens; empty
            when they could not be computed.
        n_answer_tokens: tokens in the gold answer after the last step (of several accepted ones, in the likeliest), or
            None.
        answer_tokens: t+1 ints, the same after each prefix: the joint tokenization decides, so they may differ. Empty
            in scores that were written before there was this field.
        metrics: every chain metric by name; nan when missing.
        missing: {metric: reason} for each nan in `metrics`.
        notes: things a reader should know that are not errors (surrogates replaced, splitter chosen, …).
        provenance: scorer, revision, dtype, template, splitter, variant, versions.
        controls: by name, for those that are switched on and could be scored.
        own_answer: the answer that the chain itself ends with, where likelihoods were measured toward it; None where
            they were not, or it has none.
        own_log_likelihoods: t+1 floats, as `log_likelihoods`, of the own answer; only with `reliance`.
    """

    id: str | None
    trace_hash: str
    steps: Sequence[StepScore]
    log_likelihoods: Sequence[float]
    n_answer_tokens: int | None
    metrics: Mapping[str, float]
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, ControlScore] = field(default_factory=dict)
    answer_tokens: Sequence[int] = ()
    own_answer: str | None = None
    own_log_likelihoods: Sequence[float] = ()

    @property
    def log_likelihoods_per_token(self) -> list[float]:
        """t+1 floats: `log_likelihoods` per answer token, each by the tokens behind its own prefix, nats; or nan."""
        tokens = self.answer_tokens or [self.n_answer_tokens] * len(self.log_likelihoods)
        return [value / n if n else math.nan for value, n in zip(self.log_likelihoods, tokens, strict=False)]

    @property
    def infogain(self) -> float:
        """Mean over steps of PPL before the step minus PPL after it, answer tokens only (arXiv 2506.02126, 3.3)."""
        return self.metrics.get("infogain", math.nan)

    @property
    def infogain_nats(self) -> float:
        """Total gain l_t - l_0 in nats."""
        return self.metrics.get("infogain_nats", math.nan)

    @property
    def infogain_bits(self) -> float:
        """Total gain in bits."""
        return self.metrics.get("infogain_bits", math.nan)

    @property
    def ki(self) -> float:
        """Knowledge Index: consistent steps / checkable steps (arXiv 2506.02126, 3.4, without its default of 1)."""
        return self.metrics.get("ki", math.nan)

    @property
    def ki_paper(self) -> float:
        """KI as published: a step without a checkable claim counts as consistent."""
        return self.metrics.get("ki_paper", math.nan)

    @property
    def ki_coverage(self) -> float:
        """Checkable steps / steps."""
        return self.metrics.get("ki_coverage", math.nan)

    @property
    def n_steps(self) -> int:
        """Number of steps t."""
        return len(self.steps)

    def __eq__(self, other: object) -> bool:
        """Whether both write the same: nan equals nan here, and a list a tuple of the same."""
        return isinstance(other, ChainScore) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON (nan becomes null); `ChainScore.from_dict` restores an equal score.

        What belongs to reliance is there only where there is any of it, and what `regrow` adds only at its steps.
        """
        out = {"format": FORMAT, **without_nan(self)}
        if self.own_answer is None and not self.own_log_likelihoods:
            for part in (out, *out["steps"]):
                for name in (*_OWN, *RELIANCE_OF_STEPS):
                    part.pop(name, None)
        for step in out["steps"]:
            for name in _REGROWN:
                if step[name] is None:
                    del step[name]
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ChainScore:
        """Restore what `to_dict` wrote, of this format or an earlier one; unknown fields are passed over.

        Raises FormatError (a ValueError) on a later format, KeyError or TypeError on other input.
        """
        check_format(data)
        data = _known(cls, data)
        steps = [_step(step) for step in data["steps"]]
        # Names and reasons are held once, however many chains have them.
        names = map(sys.intern, data["metrics"])
        metrics = dict(zip(names, _numbers(data["metrics"], data["metrics"]).values(), strict=True))
        missing = {sys.intern(name): reason for name, reason in data.get("missing", {}).items()}
        log_likelihoods = [_number(value) for value in data["log_likelihoods"]]
        # Files written before there were controls hold none.
        controls = {name: _control(control) for name, control in data.get("controls", {}).items()}
        restored = {"steps": steps, "metrics": metrics, "log_likelihoods": log_likelihoods, "controls": controls}
        restored["own_log_likelihoods"] = [_number(value) for value in data.get("own_log_likelihoods", ())]
        return cls(**{**data, **restored, "missing": missing})


ARITHMETIC_ONLY = "arithmetic only"


def arithmetic_only(scores: Iterable[ChainScore]) -> bool:
    """Whether there are verdicts with a label, and all are on equations: then KI says nothing of knowledge."""
    return {kind for score in scores for kind in judged_kinds(score)} == {EQUATION}


def judged_kinds(score: ChainScore) -> set[str]:
    """The kinds of the claims that have a label."""
    verdicts = (verdict for step in score.steps for verdict in step.verdicts)
    return {verdict.claim.kind for verdict in verdicts if verdict.label is not None}


# Of a step with `reliance`: its numbers, and a text.
RELIANCE_NUMBERS = ("own_log_likelihood", "deletion_nats", "deletion_nats_before_answer", "corruption_nats")
RELIANCE_NUMBERS += ("true_thinking",)
RELIANCE_OF_STEPS = (*RELIANCE_NUMBERS, "corrupted")
_OWN = ("own_answer", "own_log_likelihoods")
_REGROWN = tuple(
    name.format(which=which, kept=kept)
    for which, kept in (("mistake", "answer_kept"), ("unchanged", "answer_kept_unchanged"))
    for name in ("answer_after_{which}", "{kept}", "no_answer_after_{which}")
)
_STEP_NUMBERS = ("log_likelihood", "gain", "ppl_gain", "gold_probability", "entropy_bits")
_CONTROL_NUMBERS = ("log_likelihood", "log_likelihood_before_answer", "log_likelihood_before_own_answer")


@functools.cache
def _names(cls: type) -> frozenset[str]:
    return frozenset(one.name for one in fields(cls))


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Without the fields that a later stepgauge may have added."""
    names = _names(cls)
    return {name: value for name, value in data.items() if name in names}


def _step(data: Mapping[str, Any]) -> StepScore:
    data = _known(StepScore, data)
    numbers = _numbers(data, [*_STEP_NUMBERS, *(name for name in RELIANCE_NUMBERS if name in data)])
    return StepScore(**{**data, **numbers, "verdicts": [_verdict(verdict) for verdict in data["verdicts"]]})


def _control(data: Mapping[str, Any]) -> ControlScore:
    # Files written before the verdict looked at chains' own answers lack those numbers.
    data = {"log_likelihood_before_own_answer": None, **_known(ControlScore, data)}
    chains = [SourceChain(**_known(SourceChain, chain)) for chain in data["chains"]]
    return ControlScore(**{**data, **_numbers(data, _CONTROL_NUMBERS), "chains": chains})


def _numbers(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    return {name: math.nan if (value := data[name]) is None else value for name in names}


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _verdict(data: Mapping[str, Any]) -> Verdict:
    data = _known(Verdict, data)
    evidence = [Passage(**_known(Passage, passage)) for passage in data["evidence"]]
    return Verdict(**{**data, "claim": Claim(**_known(Claim, data["claim"])), "evidence": evidence})


__all__ = ["ChainScore", "ControlScore", "Step", "StepScore"]
