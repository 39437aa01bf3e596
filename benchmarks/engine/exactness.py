"""Measures on real chains how much the numbers depend on the batch and on the precision of the weights.

    STEPGAUGE_SHARED=… python -m benchmarks.engine.exactness [--chains 500] [--scorer smollm2] [--out FILE.json]

**Batch invariance**, float32: every log-likelihood of a chain (each prefix, each option) when the chain is scored
alone, against scoring it with the others, with the others in another order and other windows, and under another token
budget.

**Precision**, on other draws from the same sets (`--precision-chains`, `--fp16-chains`): weights in bfloat16 and in
float16 against float32. Also the effect of a log-softmax in bfloat16, as in the published code: from the logits of one
plain forward pass per prefix (`--softmax-chains`), computed in bfloat16 and in float32 from the same logits.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.chain_requests import ChainRequests, chain_requests
from stepgauge.metrics.likelihood import Request, Unscored
from stepgauge.metrics.segment import segment
from stepgauge.metrics.strict_json import without_nan
from stepgauge.metrics.templates import PlainTemplate

from ..support.labelled import shared_data
from ..support.real_chains import mixture
from ..support.run_header import about_run, header

SHARES = (("gsm8k", 0.6), ("prmbench", 0.15), ("mrben", 0.15), ("mmlu_pro", 0.1))
WAYS = ("batch", "shuffled", "budget")
WINDOW = 64
EPSILON = 0.05


@dataclass(frozen=True)
class Asked:
    """A real chain and all its likelihood requests."""

    set: str
    requests: ChainRequests


def ask(traces: Sequence[Trace], sets: Sequence[str]) -> list[Asked]:
    """The requests of a gauge with default options."""

    def no_chat(_: object) -> str:
        raise TypeError("the plain template renders no chat")

    steps = [segmentation.steps for segmentation in segment(traces)]
    return [
        Asked(name, chain_requests(trace, own, PlainTemplate(), no_chat, reference=False))
        for name, trace, own in zip(sets, traces, steps, strict=True)
    ]


def log_likelihoods(gauge: Gauge, chains: Sequence[Asked]) -> list[np.ndarray]:
    """One array per chain, a value per request, from one call. Raises ValueError for a chain that is not scored."""
    out = []
    results = gauge.backend.score([chain.requests.requests for chain in chains], lambda _: None)
    for chain, result in zip(chains, results, strict=True):
        if isinstance(result, Unscored):
            raise ValueError(f"a chain of {chain.set} was not scored: {result.reason}")
        out.append(np.array([score.log_likelihood for score in result]))
    return out


# --- batch invariance ------------------------------------------------------------------------------------------------


def invariance(
    scorer: str, device: str, chains: Sequence[Asked], budget: int, ways: Sequence[str]
) -> dict[str, list[float]]:
    """For each way of batching, each chain's largest difference in nats from the chain scored alone."""
    out = {}
    with Gauge(scorer, device, "float32", progress=False) as gauge:
        alone = [log_likelihoods(gauge, [chain])[0] for chain in chains]
        if "batch" in ways:
            out["in one batch"] = _apart(alone, log_likelihoods(gauge, chains))
        if "shuffled" in ways:
            order = random.Random(1).sample(range(len(chains)), len(chains))
            shuffled: dict[int, np.ndarray] = {}
            for first in range(0, len(order), WINDOW):
                part = order[first : first + WINDOW]
                shuffled.update(zip(part, log_likelihoods(gauge, [chains[i] for i in part]), strict=True))
            out[f"shuffled, {WINDOW} at a time"] = _apart(alone, [shuffled[i] for i in range(len(chains))])
    if "budget" in ways:
        with Gauge(scorer, device, "float32", budget, progress=False) as gauge:
            out[f"token budget {budget}"] = _apart(alone, log_likelihoods(gauge, chains))
    return out


def _apart(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> list[float]:
    return [float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True)]


# --- precision -------------------------------------------------------------------------------------------------------


