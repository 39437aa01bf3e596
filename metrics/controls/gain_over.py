"""Gain of a chain minus gain of a control with as many steps, in nats: what the content of the steps contributes.

Both gains start from the question alone, so this equals the difference of two log-likelihoods of the gold answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..chain import Chain, ChainMetric, Likelihoods
from ..errors import Missing
from ..infogain import BEFORE, before_answer, with_steps
from ..likelihood import Unscored
from ..score import ControlScore

GAIN_OVER = "gain_over_"
OVER = {
    "filler": "as many lines that say nothing",
    "foreign": "as many steps of other questions",
    "shuffled": "the chain's own steps in another order",
}


def control_metrics(names: Sequence[str]) -> list[ChainMetric]:
    """The chain metrics for these controls, each over the whole chain and over the steps before the answer."""
    return [metric for name in names for metric in (_over(name, before=False), _over(name, before=True))]


def control_scores(likelihoods: Likelihoods) -> dict[str, ControlScore]:
    """The controls as stored in a chain's score, so that each number can be traced back to its texts."""
    out = {}
    for name, found in likelihoods.controls.items():
        out[name] = ControlScore(
            steps=_texts(found.control.whole),
            steps_before_answer=_texts(found.control.before_answer),
            log_likelihood=_number(found.whole),
            log_likelihood_before_answer=_number(found.before_answer),
            chains=list(found.control.chains),
            steps_before_own_answer=_texts(found.control.before_own_answer),
            log_likelihood_before_own_answer=_number(found.before_own_answer),
        )
    return out


def _texts(texts: Sequence[str] | Unscored) -> list[str]:
    return [] if isinstance(texts, Unscored) else list(texts)


def _number(value: float | Unscored) -> float:
    return math.nan if isinstance(value, Unscored) else value


def _over(name: str, *, before: bool) -> ChainMetric:
    def compute(chain: Chain) -> float:
        likelihoods = with_steps(chain)
        count = before_answer(chain) if before else len(chain.steps)
        found = likelihoods.controls[name]
        control = found.before_answer if before else found.whole
        if isinstance(control, Unscored):
            raise Missing(f"control {name!r}: {control.reason}")
        return likelihoods.answer[count] - control

    if before:
        description = f"{GAIN_OVER}{name}, up to the first step that states the gold answer."
    else:
        description = f"infogain_nats minus the gain of {OVER[name]}."
    return ChainMetric(f"{GAIN_OVER}{name}{BEFORE if before else ''}", compute, True, "nats", description)
