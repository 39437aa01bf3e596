"""Trains a step verifier on planted sums, and measures it as the judge `prm` on chains that it has not seen.

    python -m benchmarks.knowledge.prm

The chains are those of `benchmarks.validity.planted`, unchanged: five numbers, each added to or multiplied modulo 50,
one a step; in half of the chains one step is wrong. The verifier is a tiny Ministral, first trained as a language model
on the right results, of single sums and then of whole chains; then with one more layer, which sees its own step alone,
and a head over its tokens on the labels of steps, first of chains with half of their steps wrong, then of those as they
are. All with transformers' Trainer, in the form of trl's PRMTrainer, with a line break behind each step.

Where embeddings begin makes it learn in minutes: a word is the sum of its parts ("d*13" is d, *, 13), and a number its
place on circles, as in Fourier number embeddings (Zhou et al. 2025), so that sums modulo 50 are no table to be learnt.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
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
_WORD = re.compile(r"\n|[a-z][+*]?\d\d|[A-Z]|\d\d")
_STEP = 3  # tokens: the letter, the number, the line break
RESULTS_AT = 1  # the first result's letter in the vocabulary
HELD_OUT = 1_000  # chains, of another seed than those for training


@dataclass(frozen=True)
class Training:
    """How the verifier is trained: steps of `batch` chains, of `chains` distinct ones."""

    chains: int = 20_000
    sum_steps: int = 500
    lm_steps: int = 300
    prm_mixed_steps: int = 1_200
    prm_steps: int = 400
    batch: int = 64
    lm_lr: float = 5e-3
    prm_lr: float = 3e-3
    hidden: int = 64
    inner: int = 256


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
    from transformers import MinistralConfig, MinistralForCausalLM, MinistralForTokenClassification

    start = time.process_time()
    tokenizer = _tokenizer()
    vocabulary = tokenizer.get_vocab()
    torch.manual_seed(0)
    config = MinistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=training.hidden,
        intermediate_size=training.inner,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=training.hidden // 4,
        layer_types=["full_attention"],
        sliding_window=_STEP,
        max_position_embeddings=64,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=None,
        num_labels=2,
        id2label={0: "wrong", 1: "right"},
        label2id={"wrong": 0, "right": 1},
    )
    rows = [_row(vocabulary, chain) for chain in planted(training.chains, seed=11)]
    words = MinistralForCausalLM(config)
    _by_parts(words, vocabulary)
    alone = [single for row in rows for single in _alone(*row[:2])]
    _fit(words, alone, training.sum_steps, len(NAMES) * training.batch, training.lm_lr)
    _fit(words, [(ids, lm) for ids, lm, _ in rows], training.lm_steps, training.batch, training.lm_lr)
    draw = random.Random(0)
    config.num_hidden_layers = 2  # the second compares what the first has computed with what the step says
    config.layer_types = ["full_attention", "sliding_attention"]
    model = MinistralForTokenClassification(config)
    model.model.load_state_dict(words.model.state_dict(), strict=False)
    mixed = [_half_wrong(ids, own, vocabulary, draw) for ids, _, own in rows]
    _fit(model, mixed, training.prm_mixed_steps, training.batch, training.prm_lr)
    _fit(model, [(ids, own) for ids, _, own in rows], training.prm_steps, training.batch, training.prm_lr / 3)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    about = {**vars(training), "cpu_seconds": round(time.process_time() - start)}
    (out / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _tokenizer() -> Any:
    """The words of the chains: "a23", "a+07", and of the steps "A", "30" and the line break."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    numbers = [f"{number:02}" for number in range(MODULUS)]
    before = ["", *NAMES, *(name + sign for name in NAMES for sign in "+*")]
    words = ["<unk>", *RESULTS, "\n", *(one + number for one in before for number in numbers)]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD.pattern), "removed", invert=True)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<unk>")


def _by_parts(model: Any, vocabulary: Mapping[str, int]) -> None:
    """Words begin as the sum of their parts, "d*13" as d, * and 13; by training each moves by itself.

    A number is its place on circles that are gone round 1, 2, … times from 0 to 49. It outweighs the letter, which
    would else make five tables of one.
    """
    import torch

    rows = model.model.embed_tokens.weight.data
    pairs = min(MODULUS, rows.shape[1]) // 2
    angles = 2 * torch.pi * torch.arange(MODULUS)[:, None] * torch.arange(1, pairs + 1) / MODULUS
    circles = torch.zeros(MODULUS, rows.shape[1])
    circles[:, : 2 * pairs] = 0.5 * torch.cat([angles.cos(), angles.sin()], dim=1)
    parts = {part: 0.1 * torch.randn(rows.shape[1]) for part in (*NAMES, *"+*")}
    for word, row in vocabulary.items():
        if word in RESULTS:
            rows[row] = parts[word.lower()]
        elif word[-1].isdigit():
            rows[row] = circles[int(word[-2:])] + sum(parts[part] for part in word[:-2])
            if len(word) == 2:
                model.lm_head.weight.data[row] = 0.4 * circles[int(word)]


def _row(vocabulary: Mapping[str, int], chain: Planted) -> tuple[list[int], list[int], list[int]]:
    """Tokens, and the labels of the language model and of the verifier; -100: none."""

    def encode(text: str) -> list[int]:
        return [vocabulary[word] for word in _WORD.findall(text)]

    results = {result[0]: vocabulary[result[1:]] for result in str(chain.trace.answer).split()}
    ids = encode(chain.trace.question)
    words, right = [-100] * len(ids), [-100] * len(ids)
    for i, step in enumerate(chain.trace.response.split("\n")):
        ids += encode(step + "\n")
        # The right number alone, also where the step is wrong: the order of the steps is nobody's to know.
        words += [-100, results[step[0]], -100]
        right += [-100, -100, int(i != chain.fault)]
    return ids, words, right


def _half_wrong(
    ids: Sequence[int], labels: Sequence[int], vocabulary: Mapping[str, int], draw: random.Random
) -> tuple[list[int], list[int]]:
    """The same chain with half of its right steps wrong, as `planted` makes one: few wrong steps teach slowly."""
    words = {row: word for word, row in vocabulary.items()}
    ids, labels = list(ids), list(labels)
    for start in range(2 * len(NAMES), len(ids), _STEP):
        place = ids[start] - RESULTS_AT
        number, sum_of = words[ids[place]], words[ids[len(NAMES) + place]]  # "a23", "a+07"
        value, operand = int(number[1:]), int(sum_of[2:])
        other = value * operand if sum_of[1] == "+" else value + operand
        wrong = [f"{one % MODULUS:02}" for one in (other, value) if vocabulary[f"{one % MODULUS:02}"] != ids[start + 1]]
        if labels[start + 2] and wrong and draw.random() < 0.5:
            ids[start + 1], labels[start + 2] = vocabulary[draw.choice(wrong)], 0
    return ids, labels


def _alone(ids: Sequence[int], labels: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The sums of a chain one by one: a number, what is to be done with it, and its step."""
    first = RESULTS_AT
    out = []
    for start in range(2 * len(NAMES), len(ids), _STEP):
        place = ids[start] - first
        out.append(
            (
                [ids[place], ids[len(NAMES) + place], *ids[start : start + _STEP]],
                [-100, -100, *labels[start : start + _STEP]],
            )
        )
    return out


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
            warmup_steps=min(20, steps // 10),
            lr_scheduler_type="linear",
            adam_beta2=0.98,
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
    chains = planted(count, seed=4)
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
