"""Errors a caller may want to catch."""

from __future__ import annotations


class ScorerError(ValueError):
    """The scoring LM could not be found or loaded; the message says what was given and what to do."""


class OverlapError(ScorerError):
    """Chains are to be scored whose questions had a part in fitting the scorer, and `allow_overlap` is not set."""


class OutOfMemory(RuntimeError):
    """Not even the smallest forward pass fits in memory."""
