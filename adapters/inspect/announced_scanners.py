"""Makes our scanners known by name without importing inspect_scout, which takes a second and may not be installed.

Inspect imports a package's entry point in every run that names anything of it, long before it knows of a scanner.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

# Inspect has no public function that registers an object of a given type.
from inspect_ai._util.registry import RegistryInfo, registry_add

_NAMES = ("reasoning", "infogain", "knowledge", "reliance")
_FUNCTIONS: dict[tuple[Literal["scanner", "scanjob"], str], str] = {
    **{("scanner", name): name for name in _NAMES},
    **{("scanjob", name): f"{name}_job" for name in _NAMES},
}


def announce_scanners() -> None:
    """Register, for each scanner and scan job, a function that imports `scanners` and calls its namesake there."""
    for (kind, name), function in _FUNCTIONS.items():
        registry_add(_late(function), RegistryInfo(type=kind, name=f"stepgauge/{name}"))


def _late(function: str) -> Callable[..., Any]:
    def make(**options: Any) -> Any:
        return getattr(import_module(f"{__package__}.scanners"), function)(**options)

    return make
