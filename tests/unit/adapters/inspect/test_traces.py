"""What is read out of an Inspect sample: the chain, the question, the gold answers, and reasons to score nothing."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentReasoning,
    ContentText,
    ModelName,
    ModelOutput,
    StopReason,
)
from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from stepgauge.adapters.inspect.traces import Unscorable, read_trace
from stepgauge.metrics import Gauge

QUESTION = "What is 2 + 3?"


def finished(
    written: str | list[Content] | list[ChatMessage],
    *,
    question: str | list[ChatMessage] = QUESTION,
    target: str | list[str] = "5",
    choices: list[str] | None = None,
    stop_reason: StopReason = "stop",
    **extra: Any,
) -> tuple[TaskState, Target]:
    """A sample after generation; `written` is one message's content, or all messages after the question."""
    asked: list[ChatMessage] = [ChatMessageUser(content=question)] if isinstance(question, str) else list(question)
    if isinstance(written, list) and written and hasattr(written[0], "role"):
        answered = [message for message in written if isinstance(message, ChatMessage)]
    else:
        answered = [ChatMessageAssistant(content=written)]  # type: ignore[arg-type]
    last = answered[-1]
    assert isinstance(last, ChatMessageAssistant)
    state = TaskState(
        model=ModelName("mockllm/model"),
        sample_id="s1",
        epoch=extra.pop("epoch", 1),
        input=question,
        messages=[*asked, *answered],
        target=Target(target),
        choices=choices,
        output=ModelOutput.from_message(last, stop_reason),
        completed=True,
        **extra,
    )
    return state, Target(target)


def steps_of(written: Any) -> list[str]:
    trace = read_trace(*finished(written)).trace
    return [step.text for step in Gauge(scorer=None).score([trace])[0].steps]


@pytest.mark.parametrize(
    ("written", "source"),
    [
        pytest.param("Two and three.\nThat makes 5.\nThe answer is 5.", "completion", id="plain completion"),
        pytest.param(
            "<think>\nTwo and three.\nThat makes 5.\n</think>\n\nThe answer is 5.", "think tags", id="think tags"
        ),
        pytest.param(
            [
                ContentReasoning(reasoning="Two and three.\nThat makes 5."),
                ContentText(text="The answer is 5."),
            ],
            "reasoning content",
            id="reasoning content",
        ),
        pytest.param(
            [
                ContentReasoning(reasoning="Two and three.\nThat makes 5.", signature="c2ln"),
                ContentText(text="The answer is 5."),
            ],
            "reasoning content",
            id="signed reasoning content that is readable",
        ),
    ],
)
def test_the_same_chain_gives_the_same_steps_wherever_the_provider_put_it(written: Any, source: str) -> None:
    assert read_trace(*finished(written)).source == source
    assert steps_of(written) == ["Two and three.", "That makes 5.", "The answer is 5."]


@pytest.mark.parametrize(
    ("written", "code", "says"),
    [
        pytest.param(
            [ContentReasoning(reasoning="gAAAAB", redacted=True), ContentText(text="5")],
            "reasoning_redacted",
            "redacted or encrypted",
            id="redacted",
        ),
        pytest.param(
            [ContentReasoning(reasoning="gAAAAB", redacted=True, summary="Adding"), ContentText(text="5")],
            "reasoning_redacted",
            "summary is not the chain",
            id="redacted with a summary",
        ),
        pytest.param(
            [ContentReasoning(reasoning="", signature="c2ln"), ContentText(text="5")],
            "reasoning_redacted",
            "redacted or encrypted",
            id="a signature and no text",
        ),
        pytest.param(
            [
                ContentReasoning(reasoning="Two and three."),
                ContentReasoning(reasoning="gAAAAB", redacted=True),
                ContentText(text="5"),
            ],
            "reasoning_redacted",
            "1 of 2 reasoning blocks",
            id="one of two blocks redacted",
        ),
        pytest.param("", "no_response", "wrote nothing", id="empty completion"),
        pytest.param(" \n\t ", "no_response", "wrote nothing", id="only white space"),
        pytest.param(
            [ContentReasoning(reasoning=""), ContentText(text="")], "no_response", "wrote nothing", id="empty blocks"
        ),
    ],
)
def test_a_sample_without_a_readable_chain_is_refused_with_the_reason(written: Any, code: str, says: str) -> None:
    with pytest.raises(Unscorable, match=says) as raised:
        read_trace(*finished(written))
    assert raised.value.code == code


def test_an_empty_reasoning_block_without_signature_does_not_hide_the_completion() -> None:
    reading = read_trace(*finished([ContentReasoning(reasoning=""), ContentText(text="2 + 3 = 5")]))
    assert (reading.trace.response, reading.source) == ("2 + 3 = 5", "completion")


