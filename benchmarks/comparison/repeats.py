"""Does a longer budget make a model reason better, or only vary more? SmolLM2, eight samples a question.

    python -m benchmarks.comparison.repeats OUT [--questions 60] [--samples 8] [--tokens 24 48]

Writes one run for each budget of tokens: with lm-eval below OUT/lm-eval (`repeats`), with Inspect below OUT/inspect
(epochs), both on the embedded arithmetic and medical questions at temperature 0.8, and no scorer of ours in either.
`stepgauge repeats OUT/lm-eval/24 OUT/lm-eval/48` prints the tables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stepgauge.metrics.models.loading import resolve

REPO = Path(__file__).parents[2]
TEMPERATURE = 0.8
BATCH = 60
NUMBER = r"(-?[0-9][0-9.,]*[0-9]|-?[0-9])"
HINT = "Think step by step, then end with a line 'The answer is N.'"


def questions(count: int) -> list[dict[str, str]]:
    """The embedded questions, arithmetic first; options are listed below the question, and the answer is a letter."""
    out: list[dict[str, str]] = []
    for name in ("arithmetic", "medical"):
        for line in (REPO / "tasks" / "samples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            listed = [f"{letter}) {option}" for letter, option in zip("ABCD", row.get("choices", ()), strict=False)]
            question = "\n".join([row["question"], *listed])
            out.append({"id": row["id"], "question": question, "answer": row["answer"], "category": name})
    return out[:count]


def with_lm_eval(model: str, out: Path, rows: list[dict[str, str]], samples: int, tokens: int) -> None:
    from datasets import Dataset
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    config: dict[str, Any] = {
        "task": "embedded",
        "custom_dataset": lambda **_: {"test": Dataset.from_list(rows)},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}\n" + HINT,
        "doc_to_target": "answer",
        "generation_kwargs": {
            "until": ["\n\n\n"],
            "do_sample": True,
            "temperature": TEMPERATURE,
            "max_gen_toks": tokens,
        },
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "ignore_case": True}
        ],
        "filter_list": [
            {
                "name": "last",
                "filter": [
                    {"function": "regex", "group_select": -1, "regex_pattern": rf"{NUMBER}|\b([A-D])\b"},
                    {"function": "take_first"},
                ],
            }
        ],
        "repeats": samples,
    }
    tracker = EvaluationTracker(output_path=str(out))
    results = simple_evaluate(
        "hf",
        model_args={"pretrained": model, "dtype": "float32", "device": "cpu"},
        tasks=[config],
        task_manager=TaskManager(include_defaults=False),
        batch_size=BATCH,
        apply_chat_template=True,
        evaluation_tracker=tracker,
        log_samples=True,
        bootstrap_iters=0,
    )
    assert results is not None
    logged = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=logged)
    tracker.save_results_samples(task_name="embedded", samples=logged["embedded"])


def with_inspect(model: str, out: Path, rows: list[dict[str, str]], samples: int, tokens: int) -> None:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.scorer import Score, Target, accuracy, scorer, stderr
    from inspect_ai.solver import TaskState, generate, prompt_template

    from stepgauge.metrics.answers.extraction import extract_answer

    @scorer(metrics=[accuracy(), stderr()])
    def announced():
        async def grade(state: TaskState, target: Target) -> Score:
            answer = (extract_answer(state.output.completion) or "").rstrip(". ")
            return Score(value="C" if answer == target.text else "I", answer=answer)

        return grade

    config = GenerateConfig(temperature=TEMPERATURE, max_tokens=tokens, max_connections=BATCH)
    task = Task(
        name="embedded",
        dataset=[
            Sample(id=row["id"], input=row["question"], target=row["answer"], metadata={"category": row["category"]})
            for row in rows
        ],
        solver=[prompt_template("{prompt}\n" + HINT), generate()],
        scorer=announced(),
        epochs=samples,
        config=config,
    )
    lm = get_model(f"hf/{Path(model).name}", model_path=model, device="cpu", do_sample=True, config=config)
    (log,) = inspect_eval(task, model=lm, log_dir=str(out), display="none")
    assert log.status == "success", log.error


RUNS = {"lm-eval": with_lm_eval, "inspect": with_inspect}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokens", type=int, nargs="+", default=[24, 48])
    parser.add_argument("--frameworks", nargs="+", choices=tuple(RUNS), default=tuple(RUNS))
    args = parser.parse_args()
    model, rows = resolve("smollm2"), questions(args.questions)
    for framework in args.frameworks:
        for tokens in args.tokens:
            RUNS[framework](str(model), args.out / framework / str(tokens), rows, args.samples, tokens)


if __name__ == "__main__":
    main()
