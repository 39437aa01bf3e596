"""What runs above an adapter where a framework tells it nothing: found in the frames of those that call it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def local_of_a_caller(name: str, fits: Callable[[Any], bool]) -> Any:
    """The nearest caller's variable of this name that fits; None where none does."""
    frame = sys._getframe()
    while frame is not None:
        found = frame.f_locals.get(name)
        if fits(found):
            return found
        frame = frame.f_back
    return None
