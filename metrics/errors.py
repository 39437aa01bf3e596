"""The errors that a caller may want to catch."""

from __future__ import annotations


class StepgaugeError(Exception):
    """Something that the user can mend: the message says what was given, what was expected, and what to do.

    Commands print it as one line. Errors that were `ValueError`s before are so still.
    """


class ScorerError(StepgaugeError, ValueError):
    """The scoring LM could not be found or loaded."""


class OverlapError(ScorerError):
    """Chains are to be scored whose questions had a part in fitting the scorer, and `allow_overlap` is not set."""


class FitError(StepgaugeError, ValueError):
    """The scorer cannot be fitted as asked, or the card of a fit cannot be read."""


class OutOfMemory(StepgaugeError, RuntimeError):
    """Not even the smallest forward pass fits in memory."""


class Missing(Exception):
    """Raised by a chain metric that cannot be computed for one chain; its text is the reason shown to the user.

    A number that cannot be computed is missing, and says why: it never turns into 0 or 1.
    """

    @property
    def reason(self) -> str:
        return str(self)
