"""Tiny scorers fitted to sums, and the slow way to their loss."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from oracle import naive_chain
from tiny_scorers import make_scorer, make_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import Trace
from stepgauge.metrics.fitting import FitSettings
from stepgauge.metrics.fitting.training import fit

# Few enough that a fit takes a second or two.
SMALL = {"epochs": 4, "lr": 3e-3, "batch": 8, "held_out": 0.2, "splitter": "lines", "device": "cpu"}


def chains(first: int, last: int) -> list[Trace]:
    """A right chain for each question, and a wrong one for each third."""
    out = []
    for i in range(first, last):
        rng = random.Random(i)
        a, b = rng.randint(1, 9), rng.randint(1, 9)
        for said in (a + b, *([a + b + 1] if i % 3 == 0 else [])):
            lines = [f"We add {a} and {b}.", f"{a} + {b} = {said}.", f"The answer is {said}."]
            asked = f"Box {i} holds {a} red and {b} blue balls. How many balls?"
            out.append(Trace(asked, "\n".join(lines), str(a + b), id=f"q{i}-{said}"))
    return out


def make_base(folder: Path, **overrides: Any) -> Path:
    """A random Llama of two layers with a byte-level tokenizer."""
    tokenizer = make_tokenizer("llama3", [f"{trace.question}\n{trace.response}" for trace in chains(0, 40)])
    return make_scorer(folder, "llama", tokenizer, num_hidden_layers=2, initializer_range=0.05, **overrides)


def fit_small(base: Path, out: Path, traces: Sequence[Trace], **options: Any) -> dict[str, Any]:
    """Fit and return the card; options of `fit` that are no settings pass through."""
    own = {name: options.pop(name) for name in ("exclude", "files", "restart", "progress") if name in options}
    return fit(traces, out, FitSettings(scorer=str(base), **{**SMALL, **options}), **own)


def naive_losses(folder: Path, traces: Sequence[Trace]) -> tuple[float, float]:
    """Mean over chains of the mean over prefixes of nats per answer token, one forward pass per prefix; and of the gain
    of a chain in nats."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    losses, gains = [], []
    for trace in traces:
        values, counts = naive_chain(model, tokenizer, trace.question, trace.response.split("\n"), trace.answers[0])
        losses.append(np.mean([-value / count for value, count in zip(values, counts, strict=True)]))
        gains.append(values[-1] - values[0])
    return float(np.mean(losses)), float(np.mean(gains))
