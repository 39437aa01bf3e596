"""What the host does for a chain beside the forward passes: CPU milliseconds by stage, growth with length, memory.

    STEPGAUGE_SHARED=… python -m benchmarks.engine.host [--chains 200] [--steps 100 300 1000 3000] [--together 64]

The passes are left out: a backend tokenizes every text and builds every trie as `hf` does, and makes its numbers of
token ids. First real MMLU-Pro chains with ten options, in CPU milliseconds a chain for each stage. Then chains of GSM8K
lines, `--steps` long, with ten options: CPU seconds a chain, and the exponent between neighbouring lengths. Last
`--together` chains of 1,000 steps at once: how far the process grows. Each part of the second half runs in a process of
its own.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.checked_backend import CheckedBackend
from stepgauge.metrics.engine.trie import build_trie
from stepgauge.metrics.likelihood import Group, Request, Result, SpanScore, Unscored
from stepgauge.metrics.models.loading import resolve
from stepgauge.metrics.models.scorer_tokenizer import ScorerTexts
from stepgauge.metrics.pipeline import chain_work
from stepgauge.metrics.pipeline import scheduling as scheduling_module
from stepgauge.metrics.tokenization.spans import encode

from ..support.labelled import shared_data
from ..support.real_chains import sample
from ..support.run_header import about_run, header
from ..support.timing import Clock
from .chains import joined
from .long_chain import with_peak

ROOT = Path(__file__).parents[2]
STAGES = ("segment", "requests", "tokenize", "trie", "collect", "verdicts", "score", "to_dict")
TOGETHER_STEPS = 1000


class WithoutPasses:
    """A likelihood backend that does all that `hf` does but for running the model."""

    def __init__(self, clocks: dict[str, Clock]) -> None:
        self._texts = ScorerTexts(AutoTokenizer.from_pretrained(resolve("smollm2")), "smollm2", None)
        self._clocks = clocks

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        out: list[Result] = []
        with self._clocks["tokenize"]:
            encoded = [encode(self._texts.tokenizer, group, None) for group in groups]
        with self._clocks["trie"]:
            tries = [None if isinstance(spans, Unscored) else build_trie(spans) for spans in encoded]
        for spans, trie in zip(encoded, tries, strict=True):
            done(1)
            if isinstance(spans, Unscored):
                out.append(spans)
                continue
            assert trie is not None
            values = np.bincount(trie.pair_span, weights=-1 - trie.pair_token % 7, minlength=len(spans))
            counts = np.bincount(trie.pair_span, minlength=len(spans))
            found = zip(values.tolist(), counts.tolist(), spans, strict=True)
            out.append([SpanScore(value, n, span.start) for value, n, span in found])
        return out

    def too_long(self, request: Request) -> str | None:
        return self._texts.too_long(request)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return self._texts.render_chat(messages)

    def describe(self) -> dict[str, Any]:
        return {"scorer": "smollm2", "passes": "none"}

    def close(self) -> None:
        pass


@contextmanager
def clocked(clocks: dict[str, Clock]):
    """Within, the stages of `Gauge.score` are timed."""

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **options: Any) -> Any:
            with clocks[name]:
                return function(*given, **options)

        return run

    with ExitStack() as stack:
        for owner, attribute, name in (
            (chain_work.ChainWork, "segment", "segment"),
            (scheduling_module, "_requests", "requests"),
            (scheduling_module, "collect", "collect"),
            (chain_work, "assess", "verdicts"),
            (chain_work.ChainWork, "_chain_score", "score"),
        ):
            stack.enter_context(patch.object(owner, attribute, timed(name, getattr(owner, attribute))))
        yield


def host_seconds(traces: Sequence[Trace], splitter: str) -> tuple[dict[str, float], list[Any]]:
    """CPU seconds of each stage and in all for scoring the chains and making their lines, and the scores."""
    clocks = {name: Clock() for name in STAGES}
    gauge = Gauge("smollm2", splitter=splitter, progress=False)
    gauge._backend = CheckedBackend("without passes", WithoutPasses(clocks))
    gauge.score(traces[:1])
    for clock in clocks.values():
        clock.cpu = clock.wall = 0.0
    started = time.process_time()
    with clocked(clocks):
        scores = gauge.score(traces)
        with clocks["to_dict"]:
            for score in scores:
                json.dumps(score.to_dict())
    seconds = {name: clock.cpu for name, clock in clocks.items()}
    return {**seconds, "all": time.process_time() - started}, scores


def long_chains(data: Path, steps: int, count: int) -> list[Trace]:
    """Chains of lines of GSM8K with nine other options beside the gold answer."""
    traces = []
    lines = joined(data, min(steps, 1000), 1)[0]
    for i in range(count):
        repeated = (lines.response.splitlines() * math.ceil(steps / 1000))[:steps]
        options = [f"{i} apples and {n} pears" for n in range(10)]
        traces.append(Trace(f"{lines.question} ({i})", "\n".join(repeated), options[3], options, id=str(i)))
    return traces


def _long(data: Path, steps: int, count: int) -> dict[str, Any]:
    traces = long_chains(data, steps, count)
    host_seconds(long_chains(data, 20, 1), "lines")  # what is loaded once
    (seconds, scores), peak = with_peak(lambda: host_seconds(traces, "lines"), "cpu")
    assert all(len(score.log_likelihoods) == steps + 1 for score in scores), scores[0].missing
    return {"steps": steps, "chains": count, "seconds": seconds, "peak_bytes": peak.bytes, "source": peak.source}


def _in_own_process(steps: int, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engine.host", "--part", str(steps), str(count)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _table(rows: Sequence[tuple[str, dict[str, float]]], unit: str) -> None:
    table = Table("", *STAGES, "all", box=box.MARKDOWN, title=unit)
    for name, seconds in rows:
        table.add_row(name, *(f"{seconds[stage]:.2f}" for stage in (*STAGES, "all")))
    Console(width=140).print(table)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=200, help="MMLU-Pro chains; 0: none")
    parser.add_argument("--steps", type=int, nargs="*", default=[100, 300, 1000, 3000])
    parser.add_argument("--together", type=int, default=64, help="chains of 1,000 steps at once; 0: none")
    parser.add_argument("--part", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    try:
        data = shared_data("mmlupro-outputs", "gsm8k")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    if args.part:
        print(json.dumps(_long(data, *args.part)))
        return 0
    print(header(about_run()))
    if args.chains:
        traces = sample(data, "mmlu_pro", args.chains)
        seconds, _ = host_seconds(traces, "auto")
        _table([("a chain", {name: 1000 * s / len(traces) for name, s in seconds.items()})], "MMLU-Pro, CPU ms")
    rows = [_in_own_process(steps, 1) for steps in args.steps]
    if rows:
        _table([(f"{row['steps']:,} steps", row["seconds"]) for row in rows], "ten options, CPU s a chain")
    for short, long in pairwise(rows):
        grown = math.log(long["seconds"]["all"] / short["seconds"]["all"])
        exponent = grown / math.log(long["steps"] / short["steps"])
        print(f"{short['steps']:,} to {long['steps']:,} steps: exponent {exponent:.2f}")
    if args.together:
        row = _in_own_process(TOGETHER_STEPS, args.together)
        print(
            f"{row['chains']} chains of {row['steps']:,} steps, ten options: {row['peak_bytes'] / 2**20:,.0f} MiB "
            f"({row['source']}), CPU {row['seconds']['all'] / row['chains']:.2f} s a chain"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
