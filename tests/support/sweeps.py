"""Sweeps: a few cases in every run, one of each kind, and all of them in `make test-all`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sweep(cases: Iterable[Any], every_run: Collection[Any]) -> list[Any]:
    """Parameters for these cases, a tuple's members apart; those that are not in `every_run` are slow."""
    cases = list(cases)
    assert all(case in cases for case in every_run), "every_run names a case that is not there"
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)), marks=() if case in every_run else pytest.mark.slow
        )
        for case in cases
    ]
