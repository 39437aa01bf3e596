"""Whether a record's response answers or abstains: as its score says, or by the rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...metrics import ChainScore, Trace
from ...metrics.abstention.metric import UNDETERMINED
from ...metrics.abstention.rule import stance_of
from ...metrics.answers.abstaining import Outcome


def in_score(score: ChainScore) -> Outcome | None:
    """What the metric `abstained` says, which a judge may have decided; None where the score does not have it."""
    value = score.metrics.get("abstained")
    if value is None:
        return None
    if math.isnan(value):
        return "undetermined" if score.missing.get("abstained", "").startswith(UNDETERMINED) else None
    return "abstained" if value else "answered"


def in_trace(trace: Trace, score: ChainScore | None = None, *, truncated: bool | None = None) -> Outcome:
    """As the score says, else by the rule."""
    said = None if score is None else in_score(score)
    return (
        said or stance_of(trace.response, trace.choices, model_answer=trace.model_answer, truncated=truncated).outcome
    )


def in_text(response: Any, choices: Sequence[str] | None) -> Outcome | None:
    """By the rule; None for what is no text."""
    return stance_of(response, choices).outcome if isinstance(response, str) else None
