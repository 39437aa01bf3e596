"""One `Gauge` per set of options and process, so that the tasks of a group share one loaded scoring LM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...metrics import Gauge

_GAUGES: dict[str, Gauge] = {}


def gauge_for(options: Mapping[str, Any]) -> Gauge:
    """The process's `Gauge` with these options; its scoring LM is loaded when the first chain is scored.

    Raises:
        ValueError: an option's value is not valid; the message is `Gauge`'s own.
    """
    key = json.dumps(options, sort_keys=True, default=repr)
    if key not in _GAUGES:
        _GAUGES[key] = Gauge(**options)
    return _GAUGES[key]


def close_gauges(keep: Gauge | None = None) -> None:
    """Free the scoring LMs that this process holds, but for `keep`'s.

    The model under test stays in memory while lm-eval scores, so no more than one scoring LM should join it.
    """
    for gauge in _GAUGES.values():
        if gauge is not keep:
            gauge.close()
