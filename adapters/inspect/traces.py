"""Reads one chain of thought out of an Inspect `TaskState`: question, what the model wrote, gold answers, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from ...metrics import Trace
from ...metrics.answers.extraction import extract_answer
from ...metrics.segment.sections import without_run_on
from ..gold import gold_answers
from .shuffled import Events, Unreadable, as_written
from .transcript import Turn, Turns, Unscorable, read_chain


@dataclass(frozen=True)
class Reading:
    """A trace with where its chain came from and what a reader of the score should know about it.

    Attributes:
        turns: the messages that the response was put together from.
    """

    trace: Trace
    source: str
    notes: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()


def read_trace(state: TaskState, target: Target, turns: Turns = "all", events: Events = tuple) -> Reading:
    """The trace of one finished sample.

    The chain is what the model wrote after the sample's input, turn by turn. Reasoning content comes first, set in the
    `<think>` tags a model without a reasoning parser would have written, so that both give the same steps; the visible
    text follows it, since it states the final answer. What tools returned is not part of the chain.

    Args:
        turns: `all` assistant turns, or those after the `last` user message alone.
        events: gives the sample's events, which hold what a solver has overwritten.

    Raises:
        Unscorable: hidden reasoning, nothing written, what was written is lost, no user message, or a target that fits
            none of the options.
    """
    options = _options(state)
    answers, notes = _gold_answers(target, options)
    try:
        state, told = as_written(state, options, events)
    except Unreadable as problem:
        why = f"multiple_choice(shuffle=…) replaced what the model wrote by {state.output.completion!r:.80}"
        raise Unscorable("response_rewritten", f"{why}, and {problem}") from problem
    chain = read_chain(state, turns)
    notes += [*told, *chain.notes]
    if _stop_reason(state) in ("max_tokens", "model_length"):
        notes.append(f"the generation stopped at its token limit ({_stop_reason(state)}): the chain may be cut off")
    try:
        trace = Trace(
            question=_question(state, options),
            response=chain.response,
            answer=answers or None,
            choices=options or None,
            model_answer=model_answer(chain.response, chain.submitted, options),
            id=str(state.sample_id) if state.epoch == 1 else f"{state.sample_id}, epoch {state.epoch}",
            meta=dict(state.metadata),
        )
    except (TypeError, ValueError) as error:
        raise Unscorable("scoring_failed", str(error)) from error
    source = chain.source if turns == "all" else f"{chain.source}, {turns} turn"
    return Reading(trace, source, tuple(notes), chain.turns)


def asked(state: TaskState) -> tuple[str, list[str]]:
    """A sample's question and options, whether or not the model wrote a chain. Raises Unscorable without a question."""
    options = _options(state)
    return _question(state, options), options


def full_name(model: str) -> str:
    """A model's name as Inspect's types want it: with the API in front, which other tools' logs may lack."""
    return model if "/" in model else f"unknown/{model}"


def _question(state: TaskState, options: Sequence[str]) -> str:
    """The sample's input without prompt template or examples; options are listed below it unless it holds them."""
    try:
        question = state.input_text
    except ValueError as error:
        raise Unscorable("scoring_failed", "the sample's input has no user message, hence no question") from error
    if not question.strip():
        raise Unscorable("scoring_failed", "the sample's input is empty, hence no question")
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
    """All accepted answers, and notes. Letters become the options' texts, as Inspect's `choice()` takes them."""
    try:
        answers = gold_answers(target, options, by_letter=True)
    except ValueError as error:
        raise Unscorable("scoring_failed", f"target: {error}") from error
    several = len(set(answers)) if options else 0
    notes = [f"{several} options are correct: what is measured is that one of them is said"] if several > 1 else []
    return answers, notes


def model_answer(response: str, submitted: str | None, options: Sequence[str]) -> str | None:
    """What the model hands in or announces last; the option's text where it names one."""
    written = submitted or without_run_on(response)
    given = extract_answer(written) or submitted
    if given is None or not options:
        return given
    try:
        named = gold_answers([given], options, by_letter=True)
    except ValueError:
        return given
    return named[0] if len(named) == 1 else given


def _stop_reason(state: TaskState) -> str | None:
    return None if state.output.empty else state.output.stop_reason


__all__ = ["Reading", "Unscorable", "asked", "full_name", "model_answer", "read_trace"]
