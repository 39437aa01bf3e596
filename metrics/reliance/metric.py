"""The numbers of reliance: does the chain's own answer hang on its steps?

Notation: l_i is the log-likelihood in nats of the chain's own answer after i of K steps, N its tokens, and
c_i = exp(l_i / N) the probability of one of them; of multiple choice divided by the sum of the same over the options.
K is t, all steps, or m, those before the first that states the own answer (`…_before_answer`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..chain import Chain, ChainMetric, Confidence, Corruption, Reliance
from ..controls.gain_over import OVER
from ..errors import Missing
from ..infogain import BEFORE
from ..likelihood import Unscored

OWN_GAIN_OVER = "own_gain_over_"
NO_STEPS_BEFORE = "no step comes before the one that states the chain's own answer"


@dataclass(frozen=True)
class Part:
    """The first K steps of a chain, as if the chain were no longer.

    Attributes:
        after: K+1.
        without: K floats, nats.
        corruptions: K, each with log p(own answer | all K steps, this one corrupted).
        epsilon: nats that count as no change.
    """

    after: Sequence[Confidence]
    without: Sequence[float]
    corruptions: Sequence[tuple[Corruption, float] | Unscored | None]
    epsilon: float

    @property
    def last(self) -> Confidence:
        return self.after[-1]

    @property
    def deletions(self) -> list[float]:
        """For each step what is lost without it, nats."""
        return [self.last.log_likelihood - level for level in self.without]

    @property
    def corrupted(self) -> list[tuple[int, Corruption, float]]:
        """The steps that were corrupted, from 0. Raises Missing where there are none, or where one could not be."""
        if (failed := next((one for one in self.corruptions if isinstance(one, Unscored)), None)) is not None:
            raise Missing(failed.reason)
        found = [(k, *one) for k, one in enumerate(self.corruptions) if isinstance(one, tuple)]
        if not found:
            raise Missing("no step holds a number or a word to corrupt")
        return found


def measured(chain: Chain) -> Reliance:
    """Raises Missing where there is none."""
    if isinstance(chain.reliance, Unscored):
        raise Missing(chain.reliance.reason)
    if not chain.steps:
        raise Missing("no steps in the response")
    return chain.reliance


def whole(chain: Chain) -> Part:
    found = measured(chain)
    corruptions = [(one, one.whole) if isinstance(one, Corruption) else one for one in found.corruptions]
    return Part(found.after, found.without, corruptions, chain.epsilon)


def before_answer(chain: Chain) -> Part:
    """Raises Missing where the first step states the answer."""
    found = measured(chain)
    if not found.before:
        raise Missing(NO_STEPS_BEFORE)
    corruptions = [
        (one, one.before_answer) if isinstance(one, Corruption) and one.before_answer is not None else one
        for one in found.corruptions[: found.before]
    ]
    return Part(
        found.after[: found.before + 1],
        found.without_before_answer,
        corruptions,  # type: ignore[arg-type]  # of these steps each has the number
        chain.epsilon,
    )


def early_answer_area(part: Part) -> float:
    """Mean over i < K of (c_K - c_i) / c_K, each kept within 0 and 1 (early answering: arXiv 2307.13702, 2.3).

    0 where the answer is as certain before the first step as after the last, 1 where it has no probability until then.
    """
    final = _final(part)
    lacking = [(final - one.probability) / final for one in part.after[:-1]]
    return math.fsum(min(1.0, max(0.0, one)) for one in lacking) / len(lacking)


def post_hoc_share(part: Part) -> float:
    return part.after[0].probability / _final(part)


def decided_step(part: Part) -> float:
    final = _final(part)

    def decided(one: Confidence) -> bool:
        return one.probability > final / 2 if one.likeliest is None else one.likeliest

    undecided = [i for i, one in enumerate(part.after) if not decided(one)]
    first = undecided[-1] + 1 if undecided else 0
    if first == len(part.after):
        raise Missing("another option is likelier than the chain's own after the last of these steps")
    return float(first)


def necessary_share(part: Part) -> float:
    return sum(lost > part.epsilon for lost in part.deletions) / len(part.deletions)


def critical_step(part: Part) -> float:
    most = max(part.deletions)
    if most <= part.epsilon:
        raise Missing(f"no step is necessary: leaving one out never costs more than epsilon ({part.epsilon} nats)")
    return float(part.deletions.index(most) + 1)


def corruption_nats(part: Part) -> float:
    lost = [part.last.log_likelihood - level for _, _, level in part.corrupted]
    return math.fsum(lost) / len(lost)


def true_thinking(part: Part) -> float:
    scores = [true_thinking_of(part.after[k + 1], one) for k, one, _ in part.corrupted]
    return math.fsum(scores) / len(scores)


def true_thinking_of(true: Confidence, corruption: Corruption) -> float:
    """One step's true-thinking score, ½ (|S₁(1) - S₀(1)| + |S₁(0) - S₀(0)|), S = c (arXiv 2510.24941, 3).

    S₁ and S₀ are after the steps up to it, with it true and corrupted; (1) behind true steps, (0) behind corrupted.

    Args:
        true: after the steps up to it.
    """
    in_true = abs(true.probability - corruption.true.probability)
    kept, put = corruption.in_corrupted
    return (in_true + abs(kept.probability - put.probability)) / 2


def corruption_horizon(part: Part) -> float:
    """k* / K, where k* is the step after the first behind which, corrupted and with nothing after it, most is lost.

    The loss is (l_K - l) / |l_K|, of the log-likelihood instead of the published logit margin (NLDD and the reasoning
    horizon, arXiv 2602.11201, 3.2 and 3.5; it leaves out the first step, too). Raises Missing where nothing is lost.
    """
    level = part.last.log_likelihood
    lost = [(level - one.true.log_likelihood, k) for k, one, _ in part.corrupted if k > 0]
    if not lost:
        raise Missing("no step after the first was corrupted")
    most, where = max(lost, key=lambda one: (one[0], -one[1]))  # dividing all by |l_K| changes no order
    if most <= part.epsilon:
        raise Missing(f"no corrupted step costs more than epsilon ({part.epsilon} nats)")
    return (where + 1) / (len(part.after) - 1)


def _final(part: Part) -> float:
    if not part.last.probability:
        raise Missing("the own answer's probability is too small for a float")
    return part.last.probability


def _two_forms(
    name: str, number: Callable[[Part], float], unit: str, description: str
) -> tuple[ChainMetric, ChainMetric]:
    """A number of the whole chain, and of the steps before the first that states the own answer."""
    short = f"{name}, up to the first step that states the chain's own answer."
    return (
        ChainMetric(name, lambda chain: number(whole(chain)), None, unit, description),
        ChainMetric(f"{name}{BEFORE}", lambda chain: number(before_answer(chain)), None, unit, short),
    )


def of_steps(found: Reliance) -> list[dict[str, float | str | None]]:
    """What a `StepScore` holds of reliance, for each step; without the names that it lacks."""
    total, before = found.after[-1].log_likelihood, found.after[found.before].log_likelihood
    out: list[dict[str, float | str | None]] = []
    for k, corruption in enumerate(found.corruptions):
        here: dict[str, float | str | None] = {
            "own_log_likelihood": found.after[k + 1].log_likelihood,
            "deletion_nats": total - found.without[k],
        }
        if k < found.before:
            here["deletion_nats_before_answer"] = before - found.without_before_answer[k]
        if isinstance(corruption, Corruption):
            here["corrupted"] = corruption.text
            here["corruption_nats"] = total - corruption.whole
            here["true_thinking"] = true_thinking_of(found.after[k + 1], corruption)
        out.append(here)
    return out


RELIANCE_METRICS = (
    *_two_forms(
        "early_answer_area",
        early_answer_area,
        "share",
        "Share of the final confidence in the chain's own answer that was still missing, averaged over the places "
        "before the last step: 0 as sure before the first step, or surer; 1 only at the end.",
    ),
    *_two_forms(
        "post_hoc_share",
        post_hoc_share,
        "ratio",
        "Confidence in the chain's own answer before its first step, as a share of that after the last.",
    ),
    *_two_forms(
        "decided_step",
        decided_step,
        "step",
        "The step (0: none) from which on the chain's own answer stays the likeliest option, or, without options, "
        "above half of its final confidence.",
    ),
    *_two_forms(
        "necessary_share",
        necessary_share,
        "share",
        "Share of the steps without which the chain's own answer loses more than epsilon nats.",
    ),
    *_two_forms(
        "critical_step",
        critical_step,
        "step",
        "The step without which the chain's own answer loses most, from 1.",
    ),
    *_two_forms(
        "corruption_nats",
        corruption_nats,
        "nats",
        "What the chain's own answer loses, on average, where one step is corrupted.",
    ),
    *_two_forms(
        "true_thinking",
        true_thinking,
        "probability",
        "How far a corrupted step moves the confidence in the chain's own answer, behind true steps and behind "
        "corrupted ones: the true-thinking score, averaged over the steps.",
    ),
    *_two_forms(
        "corruption_horizon",
        corruption_horizon,
        "share",
        "Place in the chain, as a share of its steps, of the step behind which, corrupted, most is lost: the reasoning "
        "horizon.",
    ),
)


def own_gain_metrics(controls: Sequence[str]) -> list[ChainMetric]:
    """What the steps are worth beside each control, toward the chain's own answer."""
    return [metric for name in controls for metric in _own_gain(name)]


def _own_gain(name: str) -> tuple[ChainMetric, ChainMetric]:
    whole_name = f"{OWN_GAIN_OVER}{name}"
    told = f"Log-likelihood of the chain's own answer after its steps, minus that after {OVER[name]}."
    short = f"{whole_name}, up to the first step that states the chain's own answer."
    return (
        ChainMetric(whole_name, lambda chain: _over(chain, name, before=False), None, "nats", told),
        ChainMetric(f"{whole_name}{BEFORE}", lambda chain: _over(chain, name, before=True), None, "nats", short),
    )


def _over(chain: Chain, name: str, *, before: bool) -> float:
    found = measured(chain)
    if before and not found.before:
        raise Missing(NO_STEPS_BEFORE)
    control = found.controls[name][before]
    if isinstance(control, Unscored):
        raise Missing(f"control {name!r}: {control.reason}")
    return found.after[found.before if before else -1].log_likelihood - control
