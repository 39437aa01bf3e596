"""Chats: who asked, what the model thought and wrote wherever a server puts it, and what is context."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from scoring import rows, score, write_jsonl

from stepgauge.adapters.formats.detect import find_sources, items_of
from stepgauge.adapters.formats.entries import Entry, Skipped
from stepgauge.adapters.formats.options import OptionError, read_settings
from stepgauge.metrics.segment import segment

ASKED = "A clinic orders three boxes of 24 pens. How many pens is that?"
THOUGHT = "Three boxes, 24 each.\nSo 3 * 24 = 72."
ANSWER = "The answer is 72."
STEPS = ["Three boxes, 24 each.", "So 3 * 24 = 72.", ANSWER]
TAGGED = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"


def text(written: str) -> dict[str, Any]:
    return {"type": "text", "text": written}


THINKING: dict[str, dict[str, Any]] = {
    "block": {"content": [{"type": "thinking", "thinking": THOUGHT, "signature": "s"}, text(ANSWER)]},
    "block with a list": {"content": [{"type": "thinking", "thinking": [text(THOUGHT)]}, text(ANSWER)]},
    "block with lists in lists": {"content": [[{"type": "thinking", "thinking": [[text(THOUGHT)]]}], [text(ANSWER)]]},
    "reasoning block": {"content": [{"type": "reasoning", "reasoning": THOUGHT}, text(ANSWER)]},
    "Bedrock": {"content": [{"reasoningContent": {"reasoningText": {"text": THOUGHT}}}, {"text": ANSWER}]},
    "Gemini": {"role": "model", "content": [{"thought": True, "text": THOUGHT}, {"text": ANSWER}]},
    "Responses API": {
        "content": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": THOUGHT}]},
            {"type": "output_text", "text": ANSWER},
        ]
    },
    "thinking": {"thinking": THOUGHT, "content": ANSWER},
    "reasoning": {"content": ANSWER, "reasoning": THOUGHT},
    "reasoning_content": {"content": ANSWER, "reasoning_content": THOUGHT},
    "reasoning_text": {"content": ANSWER, "reasoning_text": THOUGHT},
    "tool_plan": {"content": ANSWER, "tool_plan": THOUGHT},
    "reasoning_details": {"content": ANSWER, "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]},
    "thinking_blocks": {"content": ANSWER, "thinking_blocks": [{"type": "thinking", "thinking": THOUGHT}]},
    "in the text": {"content": TAGGED},
    "in the text and a field": {"content": TAGGED, "reasoning_content": THOUGHT},
    "in two fields": {"content": ANSWER, "reasoning": f" {THOUGHT}\n", "reasoning_content": THOUGHT},
    "in a field and in details": {
        "reasoning": THOUGHT,
        "content": ANSWER,
        "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT, "format": "x", "index": 0}],
    },
    "in the text without tags": {"content": f"{THOUGHT}\n\n{ANSWER}", "reasoning_content": THOUGHT},
    "with settings beside it": {
        "content": ANSWER,
        "thinking": THOUGHT,
        "reasoning_effort": "high",
        "done_reason": "stop",
    },
}


@pytest.mark.parametrize("message", THINKING.values(), ids=THINKING)
def test_thinking_counts_once_wherever_a_server_puts_it(tmp_path: Path, message: dict[str, Any]) -> None:
    entry = read(tmp_path, user(ASKED), {"role": "assistant", **message})
    assert steps(entry, "lines") == STEPS
    assert entry.notes == ()


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "parts": [text(ASKED)]}, {"role": "model", "parts": [{"text": TAGGED}]}],
        [
            {"role": "user", "parts": [{"text": ASKED}]},
            {"role": "model", "parts": [{"text": THOUGHT, "thought": True}, {"text": ANSWER}]},
        ],
        [{"from": "human", "value": ASKED}, {"from": "gpt", "value": TAGGED}],
        [{"role": "User", "message": ASKED}, {"role": "Chatbot", "message": TAGGED}],
        [{"role": "user", "text": ASKED}, {"role": "assistant", "text": TAGGED}],
    ],
    ids=["parts", "parts, thought", "from and value", "message", "text"],
)
def test_messages_whose_text_is_in_another_field(tmp_path: Path, messages: list[dict[str, Any]]) -> None:
    entry = read(tmp_path, *messages)
    assert entry.trace.question == ASKED
    assert steps(entry, "lines") == STEPS
    assert entry.notes == ()


def test_an_item_of_reasoning_that_is_a_summary_alone_hides_it(tmp_path: Path) -> None:
    summary = {"type": "reasoning", "content": [], "summary": [{"type": "summary_text", "text": "We multiply."}]}
    told = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]}
    assert skipped(tmp_path, user(ASKED), summary, told).kind == "the reasoning is hidden"
    noted = read(tmp_path, user(ASKED), model(ANSWER) | {"summary": "a chat about pens"})
    assert noted.notes == ("of the response, this was not read: field 'summary'",)


@pytest.mark.parametrize("splitter", ["auto", "think", "lines", "sentences"])
def test_the_tags_that_we_put_around_thinking_are_no_steps(tmp_path: Path, splitter: str) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [row(user(ASKED), {"role": "assistant", **THINKING["thinking"]})])
    score(source, "--out", tmp_path / "out", "--set", f"splitter={splitter}")
    (written,) = rows(tmp_path / "out")
    assert [step["text"] for step in written["score"]["steps"]] == STEPS


def test_many_blocks_that_come_again_in_a_field_are_written_once_in_linear_time(tmp_path: Path) -> None:
    blocks = [f"We add {number} to {7 * number} and go on." for number in range(20_000)]
    content = [*({"type": "thinking", "thinking": block} for block in blocks), text(ANSWER)]
    begin = time.process_time()
    entry = read(tmp_path, user(ASKED), {"role": "assistant", "content": content, "reasoning": "\n".join(blocks)})
    assert time.process_time() - begin < 10
    assert entry.trace.response.count(blocks[7]) == entry.trace.response.count(blocks[-1]) == 1


def test_thinking_between_texts_keeps_its_place(tmp_path: Path) -> None:
    content = [text("First 3."), {"type": "thinking", "thinking": "Then 24."}, text("So 72.")]
    entry = read(tmp_path, user(ASKED), {"role": "assistant", "content": content})
    assert steps(entry, "lines") == ["First 3.", "Then 24.", "So 72."]


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ({"content": ANSWER, "summary": "Three boxes."}, "of the response, this was not read: field 'summary'"),
        ({"content": ANSWER, "text": "Three boxes."}, "of the response, this was not read: field 'text'"),
        ({"content": ANSWER, "chain": "Three boxes."}, "of the response, this was not read: field 'chain'"),
        ({"content": [text(ANSWER), {"type": "canvas", "x": 1}]}, "this was not read: a part of type 'canvas'"),
        ({"content": [text(ANSWER), {"blob": "x"}]}, "this was not read: a part with blob"),
        (
            {
                "content": [
                    text(ANSWER),
                    {"type": "thinking", "thinking": THOUGHT},
                    {"type": "redacted_thinking", "data": "x"},
                ]
            },
            "1 part(s) of the reasoning came redacted, encrypted or as a summary",
        ),
    ],
)
def test_what_of_a_message_is_not_understood_is_said(tmp_path: Path, message: dict[str, Any], note: str) -> None:
    entry = read(tmp_path, user(ASKED), {"role": "assistant", **message})
    assert note in "\n".join(entry.notes)
    source = write_jsonl(tmp_path / "again.jsonl", [row(user(ASKED), {"role": "assistant", **message})])
    score(source, "--out", tmp_path / "out", "--set", "scorer=null")
    assert note in "\n".join(rows(tmp_path / "out")[0]["score"]["notes"])


def test_a_question_in_a_picture_is_said_to_be_unread(tmp_path: Path) -> None:
    asked = {"role": "user", "content": [text(ASKED), {"type": "image_url", "image_url": {"url": "x"}}]}
    entry = read(tmp_path, asked, model(ANSWER))
    assert entry.trace.question == ASKED
    assert entry.notes == ("of the question, this was not read: a part of type 'image_url'",)


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "redacted_thinking", "data": "x"}, text(ANSWER)]},
        {"content": ANSWER, "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"content": ANSWER, "reasoning_details": [{"type": "reasoning.summary", "summary": "We multiply."}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}]}, text(ANSWER)]},
    ],
)
def test_a_chain_whose_thinking_is_hidden_is_not_scored_as_in_inspect(tmp_path: Path, message: dict[str, Any]) -> None:
    assert skipped(tmp_path, user(ASKED), {"role": "assistant", **message}).kind == "the reasoning is hidden"


CALLS: dict[str, list[dict[str, Any]]] = {
    "Anthropic": [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I multiply 3 by 24."},
                text("I calculate."),
                {"type": "tool_use", "id": "t1", "name": "calc", "input": {"e": "3*24"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [text("RETURNED 72")]}]},
        {"role": "assistant", "content": "There are 72."},
    ],
    "OpenAI": [
        {
            "role": "assistant",
            "content": "I calculate.",
            "reasoning": "I multiply 3 by 24.",
            "tool_calls": [{"id": "t1", "function": {"name": "calc", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "RETURNED 72"},
        {"role": "assistant", "content": "There are 72."},
    ],
    "Responses API": [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "I multiply 3 by 24."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I calculate."}]},
        {"type": "function_call", "name": "calc", "arguments": "{}", "call_id": "t1"},
        {"type": "function_call_output", "call_id": "t1", "output": "RETURNED 72"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "There are 72."}]},
    ],
    "Qwen": [
        {
            "role": "assistant",
            "content": '<think>I multiply 3 by 24.</think>I calculate.\n<tool_call>{"e": 1}</tool_call>',
        },
        {"role": "user", "content": "<tool_response>\nRETURNED 72\n</tool_response>"},
        {"role": "assistant", "content": "There are 72."},
    ],
    "LangChain": [
        {"type": "ai", "content": "I multiply 3 by 24.\nI calculate.", "tool_calls": [{"name": "calc", "args": {}}]},
        {"type": "tool", "content": "RETURNED 72", "tool_call_id": "t1"},
        {"type": "ai", "content": "There are 72."},
    ],
    "ReAct": [
        {"role": "assistant", "content": "I multiply 3 by 24.\nI calculate."},
        {"role": "user", "content": "Observation: RETURNED 72"},
        {"role": "assistant", "content": "There are 72."},
    ],
    "ShareGPT": [
        {"from": "gpt", "value": "I multiply 3 by 24.\nI calculate."},
        {"from": "function_call", "value": "{}"},
        {"from": "observation", "value": "RETURNED 72"},
        {"from": "gpt", "value": "There are 72."},
    ],
    "function": [
        {"role": "assistant", "content": "I multiply 3 by 24.\nI calculate."},
        {"role": "function", "name": "calc", "content": "RETURNED 72"},
        {"role": "assistant", "content": "There are 72."},
    ],
}


@pytest.mark.parametrize("turns", [None, "all", "last"])
@pytest.mark.parametrize("messages", CALLS.values(), ids=CALLS)
def test_the_human_asks_and_what_tools_return_is_context_in_whoevers_turn(
    tmp_path: Path, messages: list[dict[str, Any]], turns: str | None
) -> None:
    entry = read(tmp_path, {"role": "system", "content": "Use tools."}, user(ASKED), *messages, turns=turns)
    assert entry.trace.question == ASKED
    assert steps(entry, "lines") == ["I multiply 3 by 24.", "I calculate.", "There are 72."]
    assert "context, not steps, and unseen by the scoring LM: 1 tool result" in entry.notes


def test_an_action_is_context_where_its_observation_stands_in_the_next_message(tmp_path: Path) -> None:
    acts = model("Thought: I multiply.\nAction: calc\nAction Input: 3 * 24")
    entry = read(tmp_path, user(ASKED), acts, user("Observation: 72"), model("There are 72."))
    assert steps(entry, "lines") == ["Thought: I multiply.", "There are 72."]


AGAIN = [
    {"role": "user", "content": ASKED},
    {"role": "assistant", "content": "It is 71."},
    {"role": "user", "content": "Are you sure?"},
    {"role": "assistant", "content": "No.\nIt is 72."},
]


@pytest.mark.parametrize(
    ("turns", "question", "expected", "note"),
    [
        (None, "Are you sure?", ["No.", "It is 72."], "1 assistant turn(s) before the last user message are left out"),
        (
            "last",
            "Are you sure?",
            ["No.", "It is 72."],
            "1 assistant turn(s) before the last user message are left out",
        ),
        ("all", ASKED, ["It is 71.", "No.", "It is 72."], "1 later user message"),
    ],
)
def test_turns_says_which_are_the_chain(
    tmp_path: Path, turns: str | None, question: str, expected: list[str], note: str
) -> None:
    entry = read(tmp_path, *AGAIN, turns=turns)
    assert entry.trace.question == question
    assert steps(entry, "lines") == expected
    assert note in "\n".join(entry.notes)


def test_turns_is_for_formats_that_have_them_and_one_of_two(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--set turns: unknown value 'lst'; did you mean 'last'\?"):
        read_settings(["turns=lst"])
    source = write_jsonl(tmp_path / "in.jsonl", [{"question": "q", "response": "r"}])
    with pytest.raises(OptionError, match="--set turns: is for chats and Inspect logs; the input is traces"):
        find_sources([str(source)], settings=read_settings(["turns=all"]))


@pytest.mark.parametrize("asked", ["", "  \n", None, [], [{"type": "image_url", "image_url": {"url": "x"}}]])
def test_an_empty_question_is_refused(tmp_path: Path, asked: Any) -> None:
    assert skipped(tmp_path, {"role": "user", "content": asked}, {"role": "assistant", "content": ANSWER}).kind == (
        "the question is empty"
    )


def test_the_answer_of_a_chain_that_runs_on_is_the_one_before_it(tmp_path: Path) -> None:
    entry = read(tmp_path, user(ASKED), model("3 * 24 = 72\n#### 72\n\nQuestion: Tom has 5 cats. How many?\n#### 5"))
    assert entry.trace.model_answer == "72"


def user(asked: str) -> dict[str, Any]:
    return {"role": "user", "content": asked}


def model(written: str) -> dict[str, Any]:
    return {"role": "assistant", "content": written}


def row(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"id": "c1", "answer": "72", "messages": list(messages)}


def item(path: Path, messages: tuple[dict[str, Any], ...], turns: str | None = None) -> Any:
    source = write_jsonl(path / "in.jsonl", [row(*messages)])
    (found,) = find_sources([str(source)], settings=read_settings([f"turns={turns}"] if turns else []))
    (one,) = items_of(found)
    return one


def read(path: Path, *messages: dict[str, Any], turns: str | None = None) -> Entry:
    one = item(path, messages, turns)
    assert isinstance(one, Entry), one
    return one


def skipped(path: Path, *messages: dict[str, Any]) -> Skipped:
    one = item(path, messages)
    assert isinstance(one, Skipped), one
    return one


def steps(entry: Entry, splitter: str) -> list[str]:
    return [step.text for step in segment([entry.trace], splitter)[0].steps]
