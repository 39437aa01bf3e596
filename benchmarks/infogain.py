"""Times the token trie against one forward pass per prefix, same chains, same model, one process.

    python -m benchmarks.infogain [--rounds 3] [--scorer smollm2]

Chains are made by joining real GSM8K solution steps ($STEPGAUGE_SHARED/data/gsm8k). `naive` is the published way:
one full-vocabulary forward pass per prefix. `naive, answer logits` asks the model for the answer's logits only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from stepgauge.metrics import Gauge, Trace

STEPS = (3, 15, 36)


def joined_chains(path: Path, steps: int, count: int) -> list[Trace]:
    """`count` chains of exactly `steps` real steps: one question, its solution, then steps of the next ones."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    out, i = [], 0
    while len(out) < count:
        question, lines, answer = rows[i]["question"], [], ""
        while len(lines) < steps:
            solution, _, answer = rows[i]["answer"].partition("\n#### ")
            lines += solution.splitlines()
            i += 1
        out.append(Trace(question, "\n".join(lines[:steps]), answer, id=f"{steps} steps, {len(out)}"))
    return out


def naive(gauge: Gauge, traces: list[Trace], *, full_logits: bool) -> list[list[float]]:
    """One forward pass per prefix, tokenized whole."""
    loaded = gauge.backend._loaded  # type: ignore[attr-defined]
    model, tokenizer = loaded.model, loaded.tokenizer
    out = []
    for trace in traces:
        steps = trace.response.splitlines()
        values = []
        for i in range(len(steps) + 1):
            context = "\n".join([trace.question, *steps[:i]]) + "\nAnswer: "
            encoding = tokenizer(context + trace.answers[0])
            start = encoding.char_to_token(len(context))
            ids = torch.tensor(encoding["input_ids"])
            keep = 0 if full_logits else len(ids) - start + 1
            with torch.inference_mode():
                logits = model(input_ids=ids[None], use_cache=False, logits_to_keep=keep).logits[0]
                log_p = torch.log_softmax(logits.float(), -1)
            scored = range(start, len(ids))
            shift = len(logits) - len(ids)
            values.append(sum(log_p[j - 1 + shift, ids[j]].item() for j in scored))
        out.append(values)
    return out


def timed(run: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scorer", default="smollm2")
    parser.add_argument("--chains", type=int, default=3)
    args = parser.parse_args()
    shared = os.environ.get("STEPGAUGE_SHARED")
    path = Path(shared or "") / "data" / "gsm8k" / "test.jsonl"
    if not shared or not path.is_file():
        print(f"no real chains: STEPGAUGE_SHARED is {shared!r}, expected a folder holding data/gsm8k", file=sys.stderr)
        return 2
    gauge = Gauge(args.scorer, dtype="float32", claims=(), splitter="lines", progress=False)
    gauge.score([Trace("warm", "up\nnow", "7")])
    table = Table(
        "steps", "naive s", "naive, answer logits s", "trie s", "ratio", "ratio, answer logits", "max diff nats"
    )
    for steps in STEPS:
        traces = joined_chains(path, steps, args.chains)
        times: dict[str, list[float]] = {"full": [], "kept": [], "trie": []}
        worst = 0.0
        for _ in range(args.rounds):
            seconds, expected = timed(partial(naive, gauge, traces, full_logits=True))
            times["full"].append(seconds)
            seconds, _ = timed(partial(naive, gauge, traces, full_logits=False))
            times["kept"].append(seconds)
            seconds, scores = timed(partial(gauge.score, traces))
            times["trie"].append(seconds)
            for score, values in zip(scores, expected, strict=True):  # type: ignore[arg-type]
                worst = max(worst, *(abs(a - b) for a, b in zip(score.log_likelihoods, values, strict=True)))
        full, kept, trie = (statistics.median(times[name]) for name in ("full", "kept", "trie"))
        table.add_row(
            str(steps),
            f"{full:.2f}",
            f"{kept:.2f}",
            f"{trie:.2f}",
            f"{full / trie:.1f}",
            f"{kept / trie:.1f}",
            f"{worst:.1e}",
        )
    where = gauge.backend.describe()
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    print(f"{today}  {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        f"{where['scorer']} {where['dtype']} on {where['device']}; {args.chains} chains, median of {args.rounds} rounds"
    )
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
