"""Times the judge `lm` at the size of Qwen2.5-7B against one generate() call per claim, same model, one process.

    python -m benchmarks.knowledge.lm_judge_gpu [--claims 256] [--folder DIR]
    python -m benchmarks.knowledge.lm_judge_gpu --tiny  # a model of two layers on the CPU, as a smoke test

The model has Qwen2.5-7B's shape and random weights (bfloat16 on an accelerator; 15 GB on disk, in a temporary folder or
in `--folder`, where a second run reuses it): it does the work of the real model, but its verdicts mean nothing. Nothing
is downloaded and no data is needed: claims and passages are sentences and texts of the embedded corpus, on which the
tokenizer (byte-level BPE) is trained.

`lm` runs the judge, with the token trie and even batches; with `calibrate=claim` there is a second, shorter prompt for
each claim. `generate` gets the same prompts, one call each, and writes 1 to 4 tokens.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from stepgauge.metrics import Gauge
from stepgauge.metrics.knowledge.base import Surroundings
from stepgauge.metrics.knowledge.claims.sentence import SENTENCE
from stepgauge.metrics.knowledge.types import Claim, Passage
from stepgauge.metrics.likelihood import Group, Result
from stepgauge.metrics.names import lookup
from stepgauge.metrics.plugins import registry

from ..engine.gpu_device import QWEN
from ..engine.gpu_device import TINY as _TINY

TINY = {**_TINY, "vocab_size": 4096}
PASSAGES = 5
NEW_TOKENS = (1, 2, 3, 4)


def corpus_rows() -> list[dict[str, str]]:
    text = (files("stepgauge.tasks") / "samples" / "corpus" / "medical.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def questions(count: int) -> tuple[list[Claim], list[list[Passage]]]:
    """Distinct claims, each with five passages. If sentences run out, they are reused with a number in front."""
    rows = corpus_rows()
    sentences = [(i, s) for i, row in enumerate(rows) for s in re.split(r"(?<=\.)\s", row["text"])]
    claims, evidence = [], []
    for n in range(count):
        at, sentence = sentences[n % len(sentences)]
        text = sentence if n < len(sentences) else f"{n}: {sentence}"
        claims.append(Claim(text, 0, 0, len(text), SENTENCE, text))
        chosen = [rows[(at + k) % len(rows)] for k in range(PASSAGES)]
        evidence.append([Passage(row["id"], row["text"], row["title"]) for row in chosen])
    return claims, evidence


def make_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{row['title']}\n{row['text']} True False" for row in corpus_rows()], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def make_model(folder: Path, shape: dict[str, Any], device: str, dtype: torch.dtype) -> None:
    """Save a random model of this shape with its tokenizer to `folder`, unless it exists."""
    if (folder / "tokenizer.json").is_file():  # saved last
        return
    config = AutoConfig.for_model("qwen2", **shape, dtype=dtype)
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(folder)
    del model
    if device != "cpu":
        torch.cuda.empty_cache()
    make_tokenizer(shape["vocab_size"]).save_pretrained(folder)


class Recorder:
    """A likelihood backend that records the prompts it gets."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.prompts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        self.prompts += [group[0].text[: group[0].start] for group in groups]
        return self._backend.score(groups, done)


@torch.inference_mode()
def generate(model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int) -> list[str]:
    """One call per prompt; forces exactly `new_tokens` tokens, since a random model may stop anywhere."""
    replies = []
    for prompt in prompts:
        inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False).to(model.device)
        out = model.generate(
            **inputs,
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        written = out[0, inputs["input_ids"].shape[1] :].tolist()
        # The tokenizer has no tokens for most of the model's vocabulary.
        replies.append(tokenizer.decode([i for i in written if i < len(tokenizer)]))
    return replies


def timed(run: Callable[[], object], device: str) -> float:
    """Seconds that `run` takes, with the accelerator's queue empty before and after."""
    _wait(device)
    started = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, help="default 256, with --tiny 8")
    parser.add_argument("--tiny", action="store_true", help="two small layers in float32 on the CPU")
    parser.add_argument("--folder", type=Path, help="where the model is saved, or is already")
    args = parser.parse_args(argv)
    if not args.tiny and not torch.cuda.is_available():
        print("no accelerator: a model of 7 billion parameters needs one; --tiny runs on the CPU", file=sys.stderr)
        return 2
    device = "cpu" if args.tiny else "cuda"
    dtype = torch.float32 if args.tiny else torch.bfloat16
    claims, evidence = questions(args.claims or (8 if args.tiny else 256))
    with _folder(args.folder) as folder:
        make_model(folder, TINY if args.tiny else QWEN, device, dtype)
        gauge = Gauge(str(folder), device=device, dtype=str(dtype).removeprefix("torch."), progress=False)
        recorder = Recorder(gauge.backend)
        around = Surroundings(lambda: recorder)  # type: ignore[arg-type,return-value]
        make = partial(lookup("judge", registry().judges, "lm"), around)
        first = make(calibrate="none").judge(claims, evidence)  # also warms up
        if failed := [verdict for verdict in first if verdict is None or verdict.label is None]:
            print(f"{len(failed)} of {len(claims)} claims got no verdict: {failed[0]}", file=sys.stderr)
            return 1
        prompts = list(recorder.prompts)
        loaded: Any = gauge.backend
        model, tokenizer = loaded._loaded.model, loaded._loaded.tokenizer
        tokens = sum(len(tokenizer(prompt)["input_ids"]) for prompt in prompts) / len(prompts)
        generate(model, tokenizer, prompts[:2], max(NEW_TOKENS))
        runs: dict[str, Callable[[], object]] = {
            "lm, calibrate=run": lambda: make(calibrate="run").judge(claims, evidence),
            "lm, calibrate=claim": lambda: make(calibrate="claim").judge(claims, evidence),
            **{f"generate, {n} new": partial(generate, model, tokenizer, prompts, n) for n in NEW_TOKENS},
        }
        seconds = {name: timed(run, device) for name, run in runs.items()}
        rates = {name: len(claims) / taken for name, taken in seconds.items()}
        where = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
        print(
            f"{datetime.now(UTC):%Y-%m-%d}  {where}, torch {torch.__version__}, {str(dtype)[6:]}, "
            f"{sum(p.numel() for p in model.parameters()) / 1e6:,.1f} million random parameters; {len(claims)} claims, "
            f"prompts of {tokens:.0f} tokens on average"
        )
    table = Table("path", "s", "claims/s", *(f"× generate, {n} new" for n in NEW_TOKENS), box=box.MARKDOWN)
    for name, taken in seconds.items():
        ratios = [f"{rates[name] / rates[f'generate, {n} new']:.2f}" for n in NEW_TOKENS]
        table.add_row(name, f"{taken:.2f}", f"{rates[name]:.1f}", *ratios)
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
