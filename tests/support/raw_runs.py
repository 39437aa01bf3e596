"""Runs of both frameworks that no scorer of ours has seen, written to disk by the frameworks themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate
from lm_eval.loggers import EvaluationTracker
from scripted_lm import ScriptedLM, documents, evaluate

N = 12
SUMS = [{"question": f"How much is {i} plus {i + 1}?", "answer": str(2 * i + 1)} for i in range(10, 10 + N)]


def said(i: int, right: bool) -> str:
    return f"We add the two numbers.\nThe answer is {SUMS[i]['answer'] if right else 7}."


def script(rights: list[list[bool]]) -> dict[str, list[str]]:
    """What is answered to each question, response by response."""
    return {row["question"]: [said(i, right) for right in rights[i]] for i, row in enumerate(SUMS)}


def sure(right: int) -> list[list[bool]]:
    return [[i < right] for i in range(N)]


def lm_eval_run(folder: Path, rights: list[list[bool]], **more: Any) -> Path:
    config = {
        "task": "sums",
        "custom_dataset": documents(SUMS),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["Question:"]},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "filter_list": [
            {
                "name": "number",
                "filter": [{"function": "regex", "regex_pattern": r"answer is (\d+)"}, {"function": "take_first"}],
            }
        ],
        **more,
    }
    tracker = EvaluationTracker(output_path=str(folder))
    results = evaluate(ScriptedLM(script(rights)), config, log_samples=True, evaluation_tracker=tracker)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name=config["task"], samples=samples[config["task"]])
    return folder


def inspect_run(folder: Path, rights: list[list[bool]], *, name: str = "sums", stop: str = "stop") -> Path:
    """One response per epoch."""
    answers = script(rights)
    asked: dict[str, int] = {}

    def respond(messages: Any, *_: Any) -> ModelOutput:
        question = messages[-1].text
        asked[question] = asked.get(question, 0) + 1
        text = answers[question][(asked[question] - 1) % len(answers[question])]
        output = ModelOutput.from_content("m", text, stop_reason=stop)  # type: ignore[arg-type]
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    dataset = [Sample(id=f"q{i}", input=row["question"], target=row["answer"]) for i, row in enumerate(SUMS)]
    task = Task(dataset=dataset, solver=generate(), scorer=match(numeric=True), name=name, epochs=len(rights[0]))
    model = get_model("mockllm/model", custom_outputs=respond)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none", max_connections=1)
    assert log.status == "success", log.error
    return folder
