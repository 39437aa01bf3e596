"""What is wrong with a command line."""

from __future__ import annotations

from ...metrics.errors import StepgaugeError


class UserError(StepgaugeError):
    """One line that says what was given, what was expected and what to do."""
