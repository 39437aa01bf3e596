"""Is a run as sure as it is right, and does it abstain where it should: ECE, Brier score, AUROC, AURC, rates."""

from __future__ import annotations

import argparse

from ...metrics.calibration import Calibration, calibrations_of
from ...metrics.calibration.render import markdown, print_calibration
from . import comparison_options, comparison_output
from .csv_output import as_csv
from .errors import UserError

EXAMPLES = (
    ("stepgauge calibration scores", "one run"),
    ("stepgauge calibration base=scores/base tuned=scores/tuned", "two, with their difference"),
)
PAGE = "docs/calibration.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="[NAME=]PATH[::MODEL]; the first is the base")
    comparison_options.add_reading(parser)
    comparison_output.add_arguments(parser)


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
        print(comparison_output.as_json([one.to_dict() for one in found]))
    elif args.format == "csv":
        print(as_csv(one.to_dict() for one in found), end="")
    elif args.format == "markdown":
        print(markdown(found))
    else:
        console = comparison_output.console_for(args, runs)
        comparison_output.print_each((one for one in found if one.rows), print_calibration, console)
    return 0
