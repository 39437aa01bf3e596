"""The measurements of `benchmarks.engine.gpu`: one function per part, each of which yields rows of figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .flops import Work, flops, kv_bytes, naive_work, work_of
from .gpu_device import make_model, seconds, weight_bytes
from .imports import Engine, TokenSpan, log_likelihoods, make_engine
from .long_chain import measure_spans, with_peak
from .token_chains import ChainLengths, even_chain, joined, token_spans

Group = list[TokenSpan]
Row = dict[str, Any]
STEPS = 36


@dataclass
class Bench:
    """What all parts share.

    Attributes:
        shape: the model's configuration, for parts that create another model.
        rate: the device's matrix rate in the model's type, in operations per second.
        chains: token counts of real chains, by set.
        attentions: attention implementations to compare; "default" is what the engine chooses.
        count: chains per batch; of long chains an eighth of that.
        long: tokens in a long chain.
        rounds: timed rounds, after a warm-up round.
    """

    model: Any
    shape: dict[str, Any]
    device: str
    rate: float
    chains: dict[str, list[ChainLengths]]
    out: Path
    attentions: tuple[str, ...] = ("default",)
    count: int = 128
    long: int = 8192
    rounds: int = 3
    memory: tuple[int, int] = (32768, 400)
    budgets: tuple[int, ...] = (4096, 8192, 16384, 32768, 65536)
    seed: int = 0
    _groups: dict[str, list[Group]] = field(default_factory=dict)

    def engine(self, attention: str = "default", budget: int | str = "auto") -> Engine:
        options = {} if attention == "default" else {"attention": attention}
        return make_engine(self.model, budget, **options)

    def groups(self, name: str) -> list[Group]:
        """The token sequences of a workload: the chains of a set, or chains joined from a set."""
        if name not in self._groups:
            vocabulary = self.model.config.vocab_size
            lengths = self._workload(name)
            self._groups[name] = [token_spans(own, vocabulary, self.seed + i) for i, own in enumerate(lengths)]
        return self._groups[name]

    def _workload(self, name: str) -> list[ChainLengths]:
        few = max(1, self.count // 8)
        if name == LONG:
            return self._joined("mmlu_pro", few, tokens=self.long)
        if name == MANY_STEPS:
            return self._joined("gsm8k", few, steps=STEPS)
        return self.chains[name][: self.count]

    def _joined(self, name: str, count: int, **until: int) -> list[ChainLengths]:
        """Chains joined from those of a set, each starting at a different one; at its end the set starts over."""
        own = self.chains[name]
        return [joined((own[(i * 7 + k) % len(own)] for k in range(50 * len(own))), **until) for i in range(count)]


LONG, MANY_STEPS = "long chains", f"{STEPS} steps"
WORKLOADS = ("mmlu_pro", LONG, "gsm8k", MANY_STEPS)


def throughput(bench: Bench) -> Iterator[Row]:
    """Utilisation, speed and memory of the engine on each workload, for each attention implementation."""
    for name in WORKLOADS:
        for attention in bench.attentions:
            yield {"workload": name, "attention": attention, **_timed(bench, bench.groups(name), attention)}


def budgets(bench: Bench) -> Iterator[Row]:
    """The same figures on MMLU-Pro chains under several token budgets."""
    for budget in ("auto", *bench.budgets):
        row = _timed(bench, bench.groups("mmlu_pro"), bench.attentions[0], budget)
        yield {"workload": "mmlu_pro", "attention": bench.attentions[0], **row}


def _timed(bench: Bench, groups: list[Group], attention: str, budget: int | str = "auto") -> Row:
    engine = bench.engine(attention, budget)
    _run(engine, groups)
    engine.stats.reset()
    _, peak = with_peak(lambda: _run(engine, groups), bench.device)
    stats = engine.stats
    counted = {name: getattr(stats, name) for name in ("computed_tokens", "passes")}
    padding = stats.padding_share
    taken = [seconds(lambda: _run(engine, groups), bench.device) for _ in range(bench.rounds)]
    return {
        **utilisation(bench, groups, statistics.median(taken)),
        **_memory(bench, groups, engine, peak.bytes),
        **counted,
        "padding_share": padding,
        "token_budget": engine.token_budget,
        "all_seconds": taken,
    }


def utilisation(bench: Bench, groups: Sequence[Group], taken: float) -> Row:
    """Model-FLOP utilisation relative to the matrix rate, and tokens per second, of a run over `groups`."""
    work = sum(map(work_of, groups), Work())
    needed = flops(bench.model.config, work)
    return {
        "chains": len(groups),
        "unique_tokens": work.tokens,
        "predicting": work.predicting,
        "flops": needed,
        "seconds": taken,
        "utilisation": needed / taken / bench.rate,
        "tokens_per_second": work.tokens / taken,
    }


def _memory(bench: Bench, groups: Sequence[Group], engine: Engine, above: int) -> Row:
    """Peak memory compared with weights plus KV cache.

    The cache is that of the longest chain with its branches, or of a full pass if that is larger.
    """
    unique = [work_of(group).tokens for group in groups]
    held = max(max(unique), min(engine.token_budget, sum(unique)))
    weights, cache = weight_bytes(bench.model), kv_bytes(bench.model.config, held, bench.model.dtype.itemsize)
    return {
        "weight_bytes": weights,
        "kv_bytes": cache,
        "peak_bytes": weights + above,
        "peak_ratio": (weights + above) / (weights + cache),
    }


def naive(bench: Bench) -> Iterator[Row]:
    """The published algorithm against the engine on chains of 36 steps, taking turns.

    One full-vocabulary pass per prefix, without batching or sharing; the log-softmax is in float32 on the device.
    """
    groups = bench.groups(MANY_STEPS)
    engine = bench.engine(bench.attentions[0])
    ours, theirs = _run(engine, groups), _naive(bench, groups)
    times: dict[str, list[float]] = {"engine": [], "published": []}
    for _ in range(bench.rounds):
        times["engine"].append(seconds(lambda: _run(engine, groups), bench.device))
        times["published"].append(seconds(lambda: _naive(bench, groups), bench.device))
    engine_s, published_s = (statistics.median(own) for own in times.values())
    computed = flops(bench.model.config, sum(map(naive_work, groups), Work()))
    yield {
        "chains": len(groups),
        "steps": STEPS,
        "prefixes": sum(map(len, groups)),
        "engine_seconds": engine_s,
        "published_seconds": published_s,
        "ratio": published_s / engine_s,
        "engine_utilisation": utilisation(bench, groups, engine_s)["utilisation"],
        "published_utilisation": computed / published_s / bench.rate,
        "largest_difference_nats": _largest(ours, theirs),
        "all_seconds": times,
    }


@torch.inference_mode()
def _naive(bench: Bench, groups: Sequence[Group]) -> list[np.ndarray]:
    out = []
    for group in groups:
        values = []
        for span in group:
            ids = torch.from_numpy(span.ids).to(bench.device)
            logits = bench.model(input_ids=ids[None], use_cache=False).logits[0]
            log_p = torch.log_softmax(logits.float(), -1)
            scored = log_p[span.start - 1 : -1].gather(-1, ids[span.start :, None])
            values.append(scored.double().sum().item())
        out.append(np.array(values))
    return out


def memory(bench: Bench) -> Iterator[Row]:
    """One chain of 32k tokens and 400 steps: peak memory above weights and KV cache; checks a few prefixes."""
    tokens, steps = bench.memory
    spans = token_spans(even_chain(tokens, steps), bench.model.config.vocab_size, bench.seed)
    row = measure_spans(bench.model, spans, "auto", checked=3)
    yield {"steps": steps, "vocabulary": bench.model.config.vocab_size, **row}


def invariance(bench: Bench) -> Iterator[Row]:
    """Chains scored alone against the same chains in one batch: in the model's type, and for four layers in float32."""
    groups = [*bench.groups("mmlu_pro")[: max(2, bench.count // 8)], *bench.groups("gsm8k")[: max(2, bench.count // 8)]]
    narrow = {**bench.shape, "num_hidden_layers": min(4, bench.shape["num_hidden_layers"])}
    for model in (bench.model, make_model(narrow, bench.device, torch.float32)):
        engine = make_engine(model)
        together = _run(engine, groups)
        alone = [_run(engine, [group])[0] for group in groups]
        apart = np.concatenate([np.abs(a - b) for a, b in zip(alone, together, strict=True)])
        yield {
            "dtype": str(model.dtype).removeprefix("torch."),
            "layers": model.config.num_hidden_layers,
            "chains": len(groups),
            "values": len(apart),
            "p99_nats": float(np.quantile(apart, 0.99)),
            "max_nats": float(apart.max()),
        }


def compiled(bench: Bench) -> Iterator[Row]:
    """torch.compile with lengths left dynamic: the first run, which compiles, and later ones.

    Compiles whole decoder layers, or only the parts of each layer that do not use the cache: norms and MLP.
    """
    groups = bench.groups("mmlu_pro")
    plain = bench.engine(bench.attentions[0])
    _run(plain, groups)
    without = statistics.median(seconds(lambda: _run(plain, groups), bench.device) for _ in range(bench.rounds))
    layers = list(bench.model.model.layers)
    norms_and_mlp = [(layer.input_layernorm, layer.post_attention_layernorm, layer.mlp) for layer in layers]
    for what, modules in (("norms and MLP", list(chain.from_iterable(norms_and_mlp))), ("layers", layers)):
        with _compiled(modules):
            # The engine tries its masks on the model, so the first passes are compiled here.
            first = seconds(lambda: _run(bench.engine(bench.attentions[0]), groups), bench.device)
            engine = bench.engine(bench.attentions[0])
            later = [seconds(lambda e=engine: _run(e, groups), bench.device) for _ in range(bench.rounds)]
        after = statistics.median(later)
        yield {
            "compiled": what,
            "seconds": without,
            "first_compiled_seconds": first,
            "compiled_seconds": after,
            "utilisation": utilisation(bench, groups, without)["utilisation"],
            "compiled_utilisation": utilisation(bench, groups, after)["utilisation"],
            "runs_until_it_pays": _runs_until(first - without, without - after),
        }


@contextmanager
def _compiled(modules: Sequence[Any]) -> Iterator[None]:
    torch._dynamo.reset()
    for module in modules:
        module.compile(dynamic=True)
    try:
        yield
    finally:
        for module in modules:
            module._compiled_call_impl = None


def _runs_until(cost: float, saved: float) -> float | None:
    """The number of runs of this size after which compiling pays for itself; None: never."""
    return max(cost, 0.0) / saved if saved > 0 else None


def profile(bench: Bench) -> Iterator[Row]:
    """Where the time of one run over MMLU-Pro chains goes; the profiler's tables go into `profile.txt`."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    groups = bench.groups("mmlu_pro")
    engine = bench.engine(bench.attentions[0])
    _run(engine, groups)
    on_gpu = bench.device.startswith("cuda")
    with profiler(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as recorded:
        taken = seconds(lambda: _run(engine, groups), bench.device)
    averages = recorded.key_averages()
    orders = ("self_cuda_time_total", "self_cpu_time_total") if on_gpu else ("self_cpu_time_total",)
    tables = [averages.table(sort_by=order, row_limit=40, max_name_column_width=90) for order in orders]
    (bench.out / "profile.txt").write_text("\n\n".join(tables) + "\n")
    if on_gpu:
        # Operators include their kernels' time, so add up only the kernels.
        kernels = [event for event in averages if event.device_type.name == "CUDA"]
        times = {event.key: event.self_device_time_total / 1e6 for event in kernels if not event.is_user_annotation}
    else:
        times = {event.key: event.self_cpu_time_total / 1e6 for event in averages}
    busy = sum(times.values())
    for name, spent in sorted(times.items(), key=lambda item: -item[1])[:12]:
        yield {"kernel": name, "seconds": spent, "share_of_kernels": spent / busy, "share_of_run": spent / taken}
    yield {"kernel": "all", "seconds": busy, "share_of_kernels": 1.0, "share_of_run": busy / taken}


def _run(engine: Engine, groups: Sequence[Group]) -> list[np.ndarray]:
    """Score the groups. Raises RuntimeError for a chain that was not scored, since its time would be meaningless."""
    results = log_likelihoods(engine, groups, lambda _: None)
    out = [result for result in results if isinstance(result, np.ndarray)]
    if len(out) < len(results):
        reason = next(result.reason for result in results if not isinstance(result, np.ndarray))
        raise RuntimeError(f"{len(results) - len(out)} of {len(results)} chains were not scored: {reason}")
    return out


def _largest(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "throughput": throughput,
    "naive": naive,
    "memory": memory,
    "invariance": invariance,
    "budgets": budgets,
    "profile": profile,
    "compiled": compiled,
}
