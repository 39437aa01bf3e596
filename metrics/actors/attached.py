"""Which actor's scoring LM this process asks, where it has none of its own."""

from __future__ import annotations

from typing import Any

_there: Any = None


def attach(actor: Any) -> None:
    """From now on the likelihood backend `hf` of this process asks an actor made by `backend.make_actor`."""
    global _there
    _there = actor


def attached() -> Any:
    """The actor; None: this process loads its own."""
    return _there
