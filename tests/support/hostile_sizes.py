"""Hostile texts in two sizes: a quarter as long in every run, the whole ones in `.ci/slow`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

SECONDS = 60


def in_two_sizes(texts: Callable[[int], Mapping[str, str]]) -> list[Any]:
    """Parameters (text, seconds it may take), the seconds in proportion to the length.

    Args:
        texts: the texts by name, made a given number of times shorter.
    """
    quarter = [pytest.param(text, SECONDS / 4, id=name) for name, text in texts(4).items()]
    whole = [
        pytest.param(text, SECONDS, id=f"{name}, whole", marks=pytest.mark.long) for name, text in texts(1).items()
    ]
    return quarter + whole
