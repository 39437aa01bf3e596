"""Estimate what scoring will cost, from the chains' lengths alone: tokens, operations, calls of servers, price."""

from __future__ import annotations

import argparse
import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...metrics.printable import printable
from ..formats.detect import FORMATS, find_sources
from ..formats.options import Settings, Wanted, read_settings
from ..offline.asked_servers import Asked, asked_servers
from ..offline.estimate import ACCELERATORS, Work, estimate
from .errors import UserError
from .limit import add_limit, limit_of
from .preset import add_preset
from .terminal import console_of

EXAMPLES = (
    ("stepgauge estimate out --scorer Qwen/Qwen2.5-7B", "before a run of hours"),
    ("stepgauge estimate out --scorer Qwen/Qwen2.5-72B --limit 500", "from a part of the chains"),
    (
        'stepgauge estimate out --scorer null --preset paper --set endpoint=\'{"base_url": '
        '"http://localhost:8000/v1", "model": "gpt-4o"}\'',
        "calls of a server, and their price",
    ),
)
PAGE = "docs/scale.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or globs, as for `stepgauge score`")
    parser.add_argument("--format", choices=sorted(FORMATS), help="what the files are (default: by what is in them)")
    parser.add_argument("--scorer", help="the scoring LM; only its tokenizer and configuration are read")
    parser.add_argument("--controls", nargs="+", metavar="NAME", help="controls that will be measured, too")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option; JSON or text")
    parser.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="read only such rows")
    add_preset(parser)
    add_limit(parser, "chains")
    parser.add_argument(
        "--utilisation",
        type=float,
        default=0.4,
        metavar="SHARE",
        help="share of an accelerator's peak rate that is assumed (default 0.4)",
    )


def run(args: argparse.Namespace) -> int:
    if not 0 < args.utilisation <= 1:
        raise UserError(f"--utilisation {args.utilisation}: expected a share above 0, at most 1")
    settings = read_settings(args.set, scorer=args.scorer, controls=args.controls, preset=args.preset)
    has_scorer = settings.gauge.get("scorer", "") is not None
    console = console_of()
    work: Work | None = None
    try:
        if not has_scorer and not asked_servers((), settings.gauge, 0).parts:  # before anything is read
            raise UserError("--scorer null: nothing would be computed by a scoring LM, and no server is asked")
        sources = find_sources(args.paths, format=args.format, settings=settings, wanted=Wanted.parse(args.where))
        asked = asked_servers(sources, settings.gauge, limit_of(args))
        if has_scorer:
            for source in sources:
                source.done = 0
            work = estimate(sources, settings.gauge, limit_of(args))
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    if work is not None:
        _print_work(console, settings, work, args.utilisation)
    if asked.parts:
        _print_asked(console, asked)
    return 0


def _print_work(console: Console, settings: Settings, work: Work, utilisation: float) -> None:
    if not work.chains:
        raise UserError(f"none of {work.unscored:,} chains can be scored; `stepgauge score --dry-run` says why")
    print(f"{work.chains:,} chains to score, {work.unscored:,} more without likelihoods")
    print(
        f"{work.tokens:,} tokens through the model, {work.tokens / work.chains:,.0f} a chain; "
        f"{work.alone:,} if every prefix went alone ({work.alone / work.tokens:.1f}×), as on a server without a cache"
    )
    print(
        f"{_short(work.operations / work.chains / 1e12)} TFLOP a chain: 2 × {_short(work.parameters / 1e9)} billion "
        "parameters × tokens, and attention"
    )
    table = Table(box=None, pad_edge=False)
    for title in ("estimate", "peak TFLOP/s", "chains/s", "GPU hours per 10⁶ chains"):
        table.add_column(title, justify="left" if title == "estimate" else "right")
    for name, tflops in ACCELERATORS.items():
        rate = work.chains_per_second(tflops, utilisation)
        table.add_row(name, f"{tflops:,.0f}", _short(rate), _short(1e6 / rate / 3600))
    console.print(table)
    if settings.gauge.get("backend") == "vllm":
        times = f"{work.alone / work.tokens:.1f} times these hours"
        console.print(f"vLLM computes every prefix anew unless it replays answers (docs/served.md): then {times}.")
    print(
        f"Not measured: bfloat16 dense peak rates of the vendors' data sheets, {100 * utilisation:.0f} % of them "
        "in use, and a host that keeps up. Whether the model fits in the memory is not looked at."
    )


def _print_asked(console: Console, asked: Asked) -> None:
    chains = max(1, asked.chains)
    print(
        f"{asked.chains:,} chains of {asked.steps / chains:.1f} steps, with {asked.claims:,} claims at most "
        f"({asked.claims / chains:.1f} a chain)"
    )
    table = Table(box=None, pad_edge=False)
    for title in ("asked of a server", "model", "calls", "calls a chain", "tokens in", "tokens out", "cost"):
        left = title in ("asked of a server", "model")
        table.add_column(title, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for part in asked.parts:
        cost = "–" if math.isnan(part.cost) else f"{part.cost:,.2f}"
        tokens = (f"{part.prompt_tokens:,.0f}", f"{part.completion_tokens:,.0f}")
        name = Text(printable(part.model))
        table.add_row(part.name, name, f"{part.calls:,}", f"{part.calls / chains:.1f}", *tokens, cost)
    console.print(table)
    print(
        "At most: every claim that may be found, every reply as long as it may be expected, nothing from the cache; a "
        "token is taken for four characters. Steps as a rule cuts them where an LM would. Nothing was sent. Costs are "
        "in the currency of prompt_price and completion_price."
    )


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
