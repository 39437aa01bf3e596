"""One `Gauge` per set of options and process, so that the tasks of a group share one loaded scoring LM."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from typing import Any

from ...metrics import Gauge, ModelInMemory

_GAUGES: dict[str, Gauge] = {}
# By model, too, and no longer than a task holds them: they hold the model under test.
_OF_MODELS: weakref.WeakValueDictionary[tuple[str, int], Gauge] = weakref.WeakValueDictionary()


def gauge_for(options: Mapping[str, Any]) -> Gauge:
    """The process's `Gauge` with these options; it loads its scoring LM when the first chain is scored.

    Raises:
        ValueError: an option's value is invalid; the message comes from `Gauge`.
    """
    key = _key(options)
    if key not in _GAUGES:
        _GAUGES[key] = Gauge(**options)
    return _GAUGES[key]


def gauge_of_model(options: Mapping[str, Any], model: ModelInMemory) -> Gauge:
    """The same for `scorer: self`, once the model under test is known."""
    key = _key(options), id(model.model)
    gauge = _OF_MODELS.get(key)
    if gauge is None:
        _OF_MODELS[key] = gauge = gauge_for(options).with_scorer(model)
    return gauge


def _key(options: Mapping[str, Any]) -> str:
    return json.dumps(options, sort_keys=True, default=repr)


def close_gauges(keep: Gauge | None = None) -> None:
    """Free the scoring LMs that this process holds, except that of `keep`.

    The model under test stays in memory while lm-eval scores, so at most one scoring LM should be loaded beside it.
    """
    for gauge in _GAUGES.values():
        if gauge is not keep:
            gauge.close()
