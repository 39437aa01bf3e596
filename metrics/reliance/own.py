"""The answer that a chain itself ends with, as what its likelihoods are measured toward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..answers.finals import commit_of
from ..answers.own_answer import own_answer
from ..likelihood import Unscored
from ..segment import flagged
from ..trace import Step, Trace, steps_before_own_answer

TARGETS = ("gold", "own")
NO_OWN_ANSWER = Unscored("the response gives no answer of its own")


@dataclass(frozen=True)
class Own:
    """A chain's own answer.

    Attributes:
        answer: of multiple choice the option's text.
        before: steps before the first that states it, 0 to t - 1, as in `steps_before_own_answer`; the gold answer
            counts for nothing here.
    """

    answer: str
    before: int


def answer_of(trace: Trace, steps: Sequence[Step]) -> str | None:
    """See `own_answer`."""
    final = [step.kind == "final_answer" for step in steps]
    return own_answer([step.text for step in steps], final, trace.choices, trace.model_answer)


def toward(trace: Trace, answer: str | None) -> Trace:
    """The chain with its own answer, if it has any, in the place of the gold one."""
    return replace(trace, answer=answer)


def own_of(trace: Trace, steps: Sequence[Step]) -> Own | Unscored:
    """A chain's own answer, and which steps come before it."""
    answer = answer_of(trace, steps)
    if answer is None:
        return NO_OWN_ANSWER
    own = toward(trace, answer)
    return Own(answer, steps_before_own_answer(flagged(steps, own), commit_of(steps, own)))
