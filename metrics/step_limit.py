"""Bounds how long templates that somebody else wrote may run: Jinja's sandbox keeps them in, but lets them loop."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Lines of Python that Jinja makes of a template, and its own. The longest chat templates take some 100,000 to compile
# and a few thousand to render; these are a second or two.
_MOST_LINES = 5_000_000


class TooManySteps(Exception):
    """A template does not come to an end."""


@contextmanager
def step_limit(template: str) -> Iterator[None]:
    """Run a template in this thread within a number of steps that no sensible one needs, the same on every machine.

    Raises TooManySteps.
    """
    if _has_power(template):
        raise TooManySteps("it computes a power (**), which may take for ever")
    lines = 0

    def count(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal lines
        del frame, event, arg
        lines += 1
        if lines > _MOST_LINES:
            raise TooManySteps(f"it does not come to an end within {_MOST_LINES:,} steps")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


@functools.lru_cache(maxsize=64)
def _has_power(template: str) -> bool:
    """9**9**9 is one step, and no signal gets through before it ends. Prompts have no use for powers."""
    from jinja2 import Environment, TemplateSyntaxError  # as much as transformers imports for a chat template

    try:
        return any((kind, value) == ("operator", "**") for _, kind, value in Environment().lex(template))
    except TemplateSyntaxError:  # said better by whoever renders it
        return False
