"""The folder `benchmarks`, which is not installed, as modules."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from repo import REPO


def benchmark(name: str) -> ModuleType:
    """`benchmarks.<name>`."""
    if str(REPO) not in sys.path:
        sys.path.insert(0, str(REPO))
    return importlib.import_module(f"benchmarks.{name}")
