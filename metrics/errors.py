"""Errors a caller may want to catch."""

from __future__ import annotations


class ScorerError(ValueError):
    """The scoring LM could not be found or loaded; the message says what was given and what to do."""


class OutOfMemory(RuntimeError):
    """Not even the smallest forward pass fits in memory."""
