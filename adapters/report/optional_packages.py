"""Names the packages of the extra `report` that are missing, before a report is written."""

from __future__ import annotations

import importlib.util

INSTALL = "pip install 'stepgauge[report]'"
_PACKAGES = {"altair": "altair", "jinja2": "jinja2", "vl_convert": "vl-convert-python"}


class ReportError(ValueError):
    """A report cannot be written; the message says what was given and what to do."""


def check_packages() -> None:
    """Raises ReportError that names the packages that are not installed."""
    lacking = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if lacking:
        raise ReportError(f"a report needs {', '.join(lacking)}: {INSTALL}")
