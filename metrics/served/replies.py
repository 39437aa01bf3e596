"""Reads a server's JSON and refuses whatever is no log-probability: what is not as asked for is never a number."""

from __future__ import annotations

import json
import math
from typing import Any

# A log-softmax in low precision may end a little above 0.
_ROUNDING_NATS = 1e-3
_MOST_SHOWN = 120


class BadReply(Exception):
    """A reply that does not answer what was asked; the text says what is wrong."""


def decode(text: str) -> dict[str, Any]:
    """The JSON object of a reply. Raises BadReply."""
    try:
        found = json.loads(text)
    # RecursionError: a body of a million "[".
    except (ValueError, RecursionError) as error:
        raise BadReply(f"the response is not JSON: {_shown(text)}") from error
    if not isinstance(found, dict):
        raise BadReply(f"the response is no JSON object: {_shown(text)}")
    return found


def log_probability(value: object, place: int) -> float:
    """A log-probability in nats; `place` is the token's, for the message. Raises BadReply for anything else."""
    if value is None:
        raise BadReply(f"the server gave no log-probability (null) for token {place}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadReply(f"the server gave {_shown(repr(value))} as the log-probability of token {place}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number > _ROUNDING_NATS:
        raise BadReply(f"the server gave a log-probability of {number:g} for token {place}")
    return number


def check_count(found: int, expected: int) -> None:
    """Raises BadReply where a reply has another number of tokens than were asked about."""
    if found != expected:
        raise BadReply(f"the server answered about {found} tokens, {expected} were asked about")


def count(value: object) -> int | None:
    """A count that a server reports; None where it does not."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _shown(text: str) -> str:
    return repr(" ".join(text[: 4 * _MOST_SHOWN].split())[:_MOST_SHOWN])
