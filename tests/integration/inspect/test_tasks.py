"""The Inspect tasks that ship with stepgauge: what they ask, what counts as right, and what bad files get told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import eval as inspect_eval
from inspect_ai.model import ChatMessage, ModelName, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from stepgauge.adapters.inspect.options import OptionError
from stepgauge.tasks.inspect_tasks.embedded import answer, demo, gsm8k


@pytest.mark.parametrize(("subset", "count"), [("arithmetic", 40), ("medical", 20), ("all", 60)])
def test_the_demo_has_its_embedded_questions(subset: Any, count: int) -> None:
    dataset = demo(subset=subset).dataset
    assert len(dataset) == count
    assert len({sample.id for sample in dataset}) == count


def test_an_unknown_subset_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(OptionError, match=r"'medicine'.*did you mean 'medical'"):
        demo(subset="medicine")  # type: ignore[arg-type]


def test_the_demos_worked_examples_are_none_of_its_questions() -> None:
    for sample in demo().dataset:
        assert isinstance(sample.input, list)
        asked = [message.text for message in sample.input if message.role == "user"]
        assert len(asked) == len(set(asked)) >= 2


@pytest.mark.slow
def test_every_medical_question_lists_its_options_and_its_target_is_the_letter_of_one() -> None:
    for sample in demo(subset="medical").dataset:
        assert sample.choices
        assert all(option in sample.input[-1].text for option in sample.choices)  # type: ignore[union-attr]
        assert sample.target in "ABCDEFGH"[: len(sample.choices)]


async def graded(completion: str, target: str, choices: list[str] | None) -> str | Any:
    state = TaskState(
        model=ModelName("mockllm/model"),
        sample_id=1,
        epoch=1,
        input="?",
        messages=[],
        target=Target(target),
        choices=choices,
        output=ModelOutput.from_content("mockllm/model", completion),
    )
    score = await answer()(state, Target(target))
    assert isinstance(score, Score)
    return score.value


OPTIONS = ["Alpha cells", "Beta cells", "Delta cells"]


@pytest.mark.parametrize(
    ("completion", "target", "choices", "value"),
    [
        ("2 * 7 = 14\nThe answer is 14.", "14", None, "C"),
        ("The answer is $1,500.", "1500", None, "C"),
        ("The answer is 14.0", "14", None, "C"),
        ("The answer is 14 dollars.", "14", None, "C"),
        ("The answer is -3.", "-3", None, "C"),
        ("so we get 12 + 2 = 14", "14", None, "C"),
        ("12 + 2 = 14\nThe answer is 12.", "14", None, "I"),
        ("The answer is 140.", "14", None, "I"),
        ("no number at all", "14", None, "I"),
        ("", "14", None, "I"),
        ("The answer is B.", "B", OPTIONS, "C"),
        ("The answer is (B).", "B", OPTIONS, "C"),
        ("The answer is B) Beta cells.", "B", OPTIONS, "C"),
        ("The answer is beta cells.", "B", OPTIONS, "C"),
        ("Beta cells are wrong.\nThe answer is A.", "B", OPTIONS, "I"),
        ("The answer is F.", "B", OPTIONS, "I"),
        ("Beta cells", "B", OPTIONS, "I"),
        ("9" * 100_000, "14", None, "I"),
    ],
)
@pytest.mark.anyio
async def test_what_counts_as_the_right_answer(
    completion: str, target: str, choices: list[str] | None, value: str
) -> None:
    assert await graded(completion, target, choices) == value


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


ROWS = [
    {"question": "What is 2 + 3?", "answer": "2 and 3 make <<2+3=5>>5.\n#### 5"},
    {"question": "What is {x} + 1,000?", "answer": "A brace: {y}.\n#### 1,001"},
]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def asked(task: Any, tmp_path: Path) -> list[list[ChatMessage]]:
    """The prompts a model under test is given."""
    prompts: list[list[ChatMessage]] = []

    def respond(messages: list[ChatMessage], *_: object) -> ModelOutput:
        prompts.append(messages)
        output = ModelOutput.from_content("mockllm/model", "ANSWER: 5")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    model = get_model("mockllm/model", custom_outputs=respond)
    (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path), display="none", score=False)
    assert log.status == "success"
    return prompts


def test_gsm8k_reads_questions_and_answers_from_a_file(tmp_path: Path) -> None:
    task = gsm8k(path=write(tmp_path / "rows.jsonl", ROWS))
    assert [(sample.input, sample.target) for sample in task.dataset] == [
        ("What is 2 + 3?", "5"),
        ("What is {x} + 1,000?", "1,001"),
    ]
    for (prompt,), row in zip(asked(task, tmp_path), ROWS, strict=True):
        assert row["question"] in prompt.text
        assert "ANSWER: $ANSWER" in prompt.text


def test_gsm8k_shows_worked_examples_from_a_file_of_their_own(tmp_path: Path) -> None:
    questions, examples = write(tmp_path / "q.jsonl", ROWS[:1]), write(tmp_path / "e.jsonl", ROWS[1:])
    ((system, user),) = asked(gsm8k(path=questions, fewshot=1, fewshot_path=examples), tmp_path)
    assert "What is {x} + 1,000?" in system.text
    assert "A brace: {y}." in system.text
    assert "ANSWER: 1,001" in system.text
    assert "What is 2 + 3?" in user.text


def test_gsm8k_refuses_to_draw_examples_from_the_questions_themselves(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="fewshot_path"):
        gsm8k(path=write(tmp_path / "q.jsonl", ROWS), fewshot=2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question": "?"}', r"rows.jsonl, line 2: .*'answer'"),
        ('{"question": 5, "answer": "#### 5"}', r"rows.jsonl, line 2, field 'question': expected text, got 5"),
        ("not json", r"rows.jsonl, line 2: expected a JSON object, got 'not json'"),
        ("[1]", r"rows.jsonl, line 2: expected a JSON object"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=message):
        gsm8k(path=str(path))
