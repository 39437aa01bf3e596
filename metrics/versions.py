"""The package versions that a result's provenance names."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


def package_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def versions() -> dict[str, str | None]:
    """Versions of stepgauge and of the libraries that decide its numbers."""
    return {name: package_version(name) for name in ("stepgauge", "torch", "transformers", "tokenizers")}
