"""Estimate what scoring will cost, from the chains' lengths alone: tokens, operations, time on accelerators."""

from __future__ import annotations

import argparse

from rich.table import Table

from ..formats.detect import FORMATS, find_sources
from ..formats.options import Wanted, read_settings
from ..offline.estimate import ACCELERATORS, estimate
from .errors import UserError
from .limit import add_limit, limit_of
from .terminal import console_of

EXAMPLES = (
    ("stepgauge estimate out --scorer Qwen/Qwen2.5-7B", "before a run of hours"),
    ("stepgauge estimate out --scorer Qwen/Qwen2.5-72B --limit 500", "from a part of the chains"),
)
PAGE = "docs/scale.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or globs, as for `stepgauge score`")
    parser.add_argument("--format", choices=sorted(FORMATS), help="what the files are (default: by what is in them)")
    parser.add_argument("--scorer", help="the scoring LM; only its tokenizer and configuration are read")
    parser.add_argument("--controls", nargs="+", metavar="NAME", help="controls that will be measured, too")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option; JSON or text")
    parser.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="read only such rows")
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
    settings = read_settings(args.set, scorer=args.scorer, controls=args.controls)
    if settings.gauge.get("scorer", "") is None:
        raise UserError("--scorer null: nothing would be computed by a scoring LM")
    sources = find_sources(args.paths, format=args.format, settings=settings, wanted=Wanted.parse(args.where))
    try:
        work = estimate(sources, settings.gauge, limit_of(args))
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    console = console_of()
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
        rate = work.chains_per_second(tflops, args.utilisation)
        table.add_row(name, f"{tflops:,.0f}", _short(rate), _short(1e6 / rate / 3600))
    console.print(table)
    if settings.gauge.get("backend") == "vllm":
        times = f"{work.alone / work.tokens:.1f} times these hours"
        console.print(f"vLLM computes every prefix anew unless it replays answers (docs/served.md): then {times}.")
    print(
        f"Not measured: bfloat16 dense peak rates of the vendors' data sheets, {100 * args.utilisation:.0f} % of them "
        "in use, and a host that keeps up. Whether the model fits in the memory is not looked at."
    )
    return 0


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
