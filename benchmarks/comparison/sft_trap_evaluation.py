"""Runs a model on held-out questions in lm-eval, with reasoning scores, for `benchmarks.comparison.sft_trap`."""

from __future__ import annotations

import gc
import json
import logging
import math
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison.sft_trap_data import Problem
from benchmarks.comparison.sft_trap_training import END

TASK = "sft_trap_{data}"
ACCURACY = "exact_match,last-number"
METRICS = (
    "infogain",
    "infogain_nats",
    "infogain_nats_before_answer",
    "infogain_nats_without_final",
    "ki",
    "ki_coverage",
    "n_steps",
)
SUMMARY = "{name}.json"
_YAML = """\
# Written by benchmarks.comparison.sft_trap.
task: {task}
class: !function stepgauge.adapters.lm_eval.StepTask
stepgauge: {options}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {questions}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: {until}, max_gen_toks: {max_gen_toks}, do_sample: false}}
filter_list:
  - name: last-number
    filter:
      - {{function: regex, group_select: -1, regex_pattern: '(-?\\d[\\d,]*(?:\\.\\d+)?)'}}
      - {{function: take_first}}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    regexes_to_ignore: [",", '\\.0+$']
metadata: {{version: 1.0}}
"""


@dataclass(frozen=True)
class Evaluation:
    """The settings that are the same for every model: the task's folder and name, and how models are run."""

    tasks: Path
    task: str
    device: str
    batch: int


def prompt(question: str, shown: Sequence[Problem]) -> str:
    """Worked examples, then the question; the same for every model, whatever it was trained on."""
    blocks = [f"Question: {problem.question}\nAnswer: {problem.worked()}" for problem in shown]
    return "\n\n".join([*blocks, f"Question: {question}\nAnswer:"])


def questions(problems: Sequence[Problem], shown: Sequence[Problem]) -> list[dict[str, str]]:
    """Rows for `StepgaugeCallback`: what the scorer reads is the bare question, without the examples."""
    return [{"question": one.question, "answer": one.answer, "prompt": prompt(one.question, shown)} for one in problems]


def write_task(
    folder: Path,
    data: str,
    problems: Sequence[Problem],
    shown: Sequence[Problem],
    max_gen_toks: int,
    scoring: Mapping[str, Any],
) -> str:
    """Write the questions and the YAML that asks them into `folder`; returns the task's name.

    Args:
        scoring: options of the scoring LM. It reads the bare question, without the examples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "questions.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in questions(problems, shown))
    name = TASK.format(data=data)
    options = {
        **scoring,
        "question": "{{question}}",
        "gold": "{{answer}}",
        "splitter": "lines",
        "metrics": list(METRICS),
    }
    text = _YAML.format(
        task=name,
        options=json.dumps(options),
        questions=json.dumps(str(path.resolve())),
        until=json.dumps([END, "Question:"]),
        max_gen_toks=max_gen_toks,
    )
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return name


def evaluate(name: str, model: Path | str, out: Path, how: Evaluation) -> dict[str, Any]:
    """The numbers of a model's run, named as in lm-eval's results, without missing ones.

    A complete run is not repeated. lm-eval's own files, samples included, go to `out`/`name`; `out`/`name`.json is
    written after them.
    """
    summary = out / SUMMARY.format(name=name)
    if summary.is_file():
        return json.loads(summary.read_text(encoding="utf-8"))
    shutil.rmtree(out / name, ignore_errors=True)
    numbers = _run(str(model), out / name, how)
    summary.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    return numbers


def _run(model: str, folder: Path, how: Evaluation) -> dict[str, Any]:
    import lm_eval.models  # lm-eval does so by itself only while no other model is registered  # noqa: F401
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.WARNING)
    tracker = EvaluationTracker(output_path=str(folder))
    run: Any = simple_evaluate  # lm-eval's decorator hides its parameters from a type checker
    results = run(
        model="hf",
        model_args={"pretrained": model, "dtype": "bfloat16" if how.device.startswith("cuda") else "float32"},
        tasks=[how.task],
        # Skip lm-eval's own tasks: reading their index takes longer than a small run.
        task_manager=TaskManager(include_path=str(how.tasks), include_defaults=False),
        device=how.device,
        batch_size=how.batch,
        log_samples=True,
        evaluation_tracker=tracker,
        bootstrap_iters=0,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name=how.task, samples=samples[how.task])
    if not list(folder.rglob("samples_*.jsonl")):  # if saving fails, lm-eval only logs it
        raise OSError(f"lm-eval could not save its samples into {str(folder)!r}; see its log above")
    gc.collect()
    if how.device.startswith("cuda"):
        torch.cuda.empty_cache()
    numbers = results["results"][how.task].items()
    return {key: value for key, value in numbers if isinstance(value, int | float) and math.isfinite(value)}


def answers(folder: Path) -> Counter[str]:
    """How often a finished run gave each answer; a model that guesses gives only a few different ones."""
    (samples,) = folder.rglob("samples_*.jsonl")
    with samples.open(encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["filter"] == "last-number"]
    return Counter(str(row["filtered_resps"][0]) for row in rows)
