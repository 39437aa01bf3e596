"""`import stepgauge`: the front door `Gauge` with what goes in and comes out, and the version.

This folder is installed as the package `stepgauge` itself (pyproject.toml).

>>> from stepgauge import Gauge, Trace

Everything else has its own package: `stepgauge.metrics`, `stepgauge.adapters`, `stepgauge.tasks`. Names are looked up
when they are asked for, so that a program that only wants the version waits for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepgauge.metrics import ChainScore, Gauge, Trace

    __version__: str

__all__ = ["ChainScore", "Gauge", "Trace", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stepgauge")
    if name in __all__:
        from stepgauge import metrics

        return getattr(metrics, name)
    raise AttributeError(f"module 'stepgauge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
