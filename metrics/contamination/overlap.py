"""Refuses to score questions that the scorer was trained on: its scores there reflect memorisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any

from ..errors import FitError, OverlapError, ScorerError
from ..trace import Trace
from .card import read_card
from .question_hashes import question_hashes


def scorer_card(source: str, revision: str | None = None) -> dict[str, Any] | None:
    """The card of a scorer, or None if it has none. Raises ScorerError for a card that cannot be read."""
    try:
        return read_card(source, revision)
    except FitError as error:
        raise ScorerError(str(error)) from error
    except OSError:  # not available on the hub: loading will fail, too, and say why
        return None


def seen_chains(
    traces: Iterable[Trace], hashes: Callable[[], Set[str]], scorer: str | None, *, allowed: bool
) -> list[int]:
    """Indices of the chains whose question is among `hashes`. Chains without a gold answer, which the scorer does not
    score, are skipped.

    Args:
        hashes: called when the first chain needs checking; if it returns none, no further chain is checked.

    Raises:
        OverlapError: there are such chains, and `allowed` is False.
    """
    found: list[int] = []
    known: Set[str] | None = None
    name, count = "", 0
    for i, trace in enumerate(traces):
        count = i + 1
        if not trace.answers:
            continue
        if known is None:
            known = hashes()
        if not known:
            return []
        if not known.isdisjoint(question_hashes(trace)):
            name = name or repr(trace.id if trace.id is not None else trace.question[:80])
            found.append(i)
    if found and not allowed:
        raise OverlapError(
            f"{len(found)} of {count} chains answer questions that had a part in fitting scorer {scorer!r} (the first "
            f"is {name}), so its numbers say little about them; score other questions, or set allow_overlap"
        )
    return found
