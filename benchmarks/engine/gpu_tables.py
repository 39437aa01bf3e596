"""Prints the tables of `benchmarks.engine.gpu` in the format of RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
Format = Callable[[Any], str]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _gib(value: float) -> str:
    return f"{value / 2**30:.2f}"


def _tiny(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"


_SPEED: dict[str, tuple[str, Format]] = {
    "workload": ("chains of", str),
    "attention": ("attention", str),
    "token_budget": ("budget", _count),
    "chains": ("chains", _count),
    "unique_tokens": ("unique tokens", _count),
    "computed_tokens": ("computed", _count),
    "padding_share": ("padding", _percent),
    "passes": ("passes", _count),
    "seconds": ("s", _number),
    "tokens_per_second": ("tokens/s", _count),
    "utilisation": ("utilisation", _percent),
    "peak_bytes": ("peak GiB", _gib),
    "peak_ratio": ("peak / (weights + KV)", _number),
}
_COLUMNS: dict[str, dict[str, tuple[str, Format]]] = {
    "throughput": _SPEED,
    "budgets": _SPEED,
    "naive": {
        "chains": ("chains", _count),
        "steps": ("steps", _count),
        "prefixes": ("prefixes", _count),
        "published_seconds": ("(a) s", _number),
        "engine_seconds": ("(e) s", _number),
        "ratio": ("ratio", _number),
        "published_utilisation": ("(a) utilisation", _percent),
        "engine_utilisation": ("(e) utilisation", _percent),
        "largest_difference_nats": ("max diff nats", _tiny),
    },
    "memory": {
        "tokens": ("tokens", _count),
        "steps": ("steps", _count),
        "vocabulary": ("vocabulary", _count),
        "unique_tokens": ("unique tokens", _count),
        "passes": ("passes", _count),
        "seconds": ("s", _number),
        "peak_bytes": ("peak above weights GiB", _gib),
        "kv_bytes": ("KV GiB", _gib),
        "excess_bytes": ("excess GiB", _gib),
        "under_limit": ("< 2 GiB", lambda value: "yes" if value else "NO"),
        "largest_difference_nats": ("max diff nats", _tiny),
    },
    "invariance": {
        "dtype": ("type", str),
        "layers": ("layers", _count),
        "chains": ("chains", _count),
        "values": ("values", _count),
        "p99_nats": ("p99 nats", _tiny),
        "max_nats": ("max nats", _tiny),
    },
    "profile": {
        "kernel": ("kernel", lambda value: str(value)[:70]),
        "seconds": ("s", lambda value: f"{value:.3f}"),
        "share_of_kernels": ("of all kernels", _percent),
        "share_of_run": ("of the run", _percent),
    },
    "compiled": {
        "compiled": ("compiled", str),
        "seconds": ("without s", _number),
        "first_compiled_seconds": ("first run s", _number),
        "compiled_seconds": ("later runs s", _number),
        "utilisation": ("without utilisation", _percent),
        "compiled_utilisation": ("later utilisation", _percent),
        "runs_until_it_pays": ("runs until it pays", _number),
    },
}
TITLES = {
    "throughput": "Utilisation of the matrix rate, speed and memory",
    "naive": "The published algorithm (a) against the engine (e)",
    "memory": "One long chain",
    "invariance": "Alone against in a batch",
    "budgets": "Token budgets",
    "profile": "Where the time goes",
    "compiled": "torch.compile",
}


def show(console: Console, part: str, rows: Sequence[Row]) -> None:
    """Print one part's rows under its title."""
    columns = _COLUMNS[part]
    table = Table(*(title for title, _ in columns.values()), box=box.MARKDOWN)
    for row in rows:
        table.add_row(*(form(row[name]) for name, (_, form) in columns.items()))
    console.print(f"\n**{TITLES[part]}**", highlight=False, markup=False)
    console.print(table)
