"""Finds the chain of thought in one sample's messages: what the model wrote, in which order, and where it was found.

The chain is the assistant turns. What tools returned and what was said to the model after its question (a critique,
"please continue") is context: it is no step, and the scoring LM does not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
)
from inspect_ai.solver import TaskState

from ...metrics.segment.sections import context_note, is_tool_result, read_sections, with_thinking

Turns: TypeAlias = Literal["all", "last"]
TURNS: tuple[Turns, ...] = ("all", "last")


class Unscorable(Exception):
    """A sample has no chain that could be scored.

    Attributes:
        code: machine-readable, for `Score.reason`: one of Inspect's own codes or one of ours.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Turn:
    """Which part of the response one message wrote.

    Attributes:
        message_id: None for a message that has none.
        start, end: characters of the response, [start, end).
    """

    message_id: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Chain:
    """The response to score.

    Attributes:
        response: reasoning content in `<think>` tags, and visible text, turn by turn.
        turns: the messages that the response was put together from, in order.
        source: `reasoning content`, `think tags` or `completion`.
        submitted: the answer that an agent handed in with a tool call of its own, or None.
        notes: what a reader of the score should know about it.
    """

    response: str
    turns: tuple[Turn, ...]
    source: str
    submitted: str | None
    notes: tuple[str, ...]


def read_chain(state: TaskState, turns: Turns = "all") -> Chain:
    """What the model wrote in answer to the sample's question.

    Args:
        turns: `all` assistant turns after the sample's own input, or those after the `last` user message alone.

    Raises:
        Unscorable: hidden reasoning, or nothing written.
    """
    later = state.messages[_end_of_prompt(state, turns) :]
    written = [message for message in later if isinstance(message, ChatMessageAssistant)] or _output(state)
    thoughts = [_reasoning(state, message) for message in written]
    blocks = [block for turn in thoughts for block in turn]
    hidden = [block for block in blocks if _is_hidden(block)]
    if hidden:
        what = f"{len(hidden)} of {len(blocks)} reasoning blocks" if len(blocks) > 1 else "the reasoning"
        also = "; its summary is not the chain" if any(block.summary for block in hidden) else ""
        raise Unscorable("reasoning_redacted", f"{what} came redacted or encrypted from the model's provider{also}")
    submitted = _submitted(state)
    response = ""
    from_messages: list[Turn] = []
    for message, turn in zip(written, thoughts, strict=True):
        visible = _last_words(state, message, submitted) if message is written[-1] else message.text
        if part := with_thinking([block.reasoning for block in turn], visible):
            response += f"\n\n{part}" if response else part
            from_messages.append(Turn(message.id, len(response) - len(part), len(response)))
    if not response.strip():
        raise Unscorable("no_response", "the model wrote nothing: no reasoning content and an empty completion")
    source = "think tags" if read_sections(response).thinking else "completion"
    if any(block.reasoning.strip() for block in blocks):
        source = "reasoning content"
    notes = (*_notes(len(written), later), *_not_read(written))
    return Chain(response, tuple(from_messages), source, submitted, notes)


def _end_of_prompt(state: TaskState, turns: Turns) -> int:
    """Where in the messages the answer starts.

    Inspect marks the sample's own messages with the source `input`; worked examples that a solver puts in front of
    them, and what it says later, have none. Messages without any marks: as many user messages as the sample's input
    has belong to it.
    """
    asked = [index for index, message in enumerate(state.messages) if _is_human(state.messages, index)]
    if not asked:
        return 0
    if turns == "last":
        return asked[-1] + 1
    own = [index for index in asked if state.messages[index].source == "input"]
    if own:
        return own[-1] + 1
    given = 1 if isinstance(state.input, str) else sum(message.role == "user" for message in state.input)
    return asked[: max(given, 1)][-1] + 1


def _is_human(messages: Sequence[ChatMessage], index: int) -> bool:
    """Whether a message is the user's own words: solvers put what a tool returned into the user's turn, too."""
    behind_model = any(message.role == "assistant" for message in messages[:index])
    return messages[index].role == "user" and not is_tool_result(messages[index].text, behind_model=behind_model)


def _output(state: TaskState) -> list[ChatMessageAssistant]:
    """The one turn of a solver that left no message."""
    if not state.output.empty:
        return [state.output.message]
    return [ChatMessageAssistant(content=state.output.completion)] if state.output.completion else []


def _last_words(state: TaskState, message: ChatMessageAssistant, submitted: str | None) -> str:
    """The last turn's visible text, which states the final answer."""
    completion = state.output.completion
    if submitted is None:
        return completion if completion.strip() else message.text  # a solver may have edited it; other scorers read it
    text = message.text.rstrip()
    if text == submitted or text.endswith(f"\n{submitted}"):  # react() writes it there itself
        text = text.removesuffix(submitted).rstrip()
    return f"{text}\n\n{submitted}".lstrip()


def _submitted(state: TaskState) -> str | None:
    """The argument `answer` of the last turn's tool call, where the agent's loop has made it the completion or its end.

    The tool's name does not decide: `basic_agent()` and `react()` let users change it.
    """
    if state.output.empty:
        return None
    completion = state.output.completion.strip()
    for call in reversed(state.output.message.tool_calls or []):
        answer = call.arguments.get("answer") if isinstance(call.arguments, Mapping) else None
        text = str(answer).strip() if isinstance(answer, str | int | float) else ""
        if text and completion.endswith(text):
            return text
    return None


def _notes(turns: int, later: Sequence[ChatMessage]) -> tuple[str, ...]:
    """That there is more than one turn, and what stands between them."""
    notes = []
    if turns > 1:
        notes.append(f"the chain is {turns} assistant turns")
    said = sum(_is_human(later, index) for index in range(len(later)))
    results = sum(isinstance(message, ChatMessageTool | ChatMessageUser) for message in later) - said
    if results or said:
        notes.append(context_note({"tool result": results, "later user message": said}))
    return tuple(notes)


def _not_read(written: Sequence[ChatMessageAssistant]) -> tuple[str, ...]:
    """That turns hold content which is neither text nor reasoning."""
    parts = [part for message in written if not isinstance(message.content, str) for part in message.content]
    names = dict.fromkeys(part.type for part in parts if not isinstance(part, ContentText | ContentReasoning))
    return (f"of the response, this was not read: {', '.join(names)}",) if names else ()


def _reasoning(state: TaskState, message: ChatMessageAssistant) -> list[ContentReasoning]:
    """A turn's reasoning content.

    `react()` takes that of the turn which submits out of the messages. The output has the same turn as it was.
    """
    versions = [message]
    if not state.output.empty and message.id is not None and message.id == state.output.message.id:
        versions.append(state.output.message)
    found = [
        [part for part in version.content if isinstance(part, ContentReasoning)]
        for version in versions
        if not isinstance(version.content, str)
    ]
    return max(found, key=len, default=[])


def _is_hidden(block: ContentReasoning) -> bool:
    return block.redacted or (not block.reasoning.strip() and bool(block.signature or block.internal or block.summary))
