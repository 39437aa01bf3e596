"""What can go wrong with a corpus, told so that the user can mend it."""

from __future__ import annotations

import importlib.util


class CorpusError(ValueError):
    """A corpus cannot be built, opened or searched; the message says what was given and what to do."""


class CorpusBusy(CorpusError):
    """Another process is building the same corpus."""


def require(module: str, package: str, what_for: str) -> None:
    """Raises CorpusError, naming the extra to install, where an optional package is missing."""
    if importlib.util.find_spec(module) is None:
        raise CorpusError(f"{what_for} needs the package {package}: pip install 'stepgauge[retrieval]'")
