"""Split what several responses to each question say: accuracy, variance, pass@k, pass^k, votes, by length."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console

from ...metrics.repeats import Repeats, repeats_in
from ...metrics.repeats.render import markdown, print_repeats
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
    found: list[Repeats] = []
    for tuned in runs[1:] or [None]:
        found += repeats_in(runs[0], tuned, chosen)
    if not found:
        raise UserError(
            f"{', '.join(args.runs)}: no question has two responses or more" + (" in both" * (len(runs) > 1))
        )
    if args.format == "json":
        print(json.dumps([one.to_dict() for one in found], indent=1, allow_nan=False))
    elif args.format == "markdown":
        print(markdown(found))
    else:
        width = args.width or (None if sys.stdout.isatty() else _WIDE)
        console = Console(width=width, highlight=False)
        for note in dict.fromkeys(f"{one.name}: {note}" for one in runs for note in one.notes):
            console.print(note, markup=False)
        print_all(found, console)
    return 0


def print_all(found: Sequence[Repeats], console: Console) -> None:
    for index, one in enumerate(found):
        if index:
            console.print()
        print_repeats(one, console)
