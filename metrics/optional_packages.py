"""Packages that only some uses of stepgauge need: whether they are installed, and how to say that they are not."""

from __future__ import annotations

import importlib.util


def is_installed(module: str) -> bool:
    """Whether a top-level module can be imported. It is not imported."""
    return importlib.util.find_spec(module) is not None


def needs(who: str, packages: str, extra: str) -> str:
    """`fitting needs peft: pip install 'stepgauge[fit]'`: who needs which packages, of which extra of stepgauge."""
    return f"{who} needs {packages}: pip install 'stepgauge[{extra}]'"
