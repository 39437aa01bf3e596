"""The cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """What can be made again lives here: $STEPGAUGE_CACHE, else the user's cache folder (Linux: $XDG_CACHE_HOME)."""
    import platformdirs  # here, so that the engine runs where only torch and transformers are installed

    return Path(os.environ.get("STEPGAUGE_CACHE") or platformdirs.user_cache_dir("stepgauge"))
