"""Why a corpus cannot be built, opened or searched."""

from __future__ import annotations

from ..errors import StepgaugeError
from ..optional_packages import is_installed, needs


class CorpusError(StepgaugeError, ValueError):
    """A corpus cannot be built, opened or searched; the message says what was given and what to do."""


class CorpusBusy(CorpusError):
    """Another process is building the same corpus."""


def require(module: str, package: str, what_for: str) -> None:
    """Raises CorpusError, naming the extra to install, where an optional package is missing."""
    if not is_installed(module):
        raise CorpusError(needs(what_for, package, "retrieval"))
