"""A short phase of GRPO (TRL) after fine-tuning, for `trap_seeds`: rewards for right answers, for gains, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison.sft_trap_data import Problem
from benchmarks.comparison.sft_trap_evaluation import questions
from benchmarks.comparison.sft_trap_training import END, Tuning, Watch, arguments, carried_out, loaded
from stepgauge.adapters.trainer.questions import is_right, read_questions

Reward = Callable[..., list[float | None]]


@dataclass(frozen=True)
class Rewarding:
    """Settings of the phase; all others are TRL's.

    Attributes:
        steps: each on `batch` completions.
        group: completions of one question, among which rewards are compared.
        new_tokens: at which a completion is cut off.
    """

    steps: int
    batch: int
    group: int
    lr: float
    new_tokens: int


def exact_match(
    prompts: Sequence[str], completions: Sequence[str], *, question: Sequence[str], answer: Sequence[str], **_: Any
) -> list[float | None]:
    """1 for a right answer, read as `StepgaugeCallback` reads it for accuracy, else 0."""
    del prompts
    asked = read_questions([{"question": q, "answer": a} for q, a in zip(question, answer, strict=True)], None)
    return [float(is_right(one.trace(text))) for one, text in zip(asked, completions, strict=True)]


def rewarded(
    start: str,
    problems: Sequence[Problem],
    shown: Sequence[Problem],
    rewards: Sequence[Reward],
    out: Path,
    *,
    tuning: Tuning,
    how: Rewarding,
    name: str,
    watch: Watch,
) -> dict[str, Any]:
    """Train `start` by the sum of `rewards` on these problems and save it to `out`, as `fit` does."""
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    model, tokenizer = loaded(start, tuning)
    _ends_at(END, model, tokenizer)
    data = Dataset.from_list(questions(problems, shown))
    settings = arguments(out, tuning, watch) | {
        "max_steps": how.steps,
        "learning_rate": how.lr,
        "per_device_train_batch_size": how.batch,
        "num_generations": how.group,
        "max_completion_length": how.new_tokens,
        "per_device_eval_batch_size": 2,
        "num_generations_eval": 2,
    }
    trainer = GRPOTrainer(
        model,
        reward_funcs=list(rewards),
        args=GRPOConfig(**settings),
        train_dataset=data,
        eval_dataset=data.select([0]),
        processing_class=tokenizer,
        callbacks=[watch.monitor],
    )
    about = {"questions": len(data), "rewards": [one.__name__ for one in rewards]}
    return carried_out(trainer, out, name, about)


def _ends_at(end: str, model: Any, tokenizer: Any) -> None:
    """Let generation end where every response that was trained on ends. Raises ValueError where that is no token."""
    ids = tokenizer(end, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise ValueError(f"the tokenizer has no token of its own for {end!r}, at which responses end")
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ids[0])
    model.generation_config.eos_token_id = ids[0]
