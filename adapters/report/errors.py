"""The error for a report that cannot be written, and the check for its packages."""

from __future__ import annotations

from ...metrics.errors import StepgaugeError
from ...metrics.optional_packages import is_installed, needs

_PACKAGES = {"altair": "altair", "jinja2": "jinja2", "vl_convert": "vl-convert-python"}


class ReportError(StepgaugeError, ValueError):
    """A report cannot be written; the message says what was given and what to do."""


def check_packages() -> None:
    """Raises ReportError naming the packages that are not installed."""
    if lacking := [package for module, package in _PACKAGES.items() if not is_installed(module)]:
        raise ReportError(needs("a report", ", ".join(lacking), "report"))
