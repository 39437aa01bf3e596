"""Warns if lm-eval removes the chain of thought before tasks see it.

With the model argument `think_end_token`, lm-eval keeps only the text after that token, so task filters, samples file,
response cache and our scores get the final answer without its chain.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from .scorer import log

_ARGUMENT = "think_end_token"


def warn_of_stripped_thinking(metadata: Mapping[str, Any] | None) -> None:
    """Warn, once per process, if the model's arguments (which lm-eval merges into metadata) contain the token."""
    token = (metadata or {}).get(_ARGUMENT)
    if token is not None:
        _warn(str(token))


@functools.cache
def _warn(token: str) -> None:
    log.warning(
        "model argument %s=%s: lm-eval drops everything before that token, so the thinking itself is not scored, only "
        "what the model writes after it. To score the thinking, leave the argument out (and see that the task's stop "
        "sequences do not end it early)",
        _ARGUMENT,
        token,
    )
