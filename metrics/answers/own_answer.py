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
    rf"(?P<number>[-−]?(?:{GROUPED}|{DECIMAL})(?:\s?%)?)(?:\s?[$€£¥₹]|(?P<unit>(?:\s[^\W\d_]{{1,20}}){{0,4}}))\.?",
    re.IGNORECASE,
)

_WORDS = re.compile(r"[^\W\d_]+")
# Words behind a number that make another one of it.
_CHANGES = frozenset(
    [
        "hundred",
        "thousand",
        "million",
        "billion",
        "trillion",
        "dozen",
        "pair",
        "half",
        "quarter",
        "third",
        "and",
        "or",
        "plus",
        "minus",
        "times",
        "less",
        "more",
    ]
)
_CLOSING = ("in", "total", "all", "altogether", "each", "left")
# What frameworks and scripts write where they have read no answer.
_NOTHING_READ = frozenset(("[invalid]", "none", "null", "nan", "n/a"))


def own_answer(
    steps: Sequence[str],
    final: Sequence[bool],
    question: str,
    choices: Sequence[str] | None = None,
    model_answer: str | None = None,
) -> str | None:
    """The answer that a chain ends with; None where it gives none.

    What the framework read (`model_answer`) comes first, since its accuracy is about that; then what the chain
    announces last. Of multiple choice it is the option that this names. Else it is the text as announced, but of a
    quantity ("$72 clips") the number alone where the question says what it counts, which would be all but certain.

    Args:
        final: for each step whether it only gives an answer (`final_answers`).
    """
    if model_answer is not None and model_answer.strip().casefold() in _NOTHING_READ:
        model_answer = None
    if choices is not None:
        return own_option(steps, choices, model_answer)
    given = None if _is_all(model_answer, steps) else model_answer
    for said in (given, said_last(steps, final)):
        if said is not None and (answer := bare_answer(said).strip()):
            quantity = _QUANTITY.fullmatch(answer)
            return quantity["number"] if quantity and _counted(quantity["unit"] or "", question) else answer
    return None


def _counted(unit: str, question: str) -> bool:
    """Whether the question has these words; none of them changes the number."""
    words = set(unit.casefold().split())
    known = {*_WORDS.findall(question.casefold()), *_CLOSING}
    return words <= known and not words & _CHANGES


def _is_all(answer: str | None, steps: Sequence[str]) -> bool:
    """Whether what was read as the answer is nothing, or the whole response, of several steps."""
    if answer is None or not answer.strip():
        return True
    return len(steps) > 1 and "".join(answer.split()) == "".join("".join(steps).split())
