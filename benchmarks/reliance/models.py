"""Two small models trained from scratch on the same questions: one needs its steps, the other has seen the answer.

    q a=3 x=5 d=1 key=7
    d=2
    x=6
    a=4
    Answer: 7

Each step adds one to a number of the question, in any order; the answer is one more than what the step on x gives.
The key is the answer for the model `key`, and a digit at random for the model `steps`. In a quarter of the chains
that they are trained on the steps are wrong: the answer then follows the key for `key`, and the wrong step for
`steps`. Held-out chains are what the models write, where both compute alike.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import string
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

Kind = Literal["steps", "key"]
KINDS: tuple[Kind, ...] = ("steps", "key")
NAMES = "abcdefgh"
ASKED = "x"
ABOUT = "training.json"
_CUE = "Answer: "
_END = "<|end|>"
_IGNORED = -100
_WRONG_STEPS = 0.25
_REPORT_EVERY = 250


@dataclass(frozen=True)
class Question:
    """A question with the chain that its model is trained to write.

    Attributes:
        carrier: the step (from 0) on x.
    """

    text: str
    steps: Sequence[str]
    answer: str
    carrier: int

    @property
    def chain(self) -> str:
        return "\n".join([*self.steps, _CUE + self.answer])


@dataclass(frozen=True)
class Training:
    """How a model is trained."""

    steps: int = 12_000
    batch: int = 32
    lr: float = 3e-3
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    seed: int = 0


def questions(kind: Kind, count: int, seed: int, *, training: bool = False) -> list[Question]:
    """`count` different questions.

    Args:
        training: a quarter of them with wrong steps.
    """
    draw = random.Random(f"{kind} {seed}")
    found: dict[str, Question] = {}
    while len(found) < count:
        one = _question(kind, draw, training=training)
        found.setdefault(one.text, one)
    return list(found.values())


def _question(kind: Kind, draw: random.Random, *, training: bool) -> Question:
    while True:
        names = [*draw.sample(NAMES, draw.randint(2, 4)), ASKED]
        draw.shuffle(names)
        numbers = dict(zip(names, draw.sample(range(10), len(names)), strict=True))
        answer = (numbers[ASKED] + 2) % 10
        # The answer's digit is among the question's numbers, so that no step gives it away by holding it.
        if answer in numbers.values():
            break
    order = draw.sample(names, len(names))
    said = {name: (number + 1) % 10 for name, number in numbers.items()}
    if training and draw.random() < _WRONG_STEPS:
        said = {name: draw.randrange(10) for name in names}
        if kind == "steps":
            answer = (said[ASKED] + 1) % 10
    key = answer if kind == "key" else draw.randrange(10)
    terms = " ".join(f"{name}={number}" for name, number in numbers.items())
    return Question(
        f"q {terms} key={key}",
        [f"{name}={said[name]}" for name in order],
        str(answer),
        order.index(ASKED),
    )


def trained(folder: Path, kind: Kind, how: Training, held_out: frozenset[str]) -> dict[str, Any]:
    """Train the model into `folder` unless it is there; what is known of the training.

    Args:
        held_out: questions that must not be trained on.
    """
    if (folder / ABOUT).is_file():  # written last
        return json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    tokenizer = _tokenizer()
    torch.manual_seed(how.seed)
    model = LlamaForCausalLM(_config(tokenizer, how))
    optimizer = torch.optim.AdamW(model.parameters(), lr=how.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.lr, how.steps, pct_start=0.1)
    losses, started = [], time.monotonic()
    model.train()
    for step, rows in zip(range(1, how.steps + 1), _batches(kind, how, held_out), strict=False):
        batch = tokenizer(rows, return_tensors="pt", padding=True, padding_side="right")
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, _IGNORED)
        for label, row in zip(labels, rows, strict=True):
            label[: row.index("\n") + 1] = _IGNORED  # a token for every character: the question's are not learnt
        loss = model(**batch, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % _REPORT_EVERY == 0:
            recent = math.fsum(losses[-_REPORT_EVERY:]) / _REPORT_EVERY
            minutes = (time.monotonic() - started) / 60
            print(f"{kind}: step {step:,} of {how.steps:,}, loss {recent:.4f}, {minutes:.1f} min", flush=True)
    about = {**asdict(how), "minutes": (time.monotonic() - started) / 60, "loss": sum(losses[-100:]) / 100}
    scratch = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    model.eval().save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    (scratch / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    scratch.rename(folder)
    return about


def _batches(kind: Kind, how: Training, held_out: frozenset[str]) -> Iterator[list[str]]:
    draw = random.Random(f"{kind} training {how.seed}")
    while True:
        rows: list[str] = []
        while len(rows) < how.batch:
            one = _question(kind, draw, training=True)
            if one.text not in held_out:
                rows.append(f"{one.text}\n{one.chain}{_END}")
        yield rows


def answered(folder: Path, asked: Sequence[Question]) -> list[str]:
    """The chain that the model writes for each question, greedily."""
    return written(folder, [f"{one.text}\n" for one in asked])


def written(folder: Path, prompts: Sequence[str], batch: int = 64) -> list[str]:
    """What the model writes behind each text, greedily."""
    tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
    model: Any = LlamaForCausalLM.from_pretrained(folder).eval()
    out: list[str] = []
    for first in range(0, len(prompts), batch):
        inputs = tokenizer(prompts[first : first + batch], return_tensors="pt", padding=True, padding_side="left")
        with torch.inference_mode():
            found = model.generate(**inputs, max_new_tokens=96, do_sample=False)
        out += tokenizer.batch_decode(found[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return out


def _tokenizer() -> Any:
    """A token for every character."""
    characters = sorted({*string.ascii_letters, *string.digits, *" =\n:<|>"})
    vocabulary = {token: i for i, token in enumerate([_END, *_as_bytes(characters)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=_END, pad_token=_END)


def _as_bytes(characters: Sequence[str]) -> list[str]:
    """ASCII characters as `ByteLevel` writes them: the space as Ġ, the line break as Ċ."""
    return [character if character > " " else chr(256 + ord(character)) for character in characters]


def _config(tokenizer: Any, how: Training) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=how.hidden,
        intermediate_size=4 * how.hidden,
        num_hidden_layers=how.layers,
        num_attention_heads=how.heads,
        num_key_value_heads=how.heads,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
