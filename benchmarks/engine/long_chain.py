"""Measures the memory that one very long chain needs beyond the model's weights and KV cache.

    python -m benchmarks.engine.long_chain [--tokens 32768 --steps 400 --vocabulary 150000] [--through-gauge] [--out F]

The model has Qwen2's architecture with random weights and a few small layers (`--layers`, `--hidden`), so that length
and vocabulary dominate the cost. The chain consists of random token ids and goes directly to the engine; with
`--through-gauge` a second chain of about that length goes in as text, through a `Gauge` with a small tokenizer.

Each measurement runs in its own process. On the CPU the peak is the most memory the process held beyond what it held
once the model and the sequences were loaded: sampled every few milliseconds, and `ru_maxrss` if that grew during the
run. On CUDA it is `torch.cuda.max_memory_allocated`. The size of the KV cache is computed for the tokens of the longest
sequence. A few prefixes are checked against one plain forward pass each, in chunks, with transformers' own cache.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from ..support.run_header import about_run, header
from .flops import kv_bytes, work_of
from .imports import TokenSpan, cache_argument, log_likelihoods, make_engine
from .token_chains import even_chain, token_spans

ROOT = Path(__file__).parents[2]
LIMIT = 2 * 2**30
TOLERANCE = 1e-3
CHECKED = 5
_CHUNK = 1024
_SAMPLE_SECONDS = 0.005
_HEAD = 64


@dataclass
class Peak:
    """The peak memory of a run.

    Attributes:
        bytes: peak beyond what was held at the start of the run.
        source: how it was measured.
    """

    bytes: int = 0
    source: str = ""


def with_peak(run: Callable[[], Any], device: str) -> tuple[Any, Peak]:
    """The result of `run`, and its peak memory on `device`."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = run()
        return result, Peak(torch.cuda.max_memory_allocated(device) - before, "max_memory_allocated")
    import psutil

    process = psutil.Process()
    before, high_before = process.memory_info().rss, _high_water()
    sampled, stop = [before], threading.Event()

    def watch() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            sampled[0] = max(sampled[0], process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        result = run()
    finally:
        stop.set()
        thread.join()
    high = _high_water()
    if high > high_before:
        return result, Peak(high - before, "ru_maxrss")
    return result, Peak(sampled[0] - before, "sampled resident set")


def _high_water() -> int:
    """The process's peak memory so far in bytes; 0 if there is no module `resource`."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def make_model(vocabulary: int, context: int, layers: int, hidden: int, device: str) -> Any:
    """A random Qwen2 in float32 with grouped heads of 64."""
    heads = max(2, hidden // _HEAD)
    config = AutoConfig.for_model(
        "qwen2",
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=_HEAD,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        # Larger weights than usual, so that a wrong mask or position changes the logits of an untrained model visibly.
        initializer_range=0.1,
    )
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).to(device).eval()


@torch.inference_mode()
def plain_log_likelihood(model: Any, span: TokenSpan) -> float:
    """One ordinary pass over a sequence, a chunk at a time with transformers' own cache."""
    ids = torch.from_numpy(span.ids)[None].to(model.device)
    fed, cache, total = ids.shape[1] - 1, DynamicCache(config=model.config), 0.0
    for first in range(0, fed, _CHUNK):
        end = min(first + _CHUNK, fed)
        wanted = min(end - first, max(1, end - span.start + 1))
        kept = {cache_argument(type(model)): cache}
        out = model(input_ids=ids[:, first:end], use_cache=True, logits_to_keep=wanted, **kept).logits[0, -wanted:]
        if end >= span.start:
            targets = ids[0, end - wanted + 1 : end + 1, None]
            total += torch.log_softmax(out.float(), -1).gather(-1, targets).double().sum().item()
    return total


def largest_difference(model: Any, spans: Sequence[TokenSpan], values: np.ndarray, count: int = CHECKED) -> float:
    """The largest difference in nats between `values` and plain passes, on `count` sequences from short to long."""
    by_length = sorted(range(len(spans)), key=lambda i: len(spans[i].ids))
    chosen = {by_length[i] for i in np.linspace(0, len(spans) - 1, count).astype(int)}
    return max(abs(plain_log_likelihood(model, spans[i]) - float(values[i])) for i in chosen)


def measure_spans(model: Any, spans: list[TokenSpan], budget: int | str, *, checked: int = CHECKED) -> dict[str, Any]:
    """Memory, time and exactness of the engine on one group of sequences; the model may be any causal LM."""
    device = str(model.device)
    engine = make_engine(model, budget)
    started = time.perf_counter()
    (values,), peak = with_peak(lambda: log_likelihoods(engine, [spans], lambda _: None), device)
    seconds = time.perf_counter() - started
    if not isinstance(values, np.ndarray):
        raise RuntimeError(f"the chain was not scored: {values.reason}")
    longest = max(len(span.ids) for span in spans)
    difference = largest_difference(model, spans, values, checked) if checked else None
    return {
        **_memory_row(model, longest, peak),
        "tokens": longest,
        "sequences": len(spans),
        "unique_tokens": work_of(spans).tokens,
        "computed_tokens": engine.stats.computed_tokens,
        "passes": engine.stats.passes,
        "seconds": seconds,
        "largest_difference_nats": difference,
    }


def _memory_row(model: Any, tokens: int, peak: Peak) -> dict[str, Any]:
    cache = kv_bytes(model.config, tokens, model.dtype.itemsize)
    return {
        "peak_bytes": peak.bytes,
        "peak_source": peak.source,
        "kv_bytes": cache,
        "excess_bytes": peak.bytes - cache,
        "under_limit": peak.bytes - cache < LIMIT,
    }


def measure_gauge(model: Any, tokens: int, steps: int) -> dict[str, Any]:
    """The same figures for a chain of text through a `Gauge`, tokenizing included."""
    from stepgauge.metrics import Gauge, Trace

    from ..knowledge.lm_judge_gpu import make_tokenizer

    tokenizer = make_tokenizer(2000)
    random = np.random.default_rng(0)
    # Syllables with a fixed number of tokens each, whatever surrounds them.
    words = [" " + chr(a) + chr(b) for a in range(0x4E00, 0x4E20) for b in range(0x5E00, 0x5E20)]
    each = len(tokenizer(words[0])["input_ids"])
    room = tokens // each
    per_step = max(1, room // (steps + 1))
    counts = [max(1, room - per_step * steps), *[per_step] * steps]
    lines = ["".join(random.choice(words, count)).strip() for count in counts]
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        with Gauge(scratch, str(model.device), "float32", claims=(), splitter="lines", progress=False) as gauge:
            gauge.score([Trace("warm", "up\nnow", "7")])
            backend: Any = gauge.backend
            backend.engine.stats.reset()
            trace = Trace(lines[0], "\n".join(lines[1:]), "12345")
            started = time.perf_counter()
            (score,), peak = with_peak(lambda: gauge.score([trace]), str(model.device))
            seconds = time.perf_counter() - started
            if len(score.log_likelihoods) != steps + 1:
                raise RuntimeError(f"the chain was not scored: {score.missing}")
            longest = len(tokenizer("\n".join([*lines, "Answer: 12345"]))["input_ids"])
            stats = backend.engine.stats
            return {
                **_memory_row(model, longest, peak),
                "tokens": longest,
                "sequences": steps + 1,
                "unique_tokens": stats.unique_tokens,
                "computed_tokens": stats.computed_tokens,
                "passes": stats.passes,
                "seconds": seconds,
                "largest_difference_nats": None,
            }


def _measure(args: argparse.Namespace, door: str) -> dict[str, Any]:
    context = max(40960, args.tokens + args.tokens // 4)
    model = make_model(args.vocabulary, context, args.layers, args.hidden, args.device)
    if door == "gauge":
        return {"door": "Gauge", **measure_gauge(model, args.tokens, args.steps)}
    spans = token_spans(even_chain(args.tokens, args.steps), args.vocabulary, seed=0)
    budget = args.token_budget if args.token_budget == "auto" else int(args.token_budget)
    return {"door": "log_likelihoods", **measure_spans(model, spans, budget, checked=args.checked)}


def _in_own_process(argv: Sequence[str], door: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engine.long_chain", *argv, f"--door={door}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(
        "through", "tokens", "unique", "computed", "passes", "s", "peak MiB", "KV MiB", "excess MiB", "< 2 GiB",
        "max diff nats", box=box.MARKDOWN,
    )  # fmt: skip
    for row in rows:
        mib = [f"{row[name] / 2**20:,.0f}" for name in ("peak_bytes", "kv_bytes", "excess_bytes")]
        counts = [f"{row[name]:,}" for name in ("tokens", "unique_tokens", "computed_tokens", "passes")]
        different = row["largest_difference_nats"]
        table.add_row(
            row["door"],
            *counts,
            f"{row['seconds']:.1f}",
            *mib,
            "yes" if row["under_limit"] else "NO",
            "–" if different is None else f"{different:.1e}",
        )
    Console(width=150).print(table)
    print(f"peak: {', '.join(sorted({row['peak_source'] for row in rows}))}, beyond weights and sequences")


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=32768)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--vocabulary", type=int, default=150_000)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--token-budget", default="auto")
    parser.add_argument("--checked", type=int, default=CHECKED, help="prefixes checked against plain passes; 0: none")
    parser.add_argument("--through-gauge", action="store_true")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    parser.add_argument("--door", choices=("engine", "gauge"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.door:
        print(json.dumps(_measure(args, args.door)))
        return 0
    doors = ("engine", "gauge") if args.through_gauge else ("engine",)
    try:
        rows = [_in_own_process(argv, door) for door in doors]
    except subprocess.CalledProcessError as error:
        print(f"the measurement ended with exit code {error.returncode}", file=sys.stderr)
        return 1
    about = about_run(args.device)
    print(header(about))
    print(
        f"{args.steps} steps, vocabulary {args.vocabulary:,}, random Qwen2 in float32, "
        f"{args.layers} layers of {args.hidden}, token budget {args.token_budget}"
    )
    _show(rows)
    if args.out:
        args.out.write_text(json.dumps({"run": about, "rows": rows}, indent=1) + "\n")
    exact = all((row["largest_difference_nats"] or 0) <= TOLERANCE for row in rows)
    return 0 if exact and all(row["under_limit"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
