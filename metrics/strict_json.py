"""Makes values fit for strict JSON, which has neither nan nor infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def without_nan(value: Any) -> Any:
    """The same with null for every number that is not finite, lists for tuples, and dicts for dataclasses."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    names = getattr(type(value), "__dataclass_fields__", None)
    return value if names is None else {name: without_nan(getattr(value, name)) for name in names}
