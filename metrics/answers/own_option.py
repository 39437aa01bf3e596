"""Which option of a multiple-choice question a response chose, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence

from .announcing import announcements
from .extraction import resolve_choice
from .finals import final_answers
from .matching import options_meant


def own_option(steps: Sequence[str], choices: Sequence[str], model_answer: str | None = None) -> str | None:
    """The text of the option that a response chose; None where it names none.

    What the framework read (`model_answer`) comes first, since its accuracy is about that; then the option announced
    last.
    """
    if model_answer is not None and (found := option_named(model_answer, choices)) is not None:
        return found
    final = final_answers(steps)
    for step, is_final in zip(reversed(steps), reversed(final), strict=True):
        for answer in reversed(announcements(step, value_alone=is_final)):
            if (found := option_named(answer, choices)) is not None:
                return found
    return None


def option_named(answer: str, choices: Sequence[str]) -> str | None:
    """The option that an announced answer is: its letter, its text, or both; None where it is none of them."""
    try:
        return resolve_choice(answer, choices)
    except ValueError:
        return next(iter(options_meant(answer, choices)), None)
