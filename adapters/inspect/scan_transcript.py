"""Makes of a transcript that inspect_scout scans the sample's state, as a scorer would have got it.

A transcript holds the sample's messages and events. What a scorer reads beside them stands in events: the sample as the
data set has it, the model's output, and what a solver made of the completion. Transcripts of other programs than
Inspect have messages alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inspect_ai.dataset import Sample
from inspect_ai.event import Event, ModelEvent, SampleInitEvent, StateEvent
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ModelName, ModelOutput
from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from .traces import full_name

if TYPE_CHECKING:
    from inspect_scout import Transcript

# The kinds of events that are read here and in `shuffled`.
EVENTS = ("sample_init", "model", "state")


def state_of(transcript: Transcript) -> TaskState:
    """The finished sample of a transcript.

    Without events the question is the first user message, and the options are not known.
    """
    sample = next((event.sample for event in transcript.events if isinstance(event, SampleInitEvent)), None)
    asked = sample or Sample(input=_first_question(transcript.messages), target=_target(transcript.metadata))
    return TaskState(
        model=ModelName(full_name(transcript.model or "unknown")),
        sample_id=asked.id if asked.id is not None else transcript.task_id or transcript.transcript_id,
        epoch=transcript.task_repeat or 1,
        input=asked.input,
        target=Target(asked.target),
        choices=asked.choices,
        messages=list(transcript.messages),
        output=_output(transcript.messages, transcript.events),
        completed=True,
        metadata=_metadata(transcript.metadata),
        sample_uuid=transcript.transcript_id,
    )


def _first_question(messages: Sequence[ChatMessage]) -> str | list[ChatMessage]:
    for message in messages:
        if message.role == "user":
            return [message]
    return ""


def _target(metadata: Mapping[str, Any]) -> str | list[str]:
    target = metadata.get("target")
    if isinstance(target, list) and all(isinstance(one, str) for one in target):
        return target
    return target if isinstance(target, str) else ""


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The sample's own metadata: `scout scan` sets what it knows of the log around it, `inspect eval` does not."""
    own = metadata.get("sample_metadata")
    return dict(own) if isinstance(own, Mapping) else dict(metadata)


def _output(messages: Sequence[ChatMessage], events: Sequence[Event]) -> ModelOutput:
    """The model's last output, with the completion that other scorers saw."""
    last = next((message for message in reversed(messages) if isinstance(message, ChatMessageAssistant)), None)
    calls = [event for event in events if isinstance(event, ModelEvent) and not event.output.empty]
    own = [event for event in calls if last is not None and event.output.message.id == last.id is not None]
    unnamed = [event for event in calls if event.role is None]
    event = next(reversed(own or unnamed), None)
    if event is not None:
        output = event.output.model_copy(deep=True)
    elif last is not None:
        output = ModelOutput.from_message(last)
    else:
        return ModelOutput()
    edited = _edited_completion(events)
    if edited is not None or last is not None:
        output.completion = edited if edited is not None else last.text  # type: ignore[union-attr]
    return output


def _edited_completion(events: Sequence[Event]) -> str | None:
    """What the last solver left as the completion; None where no event says."""
    changes = (change for event in reversed(events) if isinstance(event, StateEvent) for change in event.changes[::-1])
    return next((str(change.value) for change in changes if change.path == "/output/completion"), None)
