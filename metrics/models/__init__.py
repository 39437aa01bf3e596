"""Finds and loads scoring LMs: hub ids, folders, GGUF files, dtypes, devices, quantization.

Knows nothing of chains. Names are looked up lazily, so importing the package does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loading import LoadedModel, load, resolve

_HOME = {
    "LoadedModel": "loading",
    "load": "loading",
    "resolve": "loading",
}

__all__ = ["LoadedModel", "load", "resolve"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
