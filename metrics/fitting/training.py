"""Runs transformers' Trainer over chains, and writes the fitted scorer: `fit`."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from ..contamination.card import data_hash, read_card, weights_hash, write_card
from ..engine.scheduler import log_likelihoods, make_engine
from ..errors import FitError
from ..likelihood import Unscored
from ..models.devices import device_names
from ..models.from_pretrained import quiet
from ..models.loading import LoadedModel, load, max_tokens
from ..models.scorer_tokenizer import ScorerTexts
from ..optional_packages import is_installed, needs
from ..tokenization.spans import check_tokenizer
from ..trace import Trace
from ..versions import versions
from .batches import collate, feature, loss
from .examples import Example, Examples, make_examples
from .settings import FitSettings

log = logging.getLogger(__name__)

_LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}
_FINGERPRINT = "stepgauge_run.json"


def fit(
    traces: Sequence[Trace],
    out: Path,
    settings: FitSettings,
    *,
    exclude: frozenset[str] = frozenset(),
    files: Mapping[str, str] | None = None,
    restart: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Fit a scorer to chains and write it to `out`, an ordinary model folder with a card (`card.py`).

    The loss is the negative log-likelihood per token of the gold answer, averaged over the prefixes of a chain, the
    question alone included (arXiv 2411.11984, section 4). All prefixes of a chain share one forward pass, with tree
    attention over their token trie. Training stops early once the loss on held-out questions no longer falls, and keeps
    the best weights. A stopped fit resumes from its last checkpoint in `<out>.checkpoints`; `out` appears only when
    complete.

    Args:
        traces: chains with gold answers, right and wrong ones.
        exclude: hashes of questions not to be trained on (`question_hashes`).
        files: names and digests of the files the chains come from, for the card.
        restart: start over if `out` or checkpoints exist.
        progress: show progress bars.

    Returns:
        The card.

    Raises:
        FitError: the request cannot be fulfilled, or `out` or checkpoints of another fit exist and `restart` is False.
        ScorerError: the scorer cannot be loaded.
    """
    checkpoints = out.with_name(f"{out.name}.checkpoints")
    described = _describe(traces, settings, exclude)
    _check_folders(out, checkpoints, described, restart)
    device = device_names(settings.device)
    if len(device) > 1:
        raise FitError(
            f"device {settings.device!r}: name one; for several, `accelerate launch` starts a process on each"
        )
    set_seed(settings.seed)
    loaded = _load(settings, device[0])
    texts = ScorerTexts(loaded.tokenizer, loaded.name, max_tokens(loaded.model.config))
    examples = make_examples(traces, texts, settings, exclude)
    engine = make_engine(loaded.model)
    if engine.plan is None:
        raise FitError(f"scorer {settings.scorer!r} cannot be fitted: {engine.plain_reason}")
    log.info(
        "%d examples of %d questions to fit on, %d of %d held out",
        len(examples.train),
        len(examples.questions),
        len(examples.held_out),
        len(examples.held_out_questions),
    )
    before = measure(loaded, examples.chains)
    model = _trainable(loaded.model, settings)
    trainer = _trainer(model, engine.plan, loaded, examples, settings, checkpoints, progress)
    checkpoints.mkdir(parents=True, exist_ok=True)
    (checkpoints / _FINGERPRINT).write_text(json.dumps(described), encoding="utf-8")
    last = last_checkpoint(checkpoints)
    if last:
        log.info("going on from %s", last)
    with quiet():
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    fitted: Any = model.merge_and_unload() if settings.lora else model
    fitted.eval()
    loaded = replace(loaded, model=fitted)
    card = {
        "base": _base(loaded),
        "settings": {**asdict(settings), "lr": settings.peak_lr, "steps": trainer.state.global_step},
        "data": {
            "chains": len(examples.train),
            "questions": len(examples.questions),
            "held_out_questions": len(examples.held_out_questions),
            "sha256": data_hash(traces),
            "files": dict(files or {}),
            "left_out": dict(examples.left_out),
        },
        "metrics": {"before": before, "after": measure(loaded, examples.chains), "history": _history(trainer)},
        **_seen(examples, loaded.source, loaded.revision),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": versions(),
    }
    return _publish(fitted, loaded, out, checkpoints, card, trainer.is_world_process_zero())


