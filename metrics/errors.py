"""The errors that a caller may want to catch."""

from __future__ import annotations

# What a third party's code may raise and must pay for itself: a plugin that calls `sys.exit`, or whose Rust code
# panics, ends its own part and not the run. Every handler calls `said`, which raises on what is the user's: Ctrl-C.
THIRD_PARTY = BaseException

_LONGEST = 1_000  # characters of an exception's text; it may be kept with every claim


def unless_interrupted(error: BaseException) -> str:
    """The name of an exception's type. Raises KeyboardInterrupt where it is one."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    return type(error).__name__


def said(error: BaseException) -> str:
    """An exception in one line, for a reason that is kept with a number that is missing.

    Raises KeyboardInterrupt where it is one.
    """
    name = unless_interrupted(error)
    try:
        if isinstance(error, SystemExit):
            return f"it called sys.exit({error.code!r:.80})"
        text = " ".join(str(error)[:_LONGEST].split())
    except THIRD_PARTY as another:  # its own code, too
        text = f"(cannot be printed: {unless_interrupted(another)})"
    return f"{name}: {text}"


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
