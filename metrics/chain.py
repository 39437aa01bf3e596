"""What chain metrics see of one chain (`Chain`), and what a chain metric is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .answers.abstaining import Stance
from .knowledge.policy import DEFAULT, Policy
from .knowledge.types import Verdict
from .likelihood import Unscored
from .trace import Step, Trace

NO_RELIANCE = Unscored("measured only with reliance=True")
NOT_REGROWN = Unscored("measured only with the option regrow")


@dataclass(frozen=True)
class SourceChain:
    """A chain whose steps were used: its trace's id and hash."""

    id: str | None
    trace_hash: str


@dataclass(frozen=True)
class Control:
    """What stands in the place of one chain's t steps, k of which come before its answer.

    Attributes:
        whole: t texts, or why there are none.
        before_answer: k texts, or why there are none. The first k of `whole`, but for `shuffled`, where the first k
            steps are shuffled among themselves.
        chains: the chains that `foreign` steps come from, in the order used.
        before_own_answer: likewise, as many as `steps_before_own_answer`.
    """

    name: str
    whole: Sequence[str] | Unscored
    before_answer: Sequence[str] | Unscored
    chains: Sequence[SourceChain] = ()
    before_own_answer: Sequence[str] | Unscored = ()


@dataclass(frozen=True)
class ControlLikelihoods:
    """Log-likelihoods of the gold answer after a control's texts, in nats; or why there are none.

    Attributes:
        whole, before_answer: log p(answer | question, the texts), comparable with `Likelihoods.answer[t]` and
            `Likelihoods.answer[k]`, k = `steps_before_answer`.
        before_own_answer: likewise, with k = `steps_before_own_answer`.
    """

    control: Control
    whole: float | Unscored
    before_answer: float | Unscored
    before_own_answer: float | Unscored


@dataclass(frozen=True)
class Likelihoods:
    """Log-likelihoods of the gold answer along one chain of t steps, in nats, summed over answer tokens.

    Where several answers are accepted, a log-likelihood is that of all of them together: the log of the sum of their
    probabilities (log-sum-exp), whatever their order. It is above 0 where one accepted answer begins another and both
    are all but certain, since the probability of the longer one is part of that of the shorter one.

    Attributes:
        answer: t+1 floats, `answer[i]` = log p(answer | question, steps[:i]).
        n_answer_tokens: t+1 ints, N. The joint tokenization decides, so it may differ between prefixes; of several
            accepted answers that of the likeliest at that prefix (of equally likely ones the fewest).
        n_context_tokens: t+1 ints, tokens before the answer; of several accepted answers the most.
        choices: (t+1) x options, the same for each option's text; None without choices.
        n_choice_tokens: (t+1) x options ints, the tokens of each option's text.
        without_final: like `answer`, over the chain without its final-answer steps (t'+1 floats).
        whole: t+1 pairs (log-likelihood, tokens) of the whole sequence; only for the `reference` variant.
        controls: by name; those that are switched on.
    """

    answer: Sequence[float]
    n_answer_tokens: Sequence[int]
    n_context_tokens: Sequence[int]
    choices: Sequence[Sequence[float]] | None = None
    n_choice_tokens: Sequence[Sequence[int]] | None = None
    without_final: Sequence[float] | None = None
    n_answer_tokens_without_final: Sequence[int] | None = None
    whole: Sequence[tuple[float, int]] | None = None
    controls: Mapping[str, ControlLikelihoods] = field(default_factory=dict)


@dataclass(frozen=True)
class Confidence:
    """How sure the scoring LM is of a chain's own answer after some text.

    Attributes:
        log_likelihood: log p(own answer | text) in nats, summed over its tokens.
        probability: exp(log_likelihood / tokens), the probability of a token of the answer, 0 to 1; of multiple choice
            divided by the sum of the same over all options.
        likeliest: whether no other option has a higher probability; None without options.
    """

    log_likelihood: float
    probability: float
    likeliest: bool | None = None


