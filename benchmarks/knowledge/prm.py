"""Trains a step verifier on planted sums, and measures it as the judge `prm` on chains that it has not seen.

    python -m benchmarks.knowledge.prm

The chains are those of `benchmarks.validity.planted`: five numbers, each added to or multiplied modulo 50, one a step;
in half of the chains one step is wrong. The verifier is a tiny Llama, first trained as a language model on right steps,
then with a head over its tokens on the labels of steps, both with transformers' Trainer: the form of trl's PRMTrainer,
with a line break behind each step.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.support.discrimination import auroc, interval
from benchmarks.support.run_header import about_run, header
from benchmarks.validity.planted import MODULUS, NAMES, RESULTS, Planted, planted
from stepgauge.metrics import Gauge
from stepgauge.metrics.models.cache import cache_dir
from stepgauge.metrics.versions import package_version

ABOUT = "fitted.json"
NAME = "planted-verifier"
_WORD = re.compile(r"\n|[a-zA-Z]|[+*:]|\d\d")
HELD_OUT = 1_000  # chains, of another seed than those for training


@dataclass(frozen=True)
class Training:
    """How the verifier is trained: steps of `batch` chains, of `chains` distinct ones."""

    chains: int = 40_000
    lm_steps: int = 3_000
    prm_steps: int = 800
    batch: int = 128
    lm_lr: float = 2e-3
    prm_lr: float = 1e-3
    hidden: int = 128
    layers: int = 2


def verifier(training: Training) -> Path:
    """The folder of the trained verifier, trained if it is not in the cache."""
    about = f"{training} {MODULUS} {package_version('transformers')} {package_version('torch')}"
    folder = cache_dir() / "benchmarks" / hashlib.sha256(about.encode()).hexdigest()[:12] / NAME
    if not (folder / ABOUT).is_file():  # written last
        print("training the verifier (once, minutes)", file=sys.stderr)
        train(training, folder)
    return folder


def train(training: Training, out: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification

    start = time.process_time()
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=training.hidden,
        intermediate_size=4 * training.hidden,
        num_hidden_layers=training.layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=None,
        num_labels=2,
        id2label={0: "wrong", 1: "right"},
        label2id={"wrong": 0, "right": 1},
    )
    words_of = tokenizer.get_vocab()
    rows = [_row(words_of, chain) for chain in planted(training.chains, seed=11)]
    words = LlamaForCausalLM(config)
    # A language model of right steps: where a chain goes wrong it is not taught.
    _fit(words, [(ids, lm) for ids, lm, _ in rows], training.lm_steps, training.batch, training.lm_lr)
    model = LlamaForTokenClassification(config)
    model.model.load_state_dict(words.model.state_dict())
    _fit(model, [(ids, own) for ids, _, own in rows], training.prm_steps, training.batch, training.prm_lr)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    about = {**vars(training), "cpu_seconds": round(time.process_time() - start)}
    (out / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _tokenizer() -> Any:
    """Letters, signs and numbers, so that a number is the same whatever it is called."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    numbers = [f"{number:02}" for number in range(MODULUS)]
    words = ["<unk>", *NAMES, *RESULTS, "+", "*", ":", "\n", *numbers]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD.pattern), "removed", invert=True)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<unk>")


def _row(vocabulary: Mapping[str, int], chain: Planted) -> tuple[list[int], list[int], list[int]]:
    """Tokens, and the labels of the language model and of the verifier; -100: none."""

    def encode(text: str) -> list[int]:
        return [vocabulary[word] for word in _WORD.findall(text)]

    ids = encode(chain.trace.question)
    words, right = [-100] * len(ids), [-100] * len(ids)
    for i, step in enumerate(chain.trace.response.split("\n")):
        own = encode(step + "\n")
        ids += own
        # The number alone: the order of the steps is nobody's to know.
        words += [-100, own[1] if i != chain.fault else -100, -100]
        right += [-100] * (len(own) - 1) + [int(i != chain.fault)]
    return ids, words, right


def _fit(model: Any, rows: Sequence[tuple[list[int], list[int]]], steps: int, batch: int, lr: float) -> None:
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    class _Losses(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            del args, control
            if "loss" in (logs or {}):
                print(f"step {state.global_step}: loss {float(logs['loss']):.3f}", file=sys.stderr, flush=True)

    def collate(own: Sequence[tuple[list[int], list[int]]]) -> dict[str, Any]:  # all chains have the same length
        return {"input_ids": torch.tensor([ids for ids, _ in own]), "labels": torch.tensor([to for _, to in own])}

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=steps,
            learning_rate=lr,
            warmup_steps=min(100, steps // 10),
            lr_scheduler_type="cosine",
            per_device_train_batch_size=batch,
            weight_decay=0.01,
            save_strategy="no",
            seed=0,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            logging_steps=max(1, steps // 10),
            dataloader_pin_memory=False,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)  # type: ignore[arg-type]
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(_Losses())
        trainer.train()


def judged(folder: Path, chains: Sequence[Planted]) -> list[list[float]]:
    """p(right) of each step, by the judge in a gauge."""
    judge = {"name": "prm", "model": str(folder), "device": "cpu", "batch_size": 64}
    with Gauge(scorer=None, splitter="lines", claims=["steps"], judges=[judge], progress=False) as gauge:
        scores = gauge.score([chain.trace for chain in chains])
    return [[step.verdicts[0].probability for step in score.steps] for score in scores]  # type: ignore[misc]


def figure(right: Sequence[bool], values: Sequence[float], groups: Sequence[str]) -> str:
    low, high = interval(right, values, groups)
    return f"{auroc(right, values):.3f} [{low:.3f}, {high:.3f}]"


def planted_table(folder: Path, count: int) -> str:
    chains = planted(count, seed=2)
    found = judged(folder, chains)
    items = [(chain, i) for chain in chains for i in range(len(NAMES))]
    right = [i != chain.fault for chain, i in items]
    groups = [str(chain.trace.id) for chain, _ in items]
    own = [p for of_chain in found for p in of_chain]
    lowest = [min(of_chain) for of_chain in found]
    alone = [chain.fault is None for chain in chains]
    first = [
        min(range(len(NAMES)), key=of_chain.__getitem__) == chain.fault
        for chain, of_chain in zip(chains, found, strict=True)
        if chain.fault is not None
    ]
    lines = [
        "| planted sums, held out | chains | steps | AUROC, share |",
        "|---|---|---|---|",
        f"| the wrong step among all steps | {len(chains):,} | {len(items):,} | {figure(right, own, groups)} |",
        f"| its place in the chain alone | {len(chains):,} | {len(items):,} | "
        f"{figure(right, [-float(i) for _, i in items], groups)} |",
        f"| chains with a wrong step, by their lowest p | {len(chains):,} | – | "
        f"{figure(alone, lowest, [str(chain.trace.id) for chain in chains])} |",
        f"| the lowest p is the wrong step's | {len(first):,} | – | {sum(first) / len(first):.3f} |",
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out", type=int, default=HELD_OUT, metavar="N", help="chains to measure it on")
    for name, value in vars(Training()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    args = parser.parse_args(argv)
    training = Training(**{name: getattr(args, name) for name in vars(Training())})
    folder = verifier(training)
    print(header(about_run()))
    told = json.loads((folder / ABOUT).read_text("utf-8"))
    print(f"the verifier was trained in {told['cpu_seconds']:,} CPU seconds\n")
    print(planted_table(folder, args.held_out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
