"""One `Gauge` per set of options and process, so that the tasks of a group share one loaded scoring LM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...metrics import Gauge

_GAUGES: dict[str, Gauge] = {}


def gauge_for(options: Mapping[str, Any]) -> Gauge:
    """The process's `Gauge` with these options; it loads its scoring LM when the first chain is scored.

    Raises:
        ValueError: an option's value is invalid; the message comes from `Gauge`.
    """
    key = json.dumps(options, sort_keys=True, default=repr)
    if key not in _GAUGES:
        _GAUGES[key] = Gauge(**options)
    return _GAUGES[key]


def close_gauges(keep: Gauge | None = None) -> None:
    """Free the scoring LMs that this process holds, except that of `keep`.

    The model under test stays in memory while lm-eval scores, so at most one scoring LM should be loaded beside it.
    """
    for gauge in _GAUGES.values():
        if gauge is not keep:
            gauge.close()
