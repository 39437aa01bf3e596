"""Supervised fine-tuning of a small causal LM on prompts and responses, for `sft_trap`, `sft_monitor` and `trap_seeds`.

Uses transformers' Trainer with the loss on response tokens only. Trains all weights or (`lora`) low-rank adapters that
are merged into the weights at the end, so the result is an ordinary model folder. A stopped training resumes from its
last checkpoint. What is the same for other trainers made from transformers' is shared with them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ABOUT = "sft_trap.json"
HISTORY = "history.json"  # what the trainer logged
EVALUATIONS = "stepgauge"  # what a watched training's callback wrote
END = "\n\n"  # closes every response; the task file stops generation there
IGNORED = -100
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}


@dataclass(frozen=True)
class Tuning:
    """Training settings; `layers`: train only this many upper layers, 0: the whole model."""

    epochs: float
    batch: int
    accumulate: int
    lr: float
    seed: int
    device: str
    lora: bool
    layers: int
    gradient_checkpointing: bool


def encoded(tokenizer: Any, prompt: str, response: str) -> dict[str, list[int]]:
    """Token ids, and labels that mask every token that ends within the prompt."""
    fields = tokenizer(f"{prompt} {response}{END}", return_offsets_mapping=True)
    ids = fields["input_ids"]
    ends = [end for _, end in fields["offset_mapping"]]
    labels = [token if end > len(prompt) else IGNORED for token, end in zip(ids, ends, strict=True)]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}


@dataclass(frozen=True)
class Watch:
    """What a `StepgaugeCallback` sees of a training.

    Attributes:
        monitor: the callback.
        every: steps between evaluations, or, below 1, the part of the training; the first is before any step.
    """

    monitor: Any
    every: float


def fit(
    base: str, rows: Sequence[tuple[str, str]], out: Path, tuning: Tuning, name: str, watch: Watch | None = None
) -> dict[str, Any]:
    """Fine-tune `base` on (prompt, response) pairs and save it to `out`, which appears only when complete.

    Until then checkpoints are kept in `<out>.checkpoints`. Returns a description of the training, as in
    `out`/sft_trap.json. What `watch` scored is in `out`/stepgauge.
    """
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    model, tokenizer = loaded(base, tuning)
    data = [encoded(tokenizer, prompt, response) for prompt, response in rows]
    settings = {**arguments(out, tuning, watch), "train_sampling_strategy": "group_by_length"}
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**settings),
        train_dataset=data,  # type: ignore[arg-type]
        eval_dataset=data[:4] if watch else None,  # type: ignore[arg-type]
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
        processing_class=tokenizer,
        callbacks=[watch.monitor] if watch else [],
    )
    about = {
        "rows": len(data),
        "tokens": sum(len(row["input_ids"]) for row in data),
        "response_tokens": sum(label != IGNORED for row in data for label in row["labels"]),
    }
    return carried_out(trainer, out, name, about)


def loaded(base: str, tuning: Tuning) -> tuple[Any, Any]:
    """The model to train, with what is not trained frozen, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    tokenizer = AutoTokenizer.from_pretrained(base)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    set_seed(tuning.seed)  # adapters are initialised randomly
    # With adapters the base weights are frozen and may be 16-bit; weights that are trained stay float32.
    model: Any = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.bfloat16 if tuning.device.startswith("cuda") and tuning.lora else torch.float32
    )
    if tuning.layers:
        freeze_below(model, tuning.layers)
    elif tuning.lora:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **LORA))  # type: ignore[arg-type]
        if tuning.gradient_checkpointing:
            model.enable_input_require_grads()
    return model, tokenizer


def arguments(out: Path, tuning: Tuning, watch: Watch | None) -> dict[str, Any]:
    """For `TrainingArguments` and what is made from it."""
    cuda = tuning.device.startswith("cuda")
    watched = {"eval_strategy": "steps", "eval_steps": watch.every, "eval_on_start": True} if watch else {}
    return watched | {
        "gradient_checkpointing": tuning.gradient_checkpointing,
        "output_dir": str(_checkpoints(out)),
        "num_train_epochs": tuning.epochs,
        "per_device_train_batch_size": tuning.batch,
        "gradient_accumulation_steps": tuning.accumulate,
        "learning_rate": tuning.lr,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05,
        "weight_decay": 0.0,
        "bf16": cuda,
        "seed": tuning.seed,
        "use_cpu": tuning.device == "cpu",
        "save_strategy": "steps",
        "save_steps": 0.25,
        "save_total_limit": 1,
        "logging_strategy": "steps",
        "logging_steps": 0.1,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": cuda,
    }


def carried_out(trainer: Any, out: Path, name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Train, from the last checkpoint if there is one, and save the model to `out`; returns what is known of it."""
    from transformers import PrinterCallback

    started = time.monotonic()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_progress(name, started))
    checkpoints = _checkpoints(out)
    last = _last_checkpoint(checkpoints)
    if last:
        print(f"{name}: goes on from {last.name}", flush=True)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    history = trainer.state.log_history
    found = {
        **about,
        "steps": trainer.state.global_step,
        "losses": [round(entry["loss"], 4) for entry in history if "loss" in entry],
        "minutes": round((time.monotonic() - started) / 60, 2),
        "resumed_from": last.name if last else None,
    }
    scratch = out.with_name(f"{out.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    model = trainer.model
    (model.merge_and_unload() if hasattr(model, "merge_and_unload") else model).save_pretrained(scratch)
    trainer.processing_class.save_pretrained(scratch)
    if (checkpoints / EVALUATIONS).is_dir():
        (checkpoints / EVALUATIONS).rename(scratch / EVALUATIONS)
    (scratch / HISTORY).write_text(json.dumps(history, indent=1), encoding="utf-8")
    (scratch / ABOUT).write_text(json.dumps(found, indent=1), encoding="utf-8")
    scratch.rename(out)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return found


def _checkpoints(out: Path) -> Path:
    return out.with_name(f"{out.name}.checkpoints")


def freeze_below(model: Any, layers: int) -> None:
    """Freeze everything below the upper `layers` layers, so that it needs no backward pass.

    Raises ValueError for an architecture that stores its layers elsewhere.
    """
    stack = getattr(model.base_model, "layers", None)
    if stack is None:
        raise ValueError(f"--layers {layers}: {type(model).__name__} has no list `layers`; use --lora or --layers 0")
    model.requires_grad_(False)
    stack[-layers:].requires_grad_(True)


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint: the trainer state is written last."""
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return max(complete, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _progress(name: str, started: float) -> Any:
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
            if logs and "loss" in logs:
                minutes = (time.monotonic() - started) / 60
                where = f"step {state.global_step} of {state.max_steps}"
                print(f"{name}: {where}, loss {float(logs['loss']):.3f}, {minutes:.1f} min", flush=True)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            # The trainer evaluates at multiples of `eval_steps` alone; a watched training is also judged by its end.
            if args.eval_strategy != "no" and state.global_step >= state.max_steps:
                control.should_evaluate = True

    return Progress()
