"""Trainings of a tiny random model in a second, and a model that answers as the test sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DataCollatorForLanguageModeling,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

Says = Callable[[str, int], str]


class ScriptedModel(LlamaForCausalLM):
    """Learns as any other, and answers a prompt with `says(prompt, how many evaluations there were before)`."""

    says: Says
    tokenizer: PreTrainedTokenizerFast
    asked: list[str]

    def script(self, tokenizer: PreTrainedTokenizerFast, says: Says) -> ScriptedModel:
        self.tokenizer, self.says, self.asked = tokenizer, says, []
        return self

    def generate(self, input_ids: Any = None, attention_mask: Any = None, **_: Any) -> torch.Tensor:
        """Appends answers, padded behind their end, as transformers does."""
        end = self.tokenizer.eos_token_id
        answers = []
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            prompt = self.tokenizer.decode(ids[mask.bool()])
            before = self.asked.count(prompt)
            self.asked.append(prompt)
            answers.append([*self.tokenizer(self.says(prompt, before))["input_ids"], end])
        width = max(map(len, answers))
        rows = [answer + [end] * (width - len(answer)) for answer in answers]
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)


class Untidy(TrainerCallback):
    """Leaves a layer, and so its dropout, in training mode."""

    def on_evaluate(self, args, state, control, model, **_):  # noqa: ARG002
        model.model.layers[1].train()


def tiny_model(tokenizer: PreTrainedTokenizerFast, kind: type = LlamaForCausalLM, **config: Any) -> Any:
    torch.manual_seed(0)
    return kind(
        LlamaConfig(
            **{
                "vocab_size": len(tokenizer),
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": 1024,
                "bos_token_id": tokenizer.bos_token_id,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.eos_token_id,
                "initializer_range": 0.3,
                **config,
            }
        )
    )


def tiny_trainer(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    folder: Path,
    callbacks: Sequence[TrainerCallback] = (),
    *,
    eval_dataset: Any = None,
    **arguments: Any,
) -> Trainer:
    """A Trainer with an evaluation before the first step and after every second of four."""
    set_seed(0)
    data = [dict(tokenizer(text, truncation=True, max_length=64)) for text in texts]
    usual: Mapping[str, Any] = {
        "max_steps": 4,
        "per_device_train_batch_size": 2,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "eval_on_start": True,
        "logging_steps": 1,
        "learning_rate": 1e-3,
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
        "save_strategy": "no",
    }
    return Trainer(
        model=model,
        args=TrainingArguments(output_dir=str(folder), **{**usual, **arguments}),
        train_dataset=data,
        eval_dataset=eval_dataset(data) if eval_dataset else data[:2],
        processing_class=tokenizer,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        callbacks=list(callbacks),
    )


def logged(trainer: Trainer, name: str) -> dict[int, Any]:
    """{step: value} of a number in the trainer's history."""
    return {entry["step"]: entry[name] for entry in trainer.state.log_history if name in entry}
