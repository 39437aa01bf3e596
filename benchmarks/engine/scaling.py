"""How the time for InfoGain's log-likelihoods grows with steps, length, chains and options, compared with the floor.

    STEPGAUGE_SHARED=… python -m benchmarks.engine.scaling [--rounds 3] [--out FILE.json]

Chains are joined from real GSM8K steps. The floor is that of `benchmarks.engine.infogain`: a causal forward pass over
as many tokens as the chains have unique ones. Each table ends with the exponent b of a fit of seconds = a · size^b
(least squares on the logarithms of all rows); 1 means proportional. Options are answers to GSM8K's questions, scored
after every prefix. `--quick` runs only the small sizes, as a smoke test.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from stepgauge.metrics import Trace
from stepgauge.metrics.engine.huggingface import HuggingFaceBackend

from ..support.labelled import shared_data
from .chains import joined, requests_of
from .contest import FLOOR, FLOOR_BATCHES, OURS
from .methods import floor_by_chain, floor_in_batches, ours
from .rounds import Measured, run_rounds
from .scorer import announce, load_scorer
from .tokens import count, token_spans

_QUICK = 2
_FLOOR_BUDGET = {"cpu": 1024, "cuda": 16384}


@dataclass(frozen=True)
class Axis:
    """One quantity that grows while the others are fixed.

    Attributes:
        name: what `sizes` count.
        fixed: what is held fixed, for the table's heading.
        sizes: the sizes, smallest first.
        chains: takes the data folder and a size; returns traces.
    """

    name: str
    fixed: str
    sizes: tuple[int, ...]
    chains: Callable[[Path, int], list[Trace]]


def with_options(data: Path, options: int) -> list[Trace]:
    """Two chains of eight steps, with `options` different answers to score after each prefix."""
    others = list(dict.fromkeys(trace.answers[0] for trace in joined(data, 3, 60)))
    traces = []
    for trace in joined(data, 8, 2):
        gold = trace.answers[0]
        choices = [gold, *(other for other in others if other != gold)][:options]
        traces.append(replace(trace, choices=choices) if options > 1 else trace)
    return traces


AXES = (
    Axis("steps", "one chain", (4, 8, 16, 32, 64, 128, 256), lambda data, size: joined(data, size, 1)),
    Axis(
        "real steps in a step",
        "one chain of 16 steps",
        (1, 2, 4, 8, 16),
        lambda data, size: joined(data, 16, 1, together=size),
    ),
    Axis("chains", "8 steps each", (1, 2, 4, 8, 16, 32), lambda data, size: joined(data, 8, size)),
    Axis("options", "two chains of 8 steps", (1, 2, 4, 8, 16), with_options),
)


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """b of the least-squares fit of log seconds = log a + b · log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure(backend: HuggingFaceBackend, axis: Axis, data: Path, rounds: int, sizes: Sequence[int]) -> dict[str, Any]:
    """Time ours and the floor at every size; prints the table and returns it ready for JSON."""
    model, tokenizer = backend.engine.model, backend._loaded.tokenizer
    budget = _FLOOR_BUDGET["cpu" if model.device.type == "cpu" else "cuda"]
    rows = []
    for size in tqdm(sizes, desc=axis.name, file=sys.stderr):
        groups = requests_of(axis.chains(data, size), "lines")
        counts = [count(token_spans(tokenizer, requests)) for requests in groups]
        unique = sum(chain.unique for chain in counts)
        methods = [
            Measured(OURS, partial(ours, backend, groups), unique, rounds),
            Measured(FLOOR, partial(floor_by_chain, model, counts), unique, rounds),
        ]
        if len(counts) > 1:
            methods.append(Measured(FLOOR_BATCHES, partial(floor_in_batches, model, counts, budget), unique, rounds))
        run_rounds(methods, model, model.device, lambda _: None)
        rows.append(
            {
                "size": size,
                "all_tokens": sum(chain.all_tokens for chain in counts),
                "unique": unique,
                "ours": methods[0].median,
                "floor": min(method.median for method in methods[1:]),
                "rounds": {method.name: method.seconds for method in methods},
            }
        )
    fitted = {name: exponent([row["size"] for row in rows], [row[name] for row in rows]) for name in ("ours", "floor")}
    _print_axis(axis, rows, fitted)
    return {"fixed": axis.fixed, "rows": rows, "exponents": fitted}


def _print_axis(axis: Axis, rows: Sequence[dict[str, Any]], fitted: dict[str, float]) -> None:
    print(f"\n{axis.name} ({axis.fixed})\n")
    head = (axis.name, "tokens of all prefixes", "unique", "stepgauge s", "floor s", "ratio to floor")
    table = Table(*head, box=box.MARKDOWN)
    for row in rows:
        table.add_row(
            str(row["size"]),
            f"{row['all_tokens']:,}",
            f"{row['unique']:,}",
            f"{row['ours']:.3f}",
            f"{row['floor']:.3f}",
            f"{row['ours'] / row['floor']:.2f}",
        )
    Console(width=120).print(table)
    print(f"fitted exponent: stepgauge {fitted['ours']:.2f}, floor {fitted['floor']:.2f}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scorer", default="smollm2")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, one round")
    parser.add_argument("--out", type=Path, help="JSON file for every round's seconds")
    args = parser.parse_args(arguments)
    try:
        data = shared_data("gsm8k")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    backend = load_scorer(args.scorer, args.device, args.dtype)
    about = announce(backend, "scaling", arguments)
    warm = requests_of(joined(data, 4, 1), "lines")
    ours(backend, warm)
    rounds = 1 if args.quick else args.rounds
    found = {
        axis.name: measure(backend, axis, data, rounds, axis.sizes[:_QUICK] if args.quick else axis.sizes)
        for axis in AXES
    }
    if args.out:
        args.out.write_text(json.dumps({**about, "axes": found}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
