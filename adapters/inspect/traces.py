"""Reads one chain of thought out of an Inspect `TaskState`: question, what the model wrote, gold answers, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.model import ChatMessageAssistant, ContentReasoning
from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from ...metrics import Trace
from ...metrics.answers import extract_answer, gold_from_suffix, resolve_choice
from ...metrics.segment.tags import has_tags


class Unscorable(Exception):
    """A sample has no chain that could be scored.

    Attributes:
        code: machine-readable, for `Score.reason`: one of Inspect's own codes or one of ours.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Reading:
    """A trace with where its chain came from and what a reader of the score should know about it."""

    trace: Trace
    source: str
    notes: tuple[str, ...] = ()


def read_trace(state: TaskState, target: Target) -> Reading:
    """The trace of one finished sample.

    The chain is what the model wrote after the last user message. Reasoning content comes first, set in the
    `<think>` tags a model without a reasoning parser would have written, so that both give the same steps; the visible
    text follows it, since it states the final answer. What tools returned is not part of the chain.

    Raises:
        Unscorable: hidden reasoning, nothing written, no user message, or a target that fits none of the options.
    """
    options = _options(state)
    answers, notes = _gold_answers(target, options)
    response, source = _chain(state)
    if _stop_reason(state) in ("max_tokens", "model_length"):
        notes.append(f"the generation stopped at its token limit ({_stop_reason(state)}): the chain may be cut off")
    try:
        trace = Trace(
            question=_question(state, options),
            response=response,
            answer=answers or None,
            choices=options or None,
            model_answer=extract_answer(response),
            id=str(state.sample_id) if state.epoch == 1 else f"{state.sample_id}, epoch {state.epoch}",
            meta=dict(state.metadata),
        )
    except (TypeError, ValueError) as error:
        raise Unscorable("scoring_failed", str(error)) from error
    return Reading(trace, source, tuple(notes))


def _question(state: TaskState, options: Sequence[str]) -> str:
    """The sample's input without prompt template or examples; options are listed below it unless it holds them."""
    try:
        question = state.input_text
    except ValueError as error:
        raise Unscorable("scoring_failed", "the sample's input has no user message, hence no question") from error
    if not options or all(option in question for option in options):
        return question
    listed = (f"{_letter(index)}) {option}" for index, option in enumerate(options))
    return "\n".join([question, *listed])


def _options(state: TaskState) -> list[str]:
    """The options in the dataset's order, which targets refer to: a solver may have shuffled `state.choices`."""
    return [choice.value for choice in sorted(state.choices, key=lambda choice: choice.original_position)]


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index - 25)


def _gold_answers(target: Target, options: Sequence[str]) -> tuple[list[str], list[str]]:
    """All accepted answers, and notes. Letters become the options' texts."""
    targets = [text for text in target if text.strip()]
    if not options:
        return [gold_from_suffix(text) for text in targets], []
    if len(targets) == 1 and len(targets[0]) > 1 and targets[0] not in options:
        letters = {_letter(index) for index in range(len(options))}
        if set(targets[0]) <= letters:  # "AC": Inspect's choice() takes it as two correct options
            targets = list(targets[0])
    answers = []
    for text in targets:
        try:
            answers.append(resolve_choice(text, options))
        except ValueError as error:
            raise Unscorable("scoring_failed", f"target: {error}") from error
    notes = [f"{len(answers)} options are correct; likelihoods are those of the first"] if len(answers) > 1 else []
    return answers, notes


def _chain(state: TaskState) -> tuple[str, str]:
    """The response to score and where it was read from."""
    messages = _written_since_last_user_message(state)
    blocks = [part for message in messages for part in _reasoning(message)]
    hidden = [block for block in blocks if _is_hidden(block)]
    if hidden:
        what = f"{len(hidden)} of {len(blocks)} reasoning blocks" if len(blocks) > 1 else "the reasoning"
        also = "; its summary is not the chain" if any(block.summary for block in hidden) else ""
        raise Unscorable("reasoning_redacted", f"{what} came redacted or encrypted from the model's provider{also}")
    parts: list[str] = []
    for message in messages:
        thoughts = "\n\n".join(text for text in (block.reasoning.strip() for block in _reasoning(message)) if text)
        if thoughts:
            parts.append(f"<think>\n{thoughts}\n</think>")
        visible = message.text
        if message is messages[-1] and state.output.completion.strip():
            visible = state.output.completion  # a solver may have edited it; other scorers read it too
        if visible.strip():
            parts.append(visible)
    response = "\n\n".join(parts)
    if not response.strip():
        raise Unscorable("no_response", "the model wrote nothing: no reasoning content and an empty completion")
    if any(block.reasoning.strip() for block in blocks):
        return response, "reasoning content"
    return response, "think tags" if has_tags(response) else "completion"


def _written_since_last_user_message(state: TaskState) -> list[ChatMessageAssistant]:
    written: list[ChatMessageAssistant] = []
    for message in reversed(state.messages):
        if message.role == "user":
            break
        if isinstance(message, ChatMessageAssistant):
            written.append(message)
    if written:
        return written[::-1]
    if state.output.empty:
        completion = state.output.completion
        return [ChatMessageAssistant(content=completion)] if completion else []
    return [state.output.message]


def _reasoning(message: ChatMessageAssistant) -> list[ContentReasoning]:
    if isinstance(message.content, str):
        return []
    return [part for part in message.content if isinstance(part, ContentReasoning)]


def _is_hidden(block: ContentReasoning) -> bool:
    return block.redacted or (not block.reasoning.strip() and bool(block.signature or block.internal or block.summary))


def _stop_reason(state: TaskState) -> str | None:
    return None if state.output.empty else state.output.stop_reason
