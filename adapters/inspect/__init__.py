"""Inspect scorers; Inspect finds them by name (`stepgauge/reasoning`) through `registry`."""

from .scorers import infogain, knowledge, reasoning

__all__ = ["infogain", "knowledge", "reasoning"]
