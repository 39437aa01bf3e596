"""Keeps a name and password that stand in a server's address out of what is printed and stored.

An address is kept in provenance, manifests and caches, and named in errors, so none with a login is taken
(`servers/options.py`); the errors that refuse it do not repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LOGIN = re.compile(r"(?<=://).*@", re.DOTALL)


def without_login(value: Any) -> Any:
    """What an error may show of a value: addresses in it without what stands before an @."""
    if isinstance(value, str):
        return _LOGIN.sub("…@", value)
    if isinstance(value, Mapping):
        return {without_login(name): without_login(one) for name, one in value.items()}
    return [without_login(one) for one in value] if isinstance(value, list | tuple) else value