def measure(loaded: LoadedModel, chains: Sequence[Example]) -> dict[str, float]:
    """Means over chains, in nats: negative log-likelihood per answer token over all prefixes, log-likelihood of the
    answer after the question and after the whole chain, and the gain between the two."""
    spans = [chain.spans for chain in chains]
    found = log_likelihoods(make_engine(loaded.model), spans, lambda _: None)
    values = [(value, own) for value, own in zip(found, spans, strict=True) if not isinstance(value, Unscored)]
    per_token = [
        -np.mean([one / (span.n - span.start) for one, span in zip(value, own, strict=True)]) for value, own in values
    ]
    question, chain = (np.mean([value[i] for value, _ in values]) for i in (0, -1))
    return {
        "nats_per_answer_token": float(np.mean(per_token)),
        "log_likelihood_after_question": float(question),
        "log_likelihood_after_chain": float(chain),
        "gain": float(chain - question),
    }


class _TrieTrainer(Trainer):
    """A Trainer that computes the loss on token tries."""

    def __init__(self, plan: Any, **options: Any) -> None:
        super().__init__(**options)
        self._plan = plan
        self.loss_is_scaled_for_ga = False  # the loss is a mean per batch: Trainer divides it by batches per update
        self.model_accepts_loss_kwargs = False

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # noqa: ARG002
        value = self._loss(model, inputs)
        return (value, None) if return_outputs else value

    def _loss(self, model: Any, inputs: Any) -> torch.Tensor:
        return loss(model, self._plan, inputs, next(model.parameters()).dtype)

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):  # noqa: ARG002
        with torch.no_grad(), self.compute_loss_context_manager():
            return self._loss(model, self._prepare_inputs(inputs)).detach(), None, None


class _Said(TrainerCallback):
    """Logs losses through `logging` instead of printing them."""

    def on_log(self, args, state, control, logs=None, **_):  # noqa: ARG002
        for name, what in (("loss", "loss"), ("eval_loss", "held-out loss")):
            if logs and name in logs:
                log.info("step %d of %d: %s %.4f", state.global_step, state.max_steps, what, float(logs[name]))


