"""A multiple-choice question without its list of options, and options without the letters that they begin with."""

from __future__ import annotations

import re
from collections.abc import Sequence

_GAP = 24  # characters between two options of a list: a line break, "and", "(B) ", "Option B: "


_LABEL = re.compile(r"\s{0,4}[(\[]?(?P<letter>[A-Z])(?:[)\].:]{1,2}|\s-)\s{1,4}(?=\S)")


def without_letters(options: Sequence[str]) -> list[str]:
    """Options without the letters of their places, where all begin with them ("A. Thiazide", "(B) Nitrate")."""
    labels = [_LABEL.match(option) for option in options]
    if not options or any(found is None or ord(found["letter"]) != ord("A") + i for i, found in enumerate(labels)):
        return list(options)
    return [option[found.end() :] for option, found in zip(options, labels, strict=True) if found]


def without_option_list(question: str, options: Sequence[str]) -> str:
    """The question with every list of all options, in their order, cut out. White space is collapsed.

    A question that does not list them stays whole.
    """
    text = " ".join(question.split())
    wanted = [" ".join(option.split()) for option in options]
    if not all(wanted):
        return text
    kept: list[str] = []
    position = start = 0
    while (start := text.find(wanted[0], start)) >= 0:
        end = _end_of_list(text, wanted, start)
        if end is None:
            start += 1
            continue
        kept.append(text[position:start])
        position = start = end
    return " ".join([*kept, text[position:]])


def _end_of_list(text: str, options: Sequence[str], start: int) -> int | None:
    """Where the list that begins at `start` ends; None where none begins there."""
    end = start
    for option in options:
        at = _find_word(text, option, end, end + _GAP + len(option)) if end > start else start
        if at is None or not _is_whole(text, at, at + len(option)):
            return None
        end = at + len(option)
    return end


def _find_word(text: str, option: str, start: int, stop: int) -> int | None:
    at = text.find(option, start, stop)
    while at >= 0 and not _is_whole(text, at, at + len(option)):
        at = text.find(option, at + 1, stop)
    return at if at >= 0 else None


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word or number goes on beyond the span."""
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return not before and not after
