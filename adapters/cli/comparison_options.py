"""Options that `stepgauge compare` and `stepgauge report` share, and the comparisons they ask for."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...metrics.comparison import Comparison, Run, Settings, compare_runs
from ...metrics.comparison.compare import DECIDING
from ...metrics.comparison.series import Series, in_order, series_of
from ...metrics.names import unknown_name
from .errors import UserError


def add_reading(parser: argparse.ArgumentParser) -> None:
    """What is read of the runs and how they are paired."""
    parser.add_argument("--base", metavar="NAME", help="which of the runs is the base (default: the first)")
    parser.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="only such chains")
    parser.add_argument(
        "--pair-by", choices=("auto", "id", "question"), default="auto", help="what makes two chains a pair"
    )
    parser.add_argument("--accuracy", metavar="NAME", help="the run's metric that counts (default: the first of both)")
    parser.add_argument("--resamples", type=int, default=9999, metavar="N", help="bootstrap and permutations (9999)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default 0)")
    parser.add_argument("--force", action="store_true", help="compare though scorer or template differ")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_reading(parser)
    parser.add_argument(
        "--by", choices=("task", "subject"), default="task", help="a table per task (default) or subject"
    )
    parser.add_argument(
        "--reasoning",
        action="append",
        metavar="MEASURE",
        help=f"a measure that decides about reasoning (default: {', '.join(DECIDING)})",
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="significance level (default 0.05)")
    parser.add_argument("--power", type=float, default=0.8, help="power wanted (default 0.8)")
    parser.add_argument(
        "--smallest-share",
        type=float,
        default=0.05,
        metavar="X",
        help="difference in accuracy or another share that matters (0.05)",
    )
    parser.add_argument(
        "--smallest-gain", type=float, default=0.2, metavar="SD", help="in nats: likewise, in SDs of base (0.2)"
    )
    parser.add_argument(
        "--series",
        metavar="UNIT",
        help="the runs are checkpoints of one training, by the last numbers in their names or else in order: when did "
        'reasoning turn? UNIT is what counts them, such as "step"',
    )


def reading(args: argparse.Namespace) -> Settings:
    """Settings from the options of `add_reading`. Raises UserError for a number out of range."""
    if args.resamples < 999:  # with fewer, no p can stay below alpha after Holm's correction
        raise UserError(f"--resamples {args.resamples}: expected 999 or more")
    return Settings(
        pair_by=args.pair_by, accuracy=args.accuracy, resamples=args.resamples, seed=args.seed, force=args.force
    )


def settings(args: argparse.Namespace) -> Settings:
    """The comparison settings from the arguments. Raises UserError for what is out of range, and for a wrong unit."""
    for name, low, high in (
        ("alpha", 0, 1),
        ("power", 0, 1),
        ("smallest_share", 0, 1),
        ("smallest_gain", 0, 99),
    ):
        value = getattr(args, name)
        if not low < value < high:
            raise UserError(f"--{name.replace('_', '-')} {value}: expected a number between {low} and {high}")
    if args.series is not None and (not args.series.strip() or Path(args.series).exists()):
        raise UserError(f"--series {args.series}: expected what counts the checkpoints, such as step, and no path")
    return replace(
        reading(args),
        by=args.by,
        deciding=tuple(args.reasoning or DECIDING),
        alpha=args.alpha,
        power=args.power,
        smallest_share=args.smallest_share,
        smallest_gain=args.smallest_gain,
    )


def read_runs(args: argparse.Namespace) -> list[Run]:
    """The runs named on the command line, the base first; a series in its order. Raises OptionError and UserError."""
    from ..runs.load import load_runs, nothing_collected

    with nothing_collected():
        runs = load_runs(args.runs, where=args.where)
        gc.freeze()  # they stay until the command's end: no need to visit them later, either
    names = [run.name for run in runs]
    if args.base is not None:
        if args.base not in names:
            raise UserError(f"--base: {unknown_name('run', args.base, names)}")
        runs.sort(key=lambda run: run.name != args.base)
    if getattr(args, "series", None) is not None and runs:
        runs = [runs[i] for i in in_order([run.name for run in runs], base=args.base is not None)]
    return runs


def series(args: argparse.Namespace, comparisons: Sequence[Comparison]) -> Series | None:
    """The comparisons as a series, where the command line asks for one. Raises UserError where they are none."""
    if args.series is None:
        return None
    if not comparisons:
        raise UserError("--series: two or more runs are needed, the base and a checkpoint")
    return series_of(comparisons, args.series)


def compare_all(runs: Sequence[Run], chosen: Settings) -> list[Comparison]:
    """Each run against the first. Raises NotComparable."""
    return [compare_runs(runs[0], run, chosen) for run in runs[1:]]