def _trainer(
    model: Any,
    plan: Any,
    loaded: LoadedModel,
    examples: Examples,
    settings: FitSettings,
    checkpoints: Path,
    progress: bool,
) -> Trainer:
    accelerator = loaded.device != "cpu"
    rows = min(settings.rows, settings.batch)
    every = min(1.0, 1 / (settings.evaluations * settings.epochs))
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=rows,
        per_device_eval_batch_size=rows,
        gradient_accumulation_steps=max(1, settings.batch // rows),
        learning_rate=settings.peak_lr,
        lr_scheduler_type="cosine",
        # Whole steps, rounded down: the first warm-up step has rate 0, so in a short fit it would waste an update.
        warmup_steps=int(0.05 * settings.epochs * len(examples.train) / (rows * max(1, settings.batch // rows))),
        weight_decay=0.0,
        bf16=loaded.device.startswith("cuda"),
        **_checkpointing(accelerator if settings.gradient_checkpointing is None else settings.gradient_checkpointing),
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_strategy="steps",
        logging_steps=min(1.0, every / 2),
        prediction_loss_only=True,
        remove_unused_columns=False,
        train_sampling_strategy="group_by_length",
        seed=settings.seed,
        data_seed=settings.seed,
        use_cpu=not accelerator,
        dataloader_pin_memory=loaded.device.startswith("cuda"),
        disable_tqdm=not progress,
        report_to=[],
    )
    held_out = sorted(examples.held_out, key=lambda example: len(example.trie.token))
    trainer = _TrieTrainer(
        plan,
        model=model,
        args=arguments,
        train_dataset=[feature(example) for example in examples.train],
        eval_dataset=[feature(example) for example in held_out],
        data_collator=collate,
        callbacks=[EarlyStoppingCallback(settings.patience), _Said()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _checkpointing(on: bool) -> dict[str, Any]:
    """Trainer options for gradient checkpointing, under the name that the installed transformers uses."""
    if not on:
        return {}
    known = {field.name for field in fields(TrainingArguments)}
    name = "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}}


def _load(settings: FitSettings, device: str) -> LoadedModel:
    # With adapters the base weights are frozen and may be 16-bit; weights that are trained stay float32.
    dtype = "bfloat16" if settings.lora and device.startswith("cuda") else "float32"
    loaded = load(
        settings.scorer,
        device=device,
        dtype=dtype,
        revision=settings.revision,
        trust_remote_code=settings.trust_remote_code,
    )
    check_tokenizer(loaded.tokenizer)
    if loaded.quantization:
        raise FitError(f"scorer {settings.scorer!r} is quantized ({loaded.quantization}); fit the one it was made from")
    return loaded


def _trainable(model: Any, settings: FitSettings) -> Any:
    if settings.lora:
        if not is_installed("peft"):
            raise FitError(needs("fitting low-rank adapters", "peft", "fit"))
        from peft import LoraConfig, get_peft_model

        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **_LORA))  # type: ignore[arg-type]
        adapted.enable_input_require_grads()
        return adapted
    if settings.layers is not None:
        stack = getattr(model.base_model, "layers", None)
        if stack is None:
            raise FitError(f"layers {settings.layers}: {type(model).__name__} has no list `layers`; use lora, or all")
        # Layers below the trained ones need no backward pass.
        model.requires_grad_(False)
        stack[-settings.layers :].requires_grad_(True)
    return model


def _describe(traces: Sequence[Trace], settings: FitSettings, exclude: frozenset[str]) -> dict[str, Any]:
    excluded = hashlib.sha256("\n".join(sorted(exclude)).encode()).hexdigest()[:16]
    return {**json.loads(json.dumps(asdict(settings))), "data": data_hash(traces), "excluded": excluded}


def _check_folders(out: Path, checkpoints: Path, described: Mapping[str, Any], restart: bool) -> None:
    if restart:
        shutil.rmtree(checkpoints, ignore_errors=True)
    elif out.exists():
        raise FitError(f"{out}: is there already; choose another folder, or begin anew with restart")
    noted = checkpoints / _FINGERPRINT
    if not noted.is_file():
        return
    try:
        before = json.loads(noted.read_text(encoding="utf-8"))
    except ValueError:
        before = {}
    changed = [name for name in described if described[name] != before.get(name)]
    if changed:
        raise FitError(
            f"{checkpoints}: checkpoints of a fit with another {', '.join(changed)}; finish that one, or begin anew "
            "with restart"
        )


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint: the trainer state is written last."""
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return max(complete, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _base(loaded: LoadedModel) -> dict[str, Any]:
    folder = Path(loaded.source)
    return {
        "scorer": loaded.name,
        "source": folder.name if folder.is_dir() else loaded.source,
        "revision": loaded.revision,
        "weights_sha256": weights_hash(folder) if folder.is_dir() else None,
    }


def _seen(examples: Examples, source: str, revision: str | None) -> dict[str, list[str]]:
    """Question hashes for the card; a scorer fitted further was trained on the questions of both fits."""
    earlier = read_card(source, revision) or {"question_hashes": [], "held_out_hashes": []}
    return {
        "question_hashes": sorted({*examples.questions, *earlier["question_hashes"]}),
        "held_out_hashes": sorted({*examples.held_out_questions, *earlier["held_out_hashes"]}),
    }


def _history(trainer: Trainer) -> list[dict[str, float]]:
    names = {"loss": "loss", "eval_loss": "held_out_loss"}
    return [
        {"step": entry["step"], **{new: round(float(entry[old]), 5) for old, new in names.items() if old in entry}}
        for entry in trainer.state.log_history
        if not names.keys().isdisjoint(entry)
    ]


def _publish(
    model: Any, loaded: LoadedModel, out: Path, checkpoints: Path, card: dict[str, Any], writes: bool
) -> dict[str, Any]:
    """Write the folder under a temporary name first, so that `out` is either complete or absent."""
    if not writes:
        return card
    scratch = out.with_name(f"{out.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    with quiet():
        model.save_pretrained(scratch)
    loaded.tokenizer.save_pretrained(scratch)
    card = {"id": (weights_hash(scratch) or "")[:16], **card}
    write_card(scratch, card)
    shutil.rmtree(out, ignore_errors=True)
    scratch.rename(out)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return card
