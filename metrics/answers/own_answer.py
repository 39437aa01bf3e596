"""The answer that a response itself ends with, right or wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..numbers import DECIMAL, GROUPED
from .extraction import bare_answer
from .finals import said_last
from .own_option import own_option

# "$72 clips", "about 12.5 %": a number, and what it counts.
_QUANTITY = re.compile(
    rf"(?:(?:about|around|approximately)\s|[~≈]\s?)?(?:US)?[$€£¥₹]?\s?"
    rf"(?P<number>[-−]?(?:{GROUPED}|{DECIMAL})(?:\s?%)?)(?:\s?[$€£¥₹]|(?:\s[^\W\d_]{{1,20}}){{0,4}})\.?",
    re.IGNORECASE,
)


def own_answer(
    steps: Sequence[str],
    final: Sequence[bool],
    choices: Sequence[str] | None = None,
    model_answer: str | None = None,
) -> str | None:
    """The answer that a chain ends with; None where it gives none.

    What the framework read (`model_answer`) comes first, since its accuracy is about that; then what the chain
    announces last. Of multiple choice it is the option that this names. Else it is the text as announced, but of a
    quantity ("$72 clips") the number alone: what it counts stands in the question, and would be all but certain.

    Args:
        final: for each step whether it only gives an answer (`final_answers`).
    """
    if choices is not None:
        return own_option(steps, choices, model_answer)
    given = None if _is_all(model_answer, steps) else model_answer
    for said in (given, said_last(steps, final)):
        if said is not None and (answer := bare_answer(said).strip()):
            quantity = _QUANTITY.fullmatch(answer)
            return quantity["number"] if quantity else answer
    return None


def _is_all(answer: str | None, steps: Sequence[str]) -> bool:
    """Whether what was read as the answer is nothing, or the whole response, of several steps."""
    if answer is None or not answer.strip():
        return True
    return len(steps) > 1 and "".join(answer.split()) == "".join("".join(steps).split())
