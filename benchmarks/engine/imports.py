"""The likelihood engine, also where stepgauge is not installed: a checkout, torch and transformers are enough.

An installed stepgauge is used as it is. Without one the name `stepgauge.metrics` is bound to the checkout's folder
`metrics` without running its `__init__`, whose gauge needs every dependency; the engine itself needs three.
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

from stepgauge.metrics.engine.scheduler import Engine, log_likelihoods, make_engine  # noqa: E402
from stepgauge.metrics.engine.scheduler import tree_attention as attention  # noqa: E402
from stepgauge.metrics.tokenization.spans import TokenSpan  # noqa: E402

__all__ = ["Engine", "TokenSpan", "attention", "log_likelihoods", "make_engine"]
