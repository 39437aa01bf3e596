"""The version of the form in which scores are written: in each score, each row of `scores.jsonl`, and `run.json`.

Within a version fields may be added; readers pass over those they do not know. A version that readers of the one before
would misread gets the next number. What was written before there were versions counts as 0 and reads as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import StepgaugeError
from .versions import package_version

FORMAT = 2


class FormatError(StepgaugeError, ValueError):
    """Something was written in a later format than this stepgauge reads."""


def check_format(data: Mapping[str, Any]) -> int:
    """The format that `data` says it has. Raises FormatError where it is a later one, or none at all."""
    found = data.get("format", 0)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise FormatError(f"field 'format': expected a whole number, got {found!r:.80}")
    if found > FORMAT:
        own = package_version("stepgauge")
        raise FormatError(f"written in format {found}; this stepgauge ({own}) reads up to {FORMAT}: update stepgauge")
    return found
