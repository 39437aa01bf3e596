"""Hostile texts in three sizes: a sixteenth in every run, a quarter in `make test-all`, whole ones in `.ci/slow`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

SECONDS = 60
_SIZES = ((16, "", ()), (4, ", a quarter", pytest.mark.slow), (1, ", whole", pytest.mark.long))


def in_three_sizes(texts: Callable[[int], Mapping[str, str]]) -> list[Any]:
    """Parameters (text, seconds it may take), the seconds in proportion to the length.

    Args:
        texts: the texts by name, made a given number of times shorter.
    """
    return [
        pytest.param(text, SECONDS / part, id=f"{name}{size}", marks=marks)
        for part, size, marks in _SIZES
        for name, text in texts(part).items()
    ]
