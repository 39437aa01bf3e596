"""The answer that a chain itself ends with, as what its likelihoods are measured toward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..answers.own_answer import own_answer
from ..likelihood import Unscored
from ..segment import flagged
from ..trace import Step, Trace

TARGETS = ("gold", "own")
NO_OWN_ANSWER = Unscored("the response gives no answer of its own")


@dataclass(frozen=True)
class Own:
    """A chain's own answer.

    Attributes:
        answer: of multiple choice the option's text.
        before: steps before the first that states it, 0 to t - 1; where none does, all but the last. Steps that state
            another answer, the gold one among them, count for nothing here.
    """

    answer: str
    before: int


def answer_of(trace: Trace, steps: Sequence[Step]) -> str | None:
    """See `own_answer`."""
    final = [step.kind == "final_answer" for step in steps]
    return own_answer([step.text for step in steps], final, trace.question, trace.choices, trace.model_answer)


def toward(trace: Trace, answer: str | None) -> Trace:
    """The chain with its own answer, if it has any, in the place of the gold one."""
    return replace(trace, answer=answer)


def own_of(trace: Trace, steps: Sequence[Step]) -> Own | Unscored:
    """A chain's own answer, and which steps come before it."""
    answer = answer_of(trace, steps)
    if answer is None:
        return NO_OWN_ANSWER
    last = max(0, len(steps) - 1)
    stating = (i for i, step in enumerate(flagged(steps, toward(trace, answer))) if step.states_answer)
    return Own(answer, min(last, next(stating, last)))
