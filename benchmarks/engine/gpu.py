"""Measures the likelihood engine on one accelerator at the size of Qwen2.5-7B, with all measurements in one command.

    python -m benchmarks.engine.gpu --make-lengths LENGTHS.json     # where the real chains and a tokenizer are
    python -m benchmarks.engine.gpu --lengths LENGTHS.json --out DIR
    python -m benchmarks.engine.gpu --lengths LENGTHS.json --out DIR --tiny    # small sizes on the CPU

The model has Qwen2.5-7B's shape and random weights, created on the device: it does the work of the real model, but its
numbers mean nothing. The chains have the token counts of real ones (MMLU-Pro with options, GSM8K; long ones joined from
their steps), filled with random ids. `--make-lengths` writes only these counts, no text; without either option they are
counted again from $STEPGAUGE_SHARED. stepgauge need not be installed: torch, transformers, numpy and rich are enough.

Utilisation is the required operations (`benchmarks.engine.flops`) per second, divided by the rate of a big matrix
product measured just before. DIR gets `results.json`, rewritten after each part, `results.md` and `profile.txt`. If a
part fails, its error is reported and the others still run.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ..support.run_header import about_run, header
from .gpu_device import QWEN, TINY, make_model, matrix_rate, seconds, weight_bytes
from .gpu_parts import PARTS, WORKLOADS, Bench, Row
from .gpu_tables import show
from .imports import make_engine
from .token_chains import ChainLengths, read_lengths, write_lengths

REAL = {"mmlu_pro": 256, "gsm8k": 512}


def real_lengths(tokenizer: str) -> dict[str, list[ChainLengths]]:
    """Token counts of real chains. Raises FileNotFoundError if the data are not available."""
    from ..support.labelled import shared_data
    from ..support.real_chains import sample
    from .gpu_lengths import lengths_of

    data = shared_data("gsm8k", "mmlupro-outputs")
    return {name: lengths_of(sample(data, name, count), tokenizer) for name, count in REAL.items()}


def run_parts(bench: Bench, parts: Sequence[str], about: dict[str, Any], consoles: Sequence[Console]) -> int:
    """Run the parts one after the other; returns how many failed."""
    found: dict[str, list[Row]] = {}
    failed: dict[str, str] = {}
    for part in parts:
        rows: list[Row] = found.setdefault(part, [])
        try:
            for row in PARTS[part](bench):
                rows.append(row)
                _write(bench.out, about, found, failed)
        except Exception:  # show and count any failure, so that the device time for the other parts is not lost
            failed[part] = traceback.format_exc()
            print(f"\n{part} failed:\n{failed[part]}", file=sys.stderr, flush=True)
        for console in consoles:
            show(console, part, rows)
        _write(bench.out, about, found, failed)
    return len(failed)


def _write(out: Path, about: dict[str, Any], found: dict[str, list[Row]], failed: dict[str, str]) -> None:
    content = {"run": about, "parts": found, "failed": failed}
    (out / "results.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or "engine-gpu"))
    parser.add_argument("--lengths", type=Path, help="token counts that --make-lengths wrote")
    parser.add_argument("--make-lengths", type=Path, metavar="FILE", help="write token counts of real chains and end")
    parser.add_argument("--tokenizer", default="smollm2", help="for the counts: a scorer's name, folder or hub id")
    parser.add_argument("--tiny", action="store_true", help="two small layers in float32 on the CPU, few chains")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="parts to run; all, but with --tiny not 'compiled'")
    parser.add_argument(
        "--attention", nargs="+", default=["default"], help="ways of attending to compare, the first leads"
    )
    parser.add_argument("--budgets", nargs="+", type=int, help="token budgets to compare")
    parser.add_argument("--chains", type=int, help="chains of a batch; default 128, with --tiny 4")
    parser.add_argument("--rounds", type=int, help="timed rounds; default 3, with --tiny 1")
    args = parser.parse_args(argv)
    try:
        if args.make_lengths:
            write_lengths(args.make_lengths, real_lengths(args.tokenizer))
            return 0
        if not args.tiny and not torch.cuda.is_available():
            print("no accelerator: a model of 7 billion parameters needs one; --tiny runs on the CPU", file=sys.stderr)
            return 2
        chains = read_lengths(args.lengths) if args.lengths else real_lengths(args.tokenizer)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    names = [name for name in args.attention if name != "default"]
    if names and "attention" not in inspect.signature(make_engine).parameters:
        print(f"--attention {names[0]}: this engine has one way of attending only, 'default'", file=sys.stderr)
        return 2
    if lacking := sorted(set(REAL) - set(chains)):
        print(f"{args.lengths} has no chains of {', '.join(lacking)}", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    bench, about = _bench(args, chains)
    parts = args.only or [part for part in PARTS if part != "compiled" or not args.tiny]
    with (args.out / "results.md").open("w", encoding="utf-8") as file:
        consoles = [Console(width=200), Console(file=file, width=200)]
        for console in consoles:
            console.print(header(about), highlight=False, markup=False)
            console.print(about["model"], highlight=False, markup=False)
        return 1 if run_parts(bench, parts, about, consoles) else 0


def _bench(args: argparse.Namespace, chains: dict[str, list[ChainLengths]]) -> tuple[Bench, dict[str, Any]]:
    tiny = args.tiny
    device, dtype, shape = ("cpu", torch.float32, TINY) if tiny else ("cuda", torch.bfloat16, QWEN)
    made: list[Any] = []
    took = seconds(lambda: made.append(make_model(shape, device, dtype)), device)
    (model,) = made
    rate = matrix_rate(device, dtype, 256 if tiny else 8192)
    sizes: dict[str, Any] = {"count": 4, "rounds": 1, "long": 512, "memory": (600, 20), "budgets": (256, 1024)}
    options = sizes if tiny else {}
    given = {"count": args.chains, "rounds": args.rounds, "budgets": tuple(args.budgets) if args.budgets else None}
    options |= {name: value for name, value in given.items() if value is not None}
    bench = Bench(model, shape, device, rate, chains, args.out, tuple(args.attention), **options)
    billions = sum(weight.numel() for weight in model.parameters()) / 1e9
    model_line = (
        f"random Qwen2, {billions:.2f} billion parameters ({weight_bytes(model) / 2**30:.2f} GiB in "
        f"{str(dtype).removeprefix('torch.')}, made in {took:.1f} s); matrix rate {rate / 1e12:.2f} TFLOP/s"
    )
    about = {**about_run(device), "model": model_line, "matrix_rate": rate, "workloads": list(WORKLOADS)}
    return bench, about


if __name__ == "__main__":
    sys.exit(main())
