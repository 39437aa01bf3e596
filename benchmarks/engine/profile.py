"""Where the engine's time goes on real chains: by kind of operation on the CPU, and outside torch.

STEPGAUGE_SHARED=… python -m benchmarks.engine.profile [--sets gsm8k joined100] [--limit 4]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from ..support.labelled import shared_data
from .chains import SETS, requests_of
from .scorer import announce, load_scorer

# torch's operators by purpose; the rest is summed up as element-wise operations and copies.
_KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear", "aten::matmul"),
    "attention": ("aten::_scaled_dot_product_flash_attention_for_cpu", "aten::scaled_dot_product_attention"),
    "log-softmax of kept logits": ("aten::logsumexp", "aten::exp_", "aten::sum", "aten::amax", "aten::index"),
}


def shares(backend, requests) -> tuple[dict[str, float], float]:
    """Seconds by kind of operation in one run, and the run's wall-clock seconds."""
    backend.score(requests, lambda _: None)
    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        backend.score(requests, lambda _: None)
    wall = time.perf_counter() - started
    kinds = {name: kind for kind, names in _KINDS.items() for name in names}
    seconds: Counter[str] = Counter()
    for event in profiler.key_averages():
        seconds[kinds.get(event.key, "element-wise operations and copies")] += event.self_cpu_time_total / 1e6
    seconds["outside torch: tokenizing, tries, Python"] = max(0.0, wall - seconds.total())
    return dict(seconds.most_common()), wall


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["gsm8k", "joined100"])
    parser.add_argument("--limit", type=int, default=4, help="chains of each set")
    parser.add_argument("--scorer", default="smollm2")
    args = parser.parse_args(arguments)
    try:
        data = shared_data(*{SETS[name].data for name in args.sets})
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    backend = load_scorer(args.scorer, "cpu", "float32")
    announce(backend, "engine_profile", arguments)
    for name in args.sets:
        chains = SETS[name]
        traces = chains.read(data, min(args.limit, chains.count))
        seconds, wall = shares(backend, requests_of(traces, chains.splitter))
        table = Table("kind", "s", "share", title=f"{name}: {len(traces)} chains, {wall:.2f} s")
        for kind, value in seconds.items():
            table.add_row(kind, f"{value:.2f}", f"{100 * value / wall:.1f} %")
        Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
