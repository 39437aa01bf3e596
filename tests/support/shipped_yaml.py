"""lm-eval reads its 14,000 task files for every run; tests that run its command line often read them once.

The first time they come out of the cache folder, where `stepgauge lm-eval run` keeps them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.tasks._index import TaskIndex

from stepgauge.adapters.lm_eval.kept_yaml import kept_yaml

_SHIPPED = Path(lm_eval.tasks.__file__).parent
_BUILT: dict[str, Any] = {}


def index_shipped_tasks_once(monkeypatch: Any) -> None:
    """Keep lm-eval's index of its own folder; other folders are indexed and laid over it as always."""
    build = TaskIndex.build

    def remembered(paths: Any, **options: Any) -> dict[str, Any]:
        index: dict[str, Any] = {}
        for path in paths:
            if path == _SHIPPED:
                if not _BUILT:
                    with kept_yaml():
                        _BUILT.update(build([path], **options))
                index.update(_BUILT)
            else:
                index.update(build([path], **options))
        return index

    monkeypatch.setattr(TaskIndex, "build", staticmethod(remembered))
