"""Reads answers from text: what a response's own answer is, which option is meant, what stands behind "####"."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import SupportsIndex

from ..printable import without_controls
from .announcing import announced, announcements, is_final_answer, last_boxed
from .matching import AnswerMatcher, states_answer
from .option_list import without_letters
from .vocabulary import ANNOUNCE

__all__ = [
    "AnswerMatcher",
    "announced",
    "bare_answer",
    "extract_answer",
    "gold_from_suffix",
    "is_final_answer",
    "last_boxed",
    "resolve_choice",
    "states_answer",
]


def gold_from_suffix(text: str) -> str:
    """The answer after the last "####", as GSM8K's solutions end; text without it, stripped."""
    return text.rpartition("####")[2].strip()


_TAIL = 20_000


def extract_answer(response: str) -> str | None:
    r"""The answer a response announces last, for display: `\boxed{…}`, "#### …", "answer is …", "A: …".

    Read from the last 20,000 characters; at most 200 characters long; None where nothing is announced. A letter in
    brackets loses them ("(C)" gives "C").
    """
    found = announcements(response[-_TAIL:])
    return (bare_answer(found[-1]) or None) if found else None


def bare_answer(announcement: str) -> str:
    """An announced answer without terminal codes, and quotes, emphasis, dollars and brackets around it.

    At most 200 characters long.
    """
    announcement = without_controls(announcement[:_TAIL])
    value = re.sub(r"^(?:\$|\\\()\s?(.*?)\s?(?:\$|\\\))$", r"\1", announcement[:200].strip(" *_`\"'“”")).strip(" *_`")
    return re.sub(r"^[(\[]([A-Za-z])[)\]]$", r"\1", value)


_CHOICE = re.compile(
    rf"\W{{0,4}}(?:{ANNOUNCE.pattern})?\s?(?:option|choice)?[\s_]?[(\[*]{{0,3}}(?P<label>[A-Za-z])[)\]*]{{0,3}}\s?"
    r"(?:[.:)]\s?(?P<text>.*)|[.!]?)$"
    r"|\W{0,2}[(\[](?P<label2>[A-Za-z])[)\]]\s(?P<text2>.*)$",
    re.IGNORECASE | re.DOTALL,
)


def resolve_choice(answer: str | SupportsIndex, choices: Sequence[str]) -> str:
    """The option's text that `answer` names.

    Args:
        answer: a 0-based index, an option's own text, or its letter: "B", "(b)", "B.", "Answer: B", "B) Aspirin".
            Where the options' texts are letters themselves, the text counts, not the position.

    Raises:
        ValueError: no option, or more than one, is meant; the message says what was given and what the options are.
    """
    options = list(choices)
    if isinstance(answer, bool) or not isinstance(answer, (str, SupportsIndex)):
        raise ValueError(_no_choice(answer, options, "expected a letter, an option's text or an index"))
    if not isinstance(answer, str):
        index = operator.index(answer)
        if not 0 <= index < len(options):
            raise ValueError(_no_choice(answer, options, f"expected an index from 0 to {len(options) - 1}"))
        return options[index]
    for key in (str, _fold):
        same = [option for option in options if key(option) == key(answer)]
        if len(set(same)) > 1:
            raise ValueError(_no_choice(answer, options, "more than one option reads so"))
        if same:
            return same[0]
    bare = [_fold(option) for option in without_letters(options)]
    if bare.count(_fold(answer)) == 1:
        return options[bare.index(_fold(answer))]
    match = _CHOICE.match(answer[:2_000].strip())
    if match:
        index = ord((match["label"] or match["label2"]).upper()) - ord("A")
        text = match["text"] or match["text2"]
        if index < len(options) and (not text or _fold(text) == _fold(options[index])):
            return options[index]
    raise ValueError(_no_choice(answer, options, "expected a letter or the text of one of them"))


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _no_choice(answer: object, options: Sequence[str], what: str) -> str:
    listed = "; ".join(f"{chr(ord('A') + i)}: {option:.40}" for i, option in enumerate(options[:10]))
    more = f"; and {len(options) - 10} more" if len(options) > 10 else ""
    return f"answer {answer!r:.80} names none of the {len(options)} choices ({what}): {listed}{more}"
