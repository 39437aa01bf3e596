"""Chains with planted faults, after Ton et al. (arXiv 2411.11984, section 5), and a supervisor trained on such chains.

Each of five two-digit numbers is added to or multiplied, modulo 50, one operation per step, in random order. In half of
the chains one operation is wrong (the other operation is used) or skipped (the number stays). The gold answer holds the
five correct results, whatever the chain says, so a fault in one does not affect the others.

    a23 b47 c05 d40 e11 : a+07 b*13 c+40 d*02 e+15
    D30
    A30
    …

The scorer is a tiny LM, trained from random weights with `stepgauge.metrics.fitting`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stepgauge.metrics import ChainScore, Gauge, Trace
from stepgauge.metrics.fitting import CARD, FitSettings
from stepgauge.metrics.models.cache import cache_dir

from .figures import Figure, Items, area, figure

NAMES, RESULTS = "abcde", "ABCDE"
MODULUS = 50
FAULT = 0.5  # share of chains with one fault
TRAINED = 8_000
SETTINGS = FitSettings(
    epochs=4,
    lr=3e-3,
    batch=16,
    rows=16,
    held_out=0.02,
    evaluations=1,
    patience=2,
    altered=0,
    splitter="lines",
    device="cpu",
)
_HIDDEN, _LAYERS, _HEADS = 64, 2, 4


@dataclass(frozen=True)
class Planted:
    """A chain, and the index (from 0) of its faulty step; None without a fault."""

    trace: Trace
    fault: int | None


def planted(count: int, seed: int) -> list[Planted]:
    """`count` chains with distinct questions."""
    rng = random.Random(seed)
    out: dict[str, Planted] = {}
    while len(out) < count:
        chain = _one(rng, f"planted {seed} {len(out)}")
        out.setdefault(chain.trace.question, chain)
    return list(out.values())


def _one(rng: random.Random, name: str) -> Planted:
    values = [rng.randrange(MODULUS) for _ in NAMES]
    operations = [(rng.choice("+*"), rng.randrange(2, MODULUS)) for _ in NAMES]
    results = [_applied(*operation, value) for value, operation in zip(values, operations, strict=True)]
    order = rng.sample(range(len(NAMES)), len(NAMES))
    said, fault = list(results), None
    if rng.random() < FAULT:
        place = rng.randrange(len(NAMES))
        at = order[place]
        sign, operand = operations[at]
        other = _applied("+" if sign == "*" else "*", operand, values[at])
        wrong = [value for value in (other, values[at]) if value != results[at]]
        if wrong:
            said[at], fault = rng.choice(wrong), place
    numbers = " ".join(f"{name}{value:02}" for name, value in zip(NAMES, values, strict=True))
    to_do = " ".join(f"{name}{sign}{operand:02}" for name, (sign, operand) in zip(NAMES, operations, strict=True))
    steps = "\n".join(f"{RESULTS[i]}{said[i]:02}" for i in order)
    gold = " ".join(f"{name}{value:02}" for name, value in zip(RESULTS, results, strict=True))
    return Planted(Trace(f"{numbers} : {to_do}", steps, gold, id=name), fault)


def _applied(sign: str, operand: int, value: int) -> int:
    return (value + operand if sign == "+" else value * operand) % MODULUS


def figures(count: int, device: str, *, progress: bool = False) -> list[Figure]:
    """Row 1: how well its gain, the chain's telescoping mean, or accuracy alone identifies the faulty step.

    "As it comes" is the supervisor before training.
    """
    chains = planted(count, seed=2)
    folder = supervisor(progress=progress)
    scored = {name: _scored(path, chains, device) for name, path in (("plain", start_of(folder)), ("fitted", folder))}
    row = "1 planted faults"
    out = []
    for what, value in (("gain of the step", _gain), ("telescoping mean", _mean_gain), ("accuracy alone", _accuracy)):
        before, after = (_items(chains, scored[name], value) for name in ("plain", "fitted"))
        out.append(figure(row, what, "AUROC", area, before, after))
    return out


def _scored(path: Path, chains: Sequence[Planted], device: str) -> list[ChainScore]:
    with Gauge(scorer=str(path), splitter="lines", device=device, progress=False) as gauge:
        return gauge.score([chain.trace for chain in chains])


def _items(
    chains: Sequence[Planted], scores: Sequence[ChainScore], value: Callable[[Planted, ChainScore, int], float]
) -> Items:
    found = [(c, s, i) for c, s in zip(chains, scores, strict=True) for i in range(len(NAMES))]
    return Items(
        [(c.trace.id, i) for c, _, i in found],
        [c.trace.question for c, _, _ in found],
        [i != c.fault for c, _, i in found],
        [value(*one) for one in found],
    )


def _gain(chain: Planted, score: ChainScore, step: int) -> float:
    del chain
    return score.steps[step].gain


def _mean_gain(chain: Planted, score: ChainScore, step: int) -> float:
    """One number per chain, the same for all its steps: their mean gain, which is total gain / number of steps."""
    del chain, step
    return score.metrics["infogain_nats_per_step"]


def _accuracy(chain: Planted, score: ChainScore, step: int) -> float:
    """Whether the chain ends with the gold answer: all that an answer benchmark sees."""
    del score, step
    return float(chain.fault is None)


def supervisor(*, progress: bool = False) -> Path:
    """The folder of the trained scorer, trained if it is not in the cache."""
    from stepgauge.metrics.fitting.training import fit

    about = f"{SETTINGS} {TRAINED} {FAULT} {_HIDDEN} {_LAYERS} {_HEADS} {MODULUS}"
    out = cache_dir() / "fitted" / f"planted-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    if not (out / CARD).is_file():
        start = start_of(out)
        _untrained(start)
        traces = [chain.trace for chain in planted(TRAINED, seed=1)]
        fit(traces, out, replace(SETTINGS, scorer=str(start)), progress=progress)
    return out


def start_of(folder: Path) -> Path:
    """The folder of the supervisor before training."""
    return folder.with_name(f"{folder.name}.start")


def vocabulary() -> Sequence[str]:
    """The supervisor's vocabulary: numbers with their names, operations, and the words of the template."""
    numbers = [f"{number:02}" for number in range(MODULUS)]
    return [
        *(name + number for name in (*NAMES, *RESULTS) for number in numbers),
        *(name + sign + number for name in NAMES for sign in "+*" for number in numbers),
        *(":", "Answer", "\n"),
    ]


def _untrained(folder: Path) -> None:
    import torch
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(["<unk>", *vocabulary()])}
    tokenizer = Tokenizer(models.WordLevel(words, "<unk>"))
    # Words only: a single space is not a token, a line break is.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\n|[^\s:]+|:"), "removed", invert=True)]
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=_HIDDEN,
        intermediate_size=3 * _HIDDEN,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        num_key_value_heads=_HEADS,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=None,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