@dataclass(frozen=True)
class Corruption:
    """One step put wrong, and how sure the scoring LM is of the chain's own answer then.

    Attributes:
        text: the step as it was put in the place of the true one.
        whole: log p(own answer | all steps, this one corrupted), nats.
        before_answer: the same over the steps before the answer; None for a step that is none of these.
        true: after the steps up to this one, which ends them, corrupted.
        in_corrupted: after the same steps, all those before this one corrupted: with this one true, and corrupted.
    """

    text: str
    whole: float
    before_answer: float | None
    true: Confidence
    in_corrupted: tuple[Confidence, Confidence]


@dataclass(frozen=True)
class Reliance:
    """How sure the scoring LM is of a chain's own answer as its t steps are taken away, or put wrong.

    Attributes:
        answer: the answer that the chain itself ends with.
        before: m, the steps before the first that states it; 0 to t - 1.
        after: t+1, after 0..t steps.
        without: t floats, log p(own answer | all steps but this one), nats.
        without_before_answer: m floats, the same over the first m steps.
        corruptions: t; None for a step that holds nothing to corrupt; why one could not be corrupted.
        controls: by name, log p(own answer | as many other texts as there are steps, and as there are before the
            answer), nats; or why there is none.
    """

    answer: str
    before: int
    after: Sequence[Confidence]
    without: Sequence[float]
    without_before_answer: Sequence[float]
    corruptions: Sequence[Corruption | Unscored | None]
    controls: Mapping[str, tuple[float | Unscored, float | Unscored]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tail:
    """The end of a response that the model under test wrote anew.

    Attributes:
        answer: the final answer that it gives; of multiple choice the option's text.
        kept: whether that is the answer of the old response.
    """

    answer: str
    kept: bool


@dataclass(frozen=True)
class RegrownStep:
    """A step behind which the response was written anew, twice.

    Attributes:
        step: its index, from 0.
        corrupted: the text that was put in its place; None where there is none.
        mistake: the end that was written behind that text; why there is none, or none with a final answer.
        unchanged: likewise behind the step as it was: the control.
    """

    step: int
    corrupted: str | None
    mistake: Tail | Unscored
    unchanged: Tail | Unscored


@dataclass(frozen=True)
class Regrown:
    """A chain's ends as the model under test wrote them anew.

    Attributes:
        answer: the answer that the old response ends with.
        steps: in order; one or more, all of them before the first step that states that answer.
    """

    answer: str
    steps: Sequence[RegrownStep]


@dataclass(frozen=True)
class Chain:
    """One chain with everything that was measured on it.

    Attributes:
        likelihoods: None when they could not be computed; `no_likelihoods` then says why.
        verdicts: per step, the verdicts of its claims; None when knowledge was not judged.
        policy: how verdicts count towards the Knowledge Index.
        epsilon: gains within ±epsilon nats count as neither informative nor regressive.
        stance: what a judge says of whether the response answers; None: the rule decides.
        reliance: what was measured toward the chain's own answer, or why it was not.
        regrown: what the model under test wrote behind mistakes, or why it did not.
    """

    trace: Trace
    steps: Sequence[Step]
    likelihoods: Likelihoods | None = None
    no_likelihoods: str = "the scoring LM was not run"
    verdicts: Sequence[Sequence[Verdict]] | None = None
    epsilon: float = 0.05
    policy: Policy = DEFAULT
    stance: Stance | None = None
    reliance: Reliance | Unscored = NO_RELIANCE
    regrown: Regrown | Unscored = NOT_REGROWN


@dataclass(frozen=True)
class ChainMetric:
    """A number computed from one chain.

    Attributes:
        name: key in results and tables.
        compute: returns the number, or raises `Missing("why")`.
        higher_is_better: None where neither direction is better.
        unit, description: for people.
    """

    name: str
    compute: Callable[[Chain], float]
    higher_is_better: bool | None = None
    unit: str = ""
    description: str = ""
