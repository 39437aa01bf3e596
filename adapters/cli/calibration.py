"""Is a run as sure as it is right, and does it abstain where it should: ECE, Brier score, AUROC, AURC, rates."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console

from ...metrics.calibration import Calibration, calibrations_of
from ...metrics.calibration.render import markdown, print_calibration
from . import comparison_options
from .errors import UserError

_WIDE = 140


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="[NAME=]PATH[::MODEL]; the first is the base")
    comparison_options.add_reading(parser)
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table", help="what is printed")
    parser.add_argument("--width", type=int, help="columns (default: the terminal's)")


def run(args: argparse.Namespace) -> int:
    chosen = comparison_options.reading(args)
    runs = comparison_options.read_runs(args)
    found: list[Calibration] = []
    for tuned in runs[1:] or [None]:
        found += calibrations_of(runs[0], tuned, chosen)
    if not any(one.rows for one in found):
        reasons = "; ".join(dict.fromkeys(why for one in found for all_of in one.missing.values() for why in all_of))
        raise UserError(f"{', '.join(args.runs)}: no response has a confidence{': ' * bool(reasons)}{reasons}")
    if args.format == "json":
        print(json.dumps([one.to_dict() for one in found], indent=1, allow_nan=False))
    elif args.format == "markdown":
        print(markdown(found))
    else:
        console = Console(width=args.width or (None if sys.stdout.isatty() else _WIDE), highlight=False)
        for note in dict.fromkeys(f"{one.name}: {note}" for one in runs for note in one.notes):
            console.print(note, markup=False)
        print_all(found, console)
    return 0


def print_all(found: Sequence[Calibration], console: Console) -> None:
    for index, one in enumerate(one for one in found if one.rows):
        if index:
            console.print()
        print_calibration(one, console)
