"""Where a sentence stands in a response's lists and headings: whether it opens a bullet, and what it stands under."""

from __future__ import annotations

import re
from typing import NamedTuple

LABEL_CHARACTERS = 80  # looked back over for the beginning of the line

_HEADING = -20  # above every line of text; a Markdown heading of more marks is lower
_BEGINNING = re.compile(
    r"(?P<indent>[ \t]*)(?P<quote>(?:>[ \t]?){0,3})"
    r"(?:(?P<hashes>#{1,6})[ \t]+)?(?P<bullet>(?:[-*+•–]|(?P<number>\(?\d{1,3}[.)]))[ \t]+)?(?P<bold>\*\*|__)?[*_` \t]*"
    r"(?:step\s?\d{1,3}\s?[:.)–-]\s*)?",
    re.IGNORECASE,
)
_BOLD = re.compile(r"[^\n*_]{1,80}(?:\*\*|__)[ \t]{0,3}:?[ \t]{0,3}(?:\n|\Z)")


class Line(NamedTuple):
    """The line that a sentence opens.

    Attributes:
        level: a line stands under the nearest one before it with a smaller level.
        bullet: whether it is an item of a list.
        heading: whether it is set as a heading, in Markdown or in bold.
    """

    level: int
    bullet: bool
    heading: bool


def line_at(text: str, start: int) -> Line | None:
    """The line that opens with the sentence at `start`, its label passed over; None where it opens none."""
    before = text[max(0, start - LABEL_CHARACTERS) : start]
    newline = before.rfind("\n")
    if newline < 0 and start > LABEL_CHARACTERS:
        return None
    found = _BEGINNING.fullmatch(before, newline + 1)
    if found is None:
        return None
    if found["hashes"]:
        return Line(_HEADING + len(found["hashes"]), bullet=False, heading=True)
    bullet = found["bullet"] is not None
    if found["bold"] and not bullet and _BOLD.match(text, start):
        return Line(-1, bullet=False, heading=True)
    # Dashes below a number stand under it, indented or not.
    inner = 1 if found["number"] else 2 if bullet else 0
    return Line(3 * len(found["indent"].expandtabs(4)) + inner, bullet=bullet, heading=False)
