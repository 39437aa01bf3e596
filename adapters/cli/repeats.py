"""Split what several responses to each question say: accuracy, variance, pass@k, pass^k, votes, by length."""

from __future__ import annotations

import argparse

from ...metrics.repeats import Repeats, repeats_in
from ...metrics.repeats.render import markdown, print_repeats
from . import comparison_options, comparison_output
from .csv_output import as_csv
from .errors import UserError

EXAMPLES = (
    ("stepgauge repeats out", "one run with several responses to each question"),
    ("stepgauge repeats base=out tuned=out-2 --format markdown", "two, as Markdown"),
)
PAGE = "docs/repeats.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="[NAME=]PATH[::MODEL]; the first is the base")
    comparison_options.add_reading(parser)
    comparison_output.add_arguments(parser)


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
        print(comparison_output.as_json([one.to_dict() for one in found]))
    elif args.format == "csv":
        print(as_csv(one.to_dict() for one in found), end="")
    elif args.format == "markdown":
        print(markdown(found))
    else:
        console = comparison_output.console_for(args, runs)
        comparison_output.print_each(found, print_repeats, console)
    return 0
