"""Where stepgauge keeps its cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The folder for files that can be recreated: $STEPGAUGE_CACHE, else the user's cache (Linux: $XDG_CACHE_HOME)."""
    import platformdirs  # imported here, so that the engine runs where only torch and transformers are installed

    return Path(os.environ.get("STEPGAUGE_CACHE") or platformdirs.user_cache_dir("stepgauge"))
