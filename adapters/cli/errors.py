"""The error for a wrong command line."""

from __future__ import annotations

from ...metrics.errors import StepgaugeError


class UserError(StepgaugeError):
    """A wrong command line; the message says in one line what was given, what was expected and what to do."""
