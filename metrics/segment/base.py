"""What a splitter is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class Splitter:
    """`split(text)` returns half-open character spans in reading order that do not overlap.

    It is given one section of a response at a time (`sections.py`), without marks. Text between spans is left out
    (rules, blank lines). Spans are trimmed of white space by the caller.

    Attributes:
        resolve: for a splitter that chooses among others text by text: returns the one to use for `text`. Its name is
            then recorded beside this one's ("auto:lines"). `split` alone must give the same spans.
    """

    name: str
    split: Callable[[str], list[Span]]
    description: str = ""
    resolve: Callable[[str], Splitter] | None = None