def errors(exact: Sequence[np.ndarray], other: Sequence[np.ndarray], epsilon: float = EPSILON) -> dict[str, Any]:
    """Errors in nats of the answers' log-likelihoods (t+1 per chain) and of the numbers computed from them.

    Also, of the steps whose exact gain is beyond ±epsilon, the share that keeps its sign, and of all steps the share
    that stays informative, regressive or neither.
    """
    gains = [np.concatenate([np.diff(values) for values in side]) for side in (exact, other)]
    totals = [np.array([values[-1] - values[0] for values in side if len(values) > 1]) for side in (exact, other)]
    kinds = [np.where(np.abs(gain) > epsilon, np.sign(gain), 0) for gain in gains]
    clear = kinds[0] != 0
    return {
        "chains": len(exact),
        "prefixes": sum(map(len, exact)),
        "log_likelihood": _spread(np.concatenate(list(exact)) - np.concatenate(list(other))),
        "gain": _spread(gains[0] - gains[1]),
        "infogain_nats": _spread(totals[0] - totals[1]),
        "sign_kept": float((np.sign(gains[0]) == np.sign(gains[1]))[clear].mean()) if clear.any() else float("nan"),
        "kind_kept": float((kinds[0] == kinds[1]).mean()) if len(clear) else float("nan"),
    }


def _spread(differences: np.ndarray) -> dict[str, float]:
    size = np.abs(differences)
    if not len(size):
        return dict.fromkeys(("median", "p95", "max"), float("nan"))
    return {"median": float(np.median(size)), "p95": float(np.quantile(size, 0.95)), "max": float(size.max())}


