"""Forward passes of the scoring LM over token tries: each distinct token is computed once.

Knows tokens and models, not steps or metrics. Names are looked up lazily, so importing the package does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..tokenization.spans import TokenSpan
    from .runner import Engine
    from .scheduler import log_likelihoods, make_engine

_HOME = {
    "Engine": ".runner",
    "TokenSpan": "..tokenization.spans",
    "log_likelihoods": ".scheduler",
    "make_engine": ".scheduler",
}

__all__ = ["Engine", "TokenSpan", "log_likelihoods", "make_engine"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name], __name__), name)
