"""The rule of `answers.abstaining`, applied to what a user sees of a response: its thinking and run-on left out."""

from __future__ import annotations

from collections.abc import Sequence

from ..answers.abstaining import CUT_OFF, Stance, stance
from ..segment.sections import read_sections
from ..trace import Trace

_NOTHING_SAID = Stance("undetermined", "the response says nothing behind its thinking")


def visible(response: str) -> str:
    """What a model wrote for its reader: no thinking, tool calls or run-on; of an agent's marked answer that alone."""
    reading = read_sections(response)
    kinds = {section.kind for section in reading.sections}
    shown = "answer" if "answer" in kinds else "text"
    parts = [reading.clean[one.start : one.end].strip() for one in reading.sections if one.kind == shown]
    return "\n\n".join(part for part in parts if part)


def stance_of(
    response: str,
    choices: Sequence[str] | None = None,
    *,
    model_answer: str | None = None,
    truncated: bool | None = None,
) -> Stance:
    """See `answers.abstaining.stance`."""
    text = visible(response)
    if not text and response.strip():
        return CUT_OFF if truncated else _NOTHING_SAID
    return stance(text, choices, model_answer=model_answer, truncated=truncated)


def of_trace(trace: Trace) -> Stance:
    """Of a trace; `truncated` in its meta says whether a limit cut it off."""
    cut = trace.meta.get("truncated")
    return stance_of(
        trace.response,
        trace.choices,
        model_answer=trace.model_answer,
        truncated=cut if isinstance(cut, bool) else None,
    )
