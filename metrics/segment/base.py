"""What a splitter is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Span = tuple[int, int]


def _nothing_to_free() -> None:
    return None


def _nothing_to_say() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Splitter:
    """`split(text)` returns half-open character spans in reading order that do not overlap.

    It is given one section of a response at a time (`sections.py`), without marks. Text between spans is left out
    (rules, blank lines). Spans are trimmed of white space by the caller.

    Attributes:
        resolve: for a splitter that chooses among others text by text: returns the one to use for `text`. Its name is
            then recorded beside this one's ("auto:lines"), and its `note` with the chain. `split` alone must give the
            same spans.
        note: what a reader of the chain should know of the cut; "": nothing.
        configure: for a splitter that takes options or what a gauge offers: `configure(surroundings, **options)`
            returns the one to use.
        prepare: for a splitter that asks somebody else: is called with many texts before they are cut one by one.
        describe: what its cuts depend on beside its options, as JSON, for a result's provenance.
        close: frees what it holds; the next text makes it anew.
    """

    name: str
    split: Callable[[str], list[Span]]
    description: str = ""
    resolve: Callable[[str], Splitter] | None = None
    note: str = ""
    configure: Callable[..., Splitter] | None = None
    prepare: Callable[[Sequence[str]], None] | None = None
    describe: Callable[[], Mapping[str, Any]] = _nothing_to_say
    close: Callable[[], None] = _nothing_to_free