def test_worked_examples_in_the_prompt_are_not_part_of_the_chain_or_the_question() -> None:
    question: list[ChatMessage] = [
        ChatMessageSystem(content="Think step by step."),
        ChatMessageUser(content="What is 1 + 1?"),
        ChatMessageAssistant(content="1 + 1 = 2"),
        ChatMessageUser(content=QUESTION),
    ]
    trace = read_trace(*finished("2 + 3 = 5", question=question)).trace
    assert (trace.question, trace.response) == (QUESTION, "2 + 3 = 5")


def test_all_that_an_agent_wrote_after_the_question_is_its_chain_and_tool_output_is_not() -> None:
    written: list[ChatMessage] = [
        ChatMessageAssistant(content=[ContentReasoning(reasoning="I need a calculator."), ContentText(text="")]),
        ChatMessageTool(content="TOOL OUTPUT 5"),
        ChatMessageAssistant(content="It says 5."),
    ]
    response = read_trace(*finished(written)).trace.response
    assert response == "<think>\nI need a calculator.\n</think>\n\nIt says 5."


def test_a_completion_that_a_solver_edited_is_what_is_scored() -> None:
    state, target = finished("2 + 3 = 5 END junk")
    state.output.completion = "2 + 3 = 5"
    assert read_trace(state, target).trace.response == "2 + 3 = 5"


def test_a_sample_whose_solver_left_no_message_is_read_from_its_output() -> None:
    state, target = finished("2 + 3 = 5")
    state.messages = [ChatMessageUser(content=QUESTION)]
    assert read_trace(state, target).trace.response == "2 + 3 = 5"


@pytest.mark.parametrize(
    ("target", "answers"),
    [
        ("5", ("5",)),
        ("2 + 3 = 5\n#### 5", ("5",)),
        (["5", "five"], ("5", "five")),
        ("", ()),
        (["", "5"], ("5",)),
    ],
)
def test_gold_answers_of_an_open_question(target: Any, answers: tuple[str, ...]) -> None:
    assert read_trace(*finished("2 + 3 = 5", target=target)).trace.answers == answers


OPTIONS = ["four", "five", "six"]


@pytest.mark.parametrize(
    ("target", "answers"),
    [("B", ("five",)), ("five", ("five",)), (["A", "C"], ("four", "six")), ("AC", ("four", "six"))],
)
def test_letters_in_the_target_become_the_options_texts(target: Any, answers: tuple[str, ...]) -> None:
    reading = read_trace(*finished("2 + 3 = 5", target=target, choices=OPTIONS))
    assert reading.trace.answers == answers
    assert reading.trace.choices == tuple(OPTIONS)
    assert bool(reading.notes) == (len(answers) > 1), "several correct options are worth a note"


def test_a_target_that_is_none_of_the_options_is_refused_with_both_named() -> None:
    with pytest.raises(Unscorable, match=r"'E'.*B: five"):
        read_trace(*finished("2 + 3 = 5", target="E", choices=OPTIONS))


def test_options_are_listed_below_the_question_as_inspect_shows_them() -> None:
    trace = read_trace(*finished("B", target="B", choices=OPTIONS)).trace
    assert trace.question == f"{QUESTION}\nA) four\nB) five\nC) six"


def test_options_that_the_question_already_lists_are_not_listed_twice() -> None:
    question = f"{QUESTION}\nA) four\nB) five\nC) six"
    trace = read_trace(*finished("B", question=question, target="B", choices=OPTIONS)).trace
    assert trace.question == question


def test_options_shuffled_by_a_solver_are_put_back_into_the_order_the_target_refers_to() -> None:
    state, target = finished("B", target="B", choices=OPTIONS)
    state.choices.shuffle(Random(1))
    assert [choice.value for choice in state.choices] != OPTIONS
    trace = read_trace(state, target).trace
    assert (trace.choices, trace.answers) == (tuple(OPTIONS), ("five",))


@pytest.mark.parametrize(("stop_reason", "noted"), [("stop", False), ("max_tokens", True), ("model_length", True)])
def test_a_generation_cut_off_by_its_token_limit_is_noted(stop_reason: StopReason, noted: bool) -> None:
    notes = read_trace(*finished("2 + 3 =", stop_reason=stop_reason)).notes
    assert any(stop_reason in note for note in notes) == noted


def test_a_sample_without_a_user_message_is_refused() -> None:
    with pytest.raises(Unscorable, match="no user message"):
        read_trace(*finished("5", question=[ChatMessageSystem(content="hm")]))


def test_every_epoch_of_a_sample_has_an_id_of_its_own() -> None:
    ids = [read_trace(*finished("5", epoch=epoch)).trace.id for epoch in (1, 2)]
    assert len(set(ids)) == 2


def test_the_models_own_answer_is_read_from_what_it_announces() -> None:
    assert read_trace(*finished("2 + 3 = 5.\nThe answer is 5.")).trace.model_answer == "5"


def test_sample_metadata_travels_with_the_trace() -> None:
    trace = read_trace(*finished("5", metadata={"passages": ["p1"]})).trace
    assert trace.meta == {"passages": ["p1"]}
