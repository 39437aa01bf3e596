"""Write one HTML page about scored runs: the comparison, plots, and every chain step by step."""

from __future__ import annotations

import argparse
import shlex
import sys
import webbrowser
from pathlib import Path

from ...metrics.printable import printable
from ..report import check_packages, write_figures, write_report
from . import comparison_options
from .errors import UserError

EXAMPLES = (
    ("stepgauge report scores", "one run"),
    ("stepgauge report base=scores/base tuned=scores/tuned --output report.html --figures figures", "two, compared"),
)
PAGE = "docs/report.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="[NAME=]PATH[::MODEL]; the first is the base")
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="default: report.html")
    parser.add_argument("--title", help="the page's heading")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="also write the plots there, as PNG and SVG")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    comparison_options.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    check_packages()
    chosen = comparison_options.settings(args)  # before reading files, so that a mistake is reported at once
    runs = comparison_options.read_runs(args)
    for one in runs:
        if not any(record.scored for record in one.records):
            command = f"stepgauge score {shlex.quote(one.source)} --out DIR"
            raise UserError(f"{one.source}: holds no scores, which a report shows; score it first: {command}")
    comparisons = comparison_options.compare_all(runs, chosen)
    series = comparison_options.series(args, comparisons)
    try:
        write_report(runs, comparisons, args.output, title=args.title, series=series)
        names = printable(", ".join(run.name for run in runs))
        print(f"{args.output}: {sum(len(run.records) for run in runs):,} chains of {names}")
        if args.figures is not None:
            for path in write_figures(runs, comparisons, args.figures, series=series):
                print(path)
    except OSError as error:
        raise UserError(str(error)) from error
    if args.open:
        _open(args.output)
    return 0


def _open(page: Path) -> None:
    """Open the page in the browser that the system or $BROWSER names; where there is none, say so."""
    address = page.resolve().as_uri()
    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        print(f"no browser was found on this machine; open {address} in one", file=sys.stderr)
