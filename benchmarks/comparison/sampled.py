"""Several samples of SmolLM2 for each question, by either framework, as its own log and without a scorer of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Scorer

TEMPERATURE = 0.8
BATCH = 60


def with_lm_eval(
    model: str,
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    task: str,
    ask: str,
    answer: Mapping[str, Any],
    metric: Mapping[str, Any],
    samples: int,
    tokens: int,
) -> None:
    """Ask lm-eval (`repeats`).

    Args:
        rows: documents with `question` and `answer`.
        ask: what stands below the question.
        answer: the filter that finds the answer: its `name`, and the `function` with its arguments.
        metric: arguments of exact_match.
    """
    from datasets import Dataset
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    name, regex = answer["name"], {key: value for key, value in answer.items() if key != "name"}
    config: dict[str, Any] = {
        "task": task,
        "custom_dataset": lambda **_: {"test": Dataset.from_list(list(rows))},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}" + ask,
        "doc_to_target": "answer",
        "generation_kwargs": {
            "until": ["\n\n\n"],
            "do_sample": True,
            "temperature": TEMPERATURE,
            "max_gen_toks": tokens,
        },
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, **metric}],
        "filter_list": [{"name": name, "filter": [regex, {"function": "take_first"}]}],
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
    tracker.save_results_samples(task_name=task, samples=logged[task])


def with_inspect(
    model: str,
    out: Path,
    dataset: Sequence[Sample],
    *,
    task: str,
    ask: str,
    scorer: Scorer,
    samples: int,
    tokens: int,
    seed: int | None = None,
) -> None:
    """Ask Inspect (epochs); `ask` stands below the question."""
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.solver import generate, prompt_template

    config = GenerateConfig(temperature=TEMPERATURE, max_tokens=tokens, max_connections=BATCH, seed=seed)
    asked = Task(
        name=task,
        dataset=list(dataset),
        solver=[prompt_template("{prompt}" + ask), generate()],
        scorer=scorer,
        epochs=samples,
        config=config,
    )
    lm = get_model(f"hf/{Path(model).name}", model_path=model, device="cpu", do_sample=True, config=config)
    (log,) = inspect_eval(asked, model=lm, log_dir=str(out), display="none")
    assert log.status == "success", log.error
