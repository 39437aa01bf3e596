"""What a judge that reads text is shown beside a claim: question and steps before it, so that it knows what "it" is.

Both are quoted material, the steps of a hostile model among them: orders to a judge are left out of them as they are of
the claim, the length is bounded, and whoever shows them fences them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...trace import Trace
from ..types import Claim
from .injection import without_orders

CONTEXT_CHARACTERS = 2_000
MOST_CONTEXT = 50_000
# What is read of a text before orders are taken out of its end: a clause that begins before what is shown is found.
_MARGIN = 500


class Context(NamedTuple):
    """The end of the question, where options stand, and the end of the response before the claim."""

    question: str = ""
    steps_before: str = ""

    def __bool__(self) -> bool:
        return bool(self.question or self.steps_before)


NO_CONTEXT = Context()


def context_of(claim: Claim, trace: Trace | None, characters: int) -> Context:
    """The claim's context, at most `characters` long, half of them the question's; empty without a trace.

    Orders to a judge are left out, and nothing behind the claim's beginning is shown.
    """
    if trace is None or characters < 2:
        return Context()
    half = characters // 2
    return Context(_shown(trace.question, len(trace.question), half), _shown(trace.response, claim.start, half))


class Contexts:
    """The contexts of the claims that a judge is asked about together.

    What a chain says again, and again of the same thing, has the context of the first time, so that it is asked once.
    """

    def __init__(self, characters: int) -> None:
        self._characters = characters
        self._first: dict[tuple[int, str, str], int] = {}

    def of(self, claim: Claim, trace: Trace | None) -> Context:
        """See `context_of`."""
        start = self._first.setdefault((id(trace), claim.text, claim.standalone), claim.start)
        return context_of(replace(claim, start=start), trace, self._characters)


def check_context(who: str, characters: object) -> int:
    """The option `context_characters`. Raises ValueError where it is no whole number within bounds."""
    if isinstance(characters, bool) or not isinstance(characters, int) or not 0 <= characters <= MOST_CONTEXT:
        raise ValueError(
            f"{who}, option context_characters {characters!r:.80}: expected a whole number from 0 to {MOST_CONTEXT}"
        )
    return characters


def end_of(text: str, characters: int) -> str:
    """The last `characters` of a text, from a word's beginning on."""
    text = text.strip()
    if len(text) <= characters:
        return text
    cut = text[len(text) - characters :]
    return "… " + cut[cut.find(" ") + 1 :]


def _shown(text: str, end: int, characters: int) -> str:
    start = max(0, end - characters - _MARGIN)
    cleaned, _ = without_orders(text[start:end])
    return end_of(cleaned, characters)
