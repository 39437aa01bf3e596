"""Imports the likelihood engine, even if stepgauge is not installed: a checkout, torch and transformers are enough.

An installed stepgauge is used as it is. Otherwise the name `stepgauge.metrics` is bound to the checkout's folder
`metrics` without running its `__init__`, which needs every dependency, while the engine needs only three.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def _bind_checkout() -> None:
    for name, folders in (("stepgauge", []), ("stepgauge.metrics", [str(ROOT / "metrics")])):
        module = ModuleType(name)
        module.__path__ = folders
        sys.modules[name] = module


if importlib.util.find_spec("stepgauge") is None:
    _bind_checkout()

from stepgauge.metrics.engine import tree_attention as attention  # noqa: E402
from stepgauge.metrics.engine.forward import cache_argument  # noqa: E402
from stepgauge.metrics.engine.scheduler import Engine, log_likelihoods, make_engine  # noqa: E402
from stepgauge.metrics.tokenization.spans import TokenSpan  # noqa: E402

__all__ = ["Engine", "TokenSpan", "attention", "cache_argument", "log_likelihoods", "make_engine"]