def answers(chains: Sequence[Asked], values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Select from all values those of the gold answer, the first where several are accepted, after each prefix."""
    return [found[[first for first, *_ in chain.requests.answer]] for chain, found in zip(chains, values, strict=True)]


@torch.inference_mode()
def from_plain_logits(gauge: Gauge, chains: Sequence[Asked]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The gold answers' log-likelihoods from plain passes, with log-softmax in float32 and in the logits' own type."""
    from transformers import AutoTokenizer

    backend: Any = gauge.backend
    model = backend.engine.model
    tokenizer = AutoTokenizer.from_pretrained(backend.describe()["source"])
    wide, narrow = [], []
    for chain in chains:
        pairs = [_both(model, tokenizer, chain.requests.requests[first]) for first, *_ in chain.requests.answer]
        wide.append(np.array([pair[0] for pair in pairs]))
        narrow.append(np.array([pair[1] for pair in pairs]))
    return wide, narrow


def _both(model: Any, tokenizer: Any, request: Request) -> tuple[float, float]:
    encoded = tokenizer(request.text, return_offsets_mapping=True)
    first = next(i for i, (_, end) in enumerate(encoded["offset_mapping"]) if end > request.start)
    ids = torch.tensor(encoded["input_ids"], device=model.device)
    wanted = len(ids) - first
    logits = model(input_ids=ids[None, :-1], use_cache=False, logits_to_keep=wanted).logits[0, -wanted:]
    by_type = (torch.log_softmax(scores, -1).gather(-1, ids[first:, None]) for scores in (logits.float(), logits))
    wide, narrow = (values.double().sum().item() for values in by_type)
    return wide, narrow


def precision(scorer: str, device: str, chains: Sequence[Asked], fp16: int, softmax: int) -> dict[str, dict[str, Any]]:
    """Rows of errors by what was narrowed; for a type that the device does not support, the reason instead."""
    rows: dict[str, dict[str, Any]] = {}
    with Gauge(scorer, device, "float32", progress=False) as gauge:
        exact = answers(chains, log_likelihoods(gauge, chains))
    for dtype, count in (("bfloat16", len(chains)), ("float16", fp16)):
        if not count:
            continue
        part = chains[:count]
        try:
            with Gauge(scorer, device, dtype, progress=False) as gauge:
                started = time.perf_counter()
                values = answers(part, log_likelihoods(gauge, part))
                rows[f"{dtype} weights"] = {**errors(exact[:count], values), "seconds": time.perf_counter() - started}
                if dtype == "bfloat16" and softmax:
                    wide, narrow = from_plain_logits(gauge, chains[:softmax])
                    rows["bfloat16 weights, the chains below"] = errors(exact[:softmax], wide)
                    rows["bfloat16 log-softmax alone"] = errors(wide, narrow)
                    rows["bfloat16 weights and log-softmax"] = errors(exact[:softmax], narrow)
        except RuntimeError as error:
            if "not implemented for" not in str(error):
                raise
            rows[f"{dtype} weights"] = {"reason": str(error).splitlines()[0]}
    return rows


# --- tables ----------------------------------------------------------------------------------------------------------


def show_invariance(chains: Sequence[Asked], found: dict[str, list[float]]) -> None:
    heads = [f"{name}, {what}" for name in found for what in ("p99", "max")]
    table = Table("chains of", "chains", "values", *heads, box=box.MARKDOWN)
    for name in [*dict.fromkeys(chain.set for chain in chains), "all"]:
        own = [i for i, chain in enumerate(chains) if name in ("all", chain.set)]
        values = sum(len(chains[i].requests.requests) for i in own)
        cells = []
        for differences in found.values():
            picked = np.array([differences[i] for i in own])
            cells += [f"{np.quantile(picked, 0.99):.1e}", f"{picked.max():.1e}"]
        table.add_row(name, str(len(own)), str(values), *cells)
    print("Batch invariance: largest difference of each chain from the chain scored alone, nats, float32")
    Console(width=220).print(table)


def show_precision(rows: dict[str, dict[str, Any]]) -> None:
    spreads = ("log_likelihood", "gain", "infogain_nats")
    heads = [f"{name}, median / 95 % / max" for name in ("log p", "gain", "infogain_nats")]
    table = Table("narrowed", "chains", "prefixes", *heads, "sign kept", "kind kept", box=box.MARKDOWN)
    for name, row in rows.items():
        if "reason" in row:
            table.add_row(name, row["reason"])
            continue
        cells = [" / ".join(f"{row[key][part]:.2g}" for part in ("median", "p95", "max")) for key in spreads]
        kept = [f"{100 * row[key]:.1f} %" for key in ("sign_kept", "kind_kept")]
        table.add_row(name, str(row["chains"]), str(row["prefixes"]), *cells, *kept)
    print(
        f"Precision: absolute errors in nats. Sign kept: of gains beyond ±{EPSILON:g} nats; kind kept: of all steps, "
        "those that stay informative, regressive or neither"
    )
    Console(width=220).print(table)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=500)
    parser.add_argument("--scorer", default="smollm2")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=WAYS, help="of batching; each takes a run of its own"
    )
    parser.add_argument("--token-budget", type=int, default=4096, help="the other budget")
    parser.add_argument("--precision-chains", type=int, default=60)
    parser.add_argument("--fp16-chains", type=int, default=5, help="few: most CPUs compute float16 without vectors")
    parser.add_argument("--softmax-chains", type=int, default=20)
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    args = parser.parse_args(argv)
    try:
        data = shared_data("gsm8k", "prmbench", "mrben", "mmlupro-outputs")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    chains = _asked(data, args.chains)
    # A part with the same mixture of sets, in a different order.
    part = random.Random(0).sample(_asked(data, args.precision_chains), args.precision_chains)
    found = invariance(args.scorer, args.device, chains, args.token_budget, args.ways)
    about = about_run(args.device if args.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    print(f"{header(about)}; scorer {args.scorer}")
    show_invariance(chains, found)
    rows = precision(args.scorer, args.device, part, args.fp16_chains, args.softmax_chains)
    show_precision(rows)
    if args.out:
        sets = [chain.set for chain in chains]
        content = {"run": about, "scorer": args.scorer, "sets": sets, "invariance": found, "precision": rows}
        args.out.write_text(json.dumps(without_nan(content), indent=1) + "\n")
    return 0


def _asked(data: Path, count: int) -> list[Asked]:
    drawn = mixture(data, count, SHARES)
    return ask([trace for _, trace in drawn], [name for name, _ in drawn])


if __name__ == "__main__":
    sys.exit(main())
