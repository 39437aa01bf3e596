"""lm-evaluation-harness: `class: !function stepgauge.adapters.lm_eval.StepTask` in a task's YAML adds reasoning scores.

Names are looked up lazily, so that `include_path()` works without importing lm-eval.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aggregate import nan_mean
    from .filters import ReasoningFilter, stepgauge
    from .paths import include_path
    from .records import ReasoningRecord
    from .task import StepTask, reasoning

_HOME = {
    "ReasoningFilter": "filters",
    "ReasoningRecord": "records",
    "StepTask": "task",
    "include_path": "paths",
    "nan_mean": "aggregate",
    "reasoning": "task",
    "stepgauge": "filters",
}

__all__ = ["ReasoningFilter", "ReasoningRecord", "StepTask", "include_path", "nan_mean", "reasoning", "stepgauge"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
