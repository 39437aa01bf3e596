"""Refuses to score questions that the scorer was trained on: its scores there reflect memorisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any

from ..errors import FitError, OverlapError, ScorerError
from ..trace import Trace
from .card import read_card
from .question_hashes import question_hashes


def scorer_card(source: str, revision: str | None = None) -> dict[str, Any] | None:
    """The card of a scorer that is to score, or None. Raises ScorerError for a card that cannot be read."""
    try:
        return read_card(source, revision)
    except FitError as error:
        raise ScorerError(str(error)) from error
    except OSError:  # what the hub does not give cannot be loaded either, and loading says why
        return None


def seen_chains(
    traces: Iterable[Trace], hashes: Callable[[], Set[str]], scorer: str | None, *, allowed: bool
) -> list[int]:
    """Indices of the chains whose question is among `hashes`. Chains without a gold answer are not the scorer's.

    Args:
        hashes: called once there is a chain to look at; where it gives none, no further chain is looked at.

    Raises:
        OverlapError: there are any, and not `allowed`.
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
