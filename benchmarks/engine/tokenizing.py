"""Times the tokenizing of a chain's t+1 texts: shared text only once, against each text in full.

    STEPGAUGE_SHARED=… python -m benchmarks.engine.tokenizing

Chains are made by joining real GSM8K solution steps; the tokenizer is SmolLM2's. Every token is compared.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from stepgauge.metrics.models.loading import resolve
from stepgauge.metrics.tokenization.shared_prefix import tokenize_full, tokenize_shared

from ..support.labelled import shared_data
from ..support.run_header import about_run, header
from .chains import joined, requests_of

ROUNDS = 3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[3, 36, 100, 400])
    args = parser.parse_args(arguments)
    try:
        data = shared_data("gsm8k")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    tokenizer = AutoTokenizer.from_pretrained(resolve("smollm2"))
    table = Table("steps", "tokens of the longest text", "in full s", "shared s", "ratio")
    for steps in args.steps:
        (requests,) = requests_of(joined(data, steps, 1), "lines")
        seconds = {tokenize_full: [], tokenize_shared: []}
        results = {}
        for _ in range(ROUNDS):
            for way in seconds:
                started = time.perf_counter()
                results[way] = way(tokenizer, requests)
                seconds[way].append(time.perf_counter() - started)
        for full, shared in zip(*results.values(), strict=True):
            ids = np.concatenate([shared.trunk[: shared.cut], shared.tail])
            if not np.array_equal(full.ids, ids) or full.first != shared.first:
                raise AssertionError(f"other tokens at {steps} steps")
        full, shared = (float(np.median(values)) for values in seconds.values())
        longest = max(len(tokens.ids) for tokens in results[tokenize_full])
        table.add_row(str(steps), f"{longest:,}", f"{full:.4f}", f"{shared:.4f}", f"{full / shared:.1f}")
    print(header(about_run()))
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
