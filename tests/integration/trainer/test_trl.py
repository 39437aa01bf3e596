"""Real trainings of SmolLM2 with TRL, a few steps on the CPU: curves and reward in the trainer's own history."""

from __future__ import annotations

import importlib.util
import json
import math

import pytest
from datasets import Dataset

from stepgauge.adapters.runs import load_runs
from stepgauge.adapters.trainer import InfoGainReward, StepgaugeCallback
from stepgauge.metrics.models import resolve

# TRL is imported in the tests: it takes seconds, and every process of pytest imports all files.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed"),
]

ON_CPU = {
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "save_strategy": "no",
    "eval_strategy": "steps",
    "eval_steps": 2,
    "eval_on_start": True,
    "logging_steps": 1,
    "max_steps": 2,
    "learning_rate": 1e-4,
    "disable_tqdm": True,
}


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def logged(trainer, name: str) -> dict[int, float]:
    return {entry["step"]: entry[name] for entry in trainer.state.log_history if name in entry}


def monitor(arithmetic, smollm2) -> StepgaugeCallback:
    held_out = [{"question": row["question"], "answer": row["answer"]} for row in arithmetic[-4:]]
    return StepgaugeCallback(held_out, smollm2, max_new_tokens=24, batch_size=4)


def curves_are_there(trainer, folder) -> None:
    accuracy = logged(trainer, "stepgauge/accuracy")
    assert set(accuracy) == {0, 2}
    assert all(0 <= one <= 1 for one in accuracy.values())
    gains = logged(trainer, "stepgauge/infogain_nats")
    assert gains
    assert all(map(math.isfinite, gains.values()))
    for step in (0, 2):
        (run,) = load_runs([str(folder / "stepgauge" / f"step-{step:06d}")])
        right = [record.accuracy["accuracy"] for record in run.records]
        assert sum(right) / len(right) == accuracy[step]
        found = [record.score.metrics["infogain_nats"] for record in run.records]
        there = [value for value in found if not math.isnan(value)]
        assert sum(there) / len(there) == pytest.approx(gains[step])
        assert logged(trainer, "stepgauge/missing/infogain_nats")[step] == len(found) - len(there)
        assert {record.score.provenance["scorer"] for record in run.records if record.score.provenance} == {"smollm2"}


def test_supervised_fine_tuning_shows_the_curves(arithmetic, smollm2, tmp_path):
    from trl import SFTConfig, SFTTrainer

    data = [
        {"prompt": _user(row["question"]), "completion": [{"role": "assistant", "content": row["solution"]}]}
        for row in arithmetic[:4]
    ]
    trainer = SFTTrainer(
        resolve("smollm2"),
        args=SFTConfig(output_dir=str(tmp_path), per_device_train_batch_size=2, **ON_CPU),
        train_dataset=Dataset.from_list(data),
        eval_dataset=Dataset.from_list(data[:1]),
        callbacks=[monitor(arithmetic, smollm2)],
    )
    trainer.train()
    assert len(logged(trainer, "loss")) == 2
    curves_are_there(trainer, tmp_path)
    first = json.loads((tmp_path / "stepgauge" / "step-000000" / "scores.jsonl").read_text().splitlines()[0])
    assert "<|im_" not in first["response"], "the chat template ends a turn with a token of its own"


def test_grpo_learns_from_what_a_chain_gains(arithmetic, smollm2, tmp_path):
    from trl import GRPOConfig, GRPOTrainer

    data = [{"prompt": _user(row["question"]), "answer": row["answer"]} for row in arithmetic[:4]]
    reward = InfoGainReward(smollm2, clip=3.0)
    seen: list[list[float | None]] = []

    def recorded(**given):
        seen.append(reward(**given))
        return seen[-1]

    recorded.__name__ = reward.__name__
    trainer = GRPOTrainer(
        resolve("smollm2"),
        reward_funcs=[recorded],
        args=GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=2,
            per_device_eval_batch_size=2,
            num_generations=2,
            num_generations_eval=2,
            max_completion_length=24,
            **ON_CPU,
        ),
        train_dataset=Dataset.from_list(data),
        eval_dataset=Dataset.from_list(data[:1]),
        callbacks=[monitor(arithmetic, smollm2)],
    )
    trainer.train()
    means = logged(trainer, "rewards/infogain_nats_before_answer/mean")
    assert set(means) == {1, 2}
    values = [one for batch in seen for one in batch if one is not None]
    assert values
    assert all(-3.0 <= one <= 3.0 for one in values)
    missing = logged(trainer, "stepgauge/reward_missing")
    assert set(missing) == {1, 2}
    for step, share in missing.items():
        assert share in (0.0, 0.5, 1.0)
        assert (share == 1.0) == (means[step] is None or math.isnan(means[step]))
    curves_are_there(trainer, tmp_path)
