"""The optional package that constrains generation: its name, how to install it, and whether it is there."""

from __future__ import annotations

import importlib.util

PACKAGE = "llguidance"
INSTALL = "pip install 'stepgauge[generation]'"


def can_generate() -> bool:
    """Whether the package is installed. Asking imports neither it nor torch."""
    return importlib.util.find_spec(PACKAGE) is not None
