"""Which steps of a scored chain a reader of a scan should look at, and the messages that they stand in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspect_ai.scorer import Reference

from ...metrics import ChainScore, StepScore
from ...metrics.infogain import BEFORE
from .transcript import Turn

_CRITICAL = f"critical_step{BEFORE}"


@dataclass(frozen=True)
class StepReference:
    """One step that matters.

    Attributes:
        cite: how the explanation names it; the viewer makes it a link to the message.
        why: what is special about it, one phrase for each reason.
    """

    cite: str
    message_id: str
    step: StepScore
    why: Sequence[str]

    def as_reference(self) -> Reference:
        return Reference(type="message", cite=self.cite, id=self.message_id)


def step_references(chain: ChainScore, turns: Sequence[Turn], places: Mapping[str, int]) -> list[StepReference]:
    """The steps that matter, in order: the first with the gold answer, contradicted ones, the one that gains most;
    of chains with reliance also the one without which the own answer loses most.

    Args:
        turns: the messages that the response was put together from.
        places: each message's place in the transcript, counted from 1, by its id. Steps of other messages are left out.
    """
    reasons = _reasons(chain)
    found: list[StepReference] = []
    for index, step in enumerate(chain.steps):
        message = next((turn.message_id for turn in turns if turn.start <= step.start < turn.end), None)
        if index in reasons and message is not None and message in places:
            cite = f"[M{places[message]}, step {index + 1}]"
            found.append(StepReference(cite, message, step, reasons[index]))
    return found


def _reasons(chain: ChainScore) -> dict[int, list[str]]:
    reasons: dict[int, list[str]] = {}
    answer = next((index for index, step in enumerate(chain.steps) if step.states_answer), None)
    if answer is not None:
        reasons.setdefault(answer, []).append("is the first that states the gold answer")
    for index, step in enumerate(chain.steps):
        if any(verdict.label == "contradicted" for verdict in step.verdicts):
            reasons.setdefault(index, []).append("is contradicted")
    gains = {index: step.gain for index, step in enumerate(chain.steps) if math.isfinite(step.gain)}
    most = max(gains, key=lambda index: gains[index], default=None)
    if most is not None and gains[most] > 0:
        reasons.setdefault(most, []).append(f"gains most ({gains[most]:+.2f} nats)")
    critical = chain.metrics.get(_CRITICAL, math.nan)
    if math.isfinite(critical):
        lost = chain.steps[int(critical) - 1].deletion_nats_before_answer
        why = f"is the one that its own answer hangs on most ({lost:.2f} nats)"
        reasons.setdefault(int(critical) - 1, []).append(why)
    return reasons
