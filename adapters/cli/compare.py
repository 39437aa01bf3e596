"""Compare runs question by question: did accuracy rise, and did reasoning fall?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from ...metrics.calibration import Calibration, calibrations_of
from ...metrics.calibration.render import markdown as calibration_markdown
from ...metrics.calibration.render import print_calibration
from ...metrics.comparison import Comparison
from ...metrics.comparison.render import markdown, print_comparison
from ...metrics.comparison.results import VerdictName
from ...metrics.comparison.series import Series
from ...metrics.comparison.series_render import markdown as series_markdown
from ...metrics.comparison.series_render import print_series
from ...metrics.names import unknown_name
from ...metrics.repeats import Repeats, repeats_in
from ...metrics.repeats.render import markdown as repeats_markdown
from ...metrics.repeats.render import print_repeats
from ..offline.whole_file import write_whole
from . import comparison_options, comparison_output
from .csv_output import as_csv
from .errors import UserError

EXAMPLES = (
    ("stepgauge compare base=scores/base tuned=scores/tuned", "what became of accuracy, and of reasoning"),
    ("stepgauge compare base=out tuned=out-2 --fail-on trap,regression", "in CI: an exit code"),
    ("stepgauge compare base=out tuned=out-2 --format csv", "for a spreadsheet"),
    ("stepgauge compare training/stepgauge/step-* --series step", "checkpoints: when did reasoning turn?"),
)
EXIT_CODES = ("0 done", "2 wrong input: one line says which", "3 a verdict of --fail-on")
PAGE = "docs/compare.md"

FAILED = 3  # exit code if --fail-on names a verdict that occurred
_VERDICTS = get_args(VerdictName)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="[NAME=]PATH[::MODEL]; the first is the base")
    comparison_options.add_arguments(parser)
    comparison_output.add_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write comparison.json, .md and .csv there")
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="VERDICT",
        help=f"exit with code {FAILED} if a task or the whole gets it: {', '.join(_VERDICTS)}; commas or repeated",
    )


def run(args: argparse.Namespace) -> int:
    unwanted = _verdicts(args.fail_on)
    chosen = comparison_options.settings(args)  # before reading files, so that a mistake is reported at once
    runs = comparison_options.read_runs(args)
    if len(runs) < 2:
        raise UserError(f"two or more runs are needed, {args.runs[0]} holds one ({runs[0].name if runs else 'none'})")
    comparisons = comparison_options.compare_all(runs, chosen)
    repeats = [repeats_in(runs[0], tuned, chosen) for tuned in runs[1:]]
    calibrations = [calibrations_of(runs[0], tuned, chosen, beside_accuracy=True) for tuned in runs[1:]]
    series = comparison_options.series(args, comparisons)
    tables = _Tables(comparisons, repeats, calibrations, series)
    if args.out is not None:
        _write(args.out, tables)
    if args.format == "json":
        print(_json(tables))
    elif args.format == "csv":
        print(_csv(comparisons), end="")
    elif args.format == "markdown":
        print(_markdown(tables))
    elif series is not None:  # the comparisons themselves are in --out and the other formats
        print_series(series, comparison_output.console_for(args, runs))
    else:
        console = comparison_output.console_for(args, runs)
        for index, comparison in enumerate(comparisons):
            if index:
                console.print()
            print_comparison(comparison, console)
            if repeats[index]:
                console.print()
                comparison_output.print_each(repeats[index], print_repeats, console)
            if calibrations[index]:
                console.print()
                comparison_output.print_each(calibrations[index], print_calibration, console)
    found = [
        f"{comparison.tuned}, {task.task or 'overall'}: {task.verdict.name}"
        for comparison in comparisons
        for task in comparison.all
        if task.verdict.name in unwanted
    ]
    for line in found:
        print(f"stepgauge: --fail-on: {line}", file=sys.stderr)
    return FAILED if found else 0


def _verdicts(given: Sequence[str]) -> set[str]:
    names = [name.strip() for one in given for name in one.split(",")]
    for name in names:
        if name not in _VERDICTS:
            raise UserError(f"--fail-on: {unknown_name('verdict', name, _VERDICTS)}")
    return set(names)


class _Tables(NamedTuple):
    """Comparisons with what belongs to each, in the same order, and the series that they are."""

    comparisons: Sequence[Comparison]
    repeats: Sequence[Sequence[Repeats]]
    calibrations: Sequence[Sequence[Calibration]]
    series: Series | None

    @property
    def each(self) -> Iterator[tuple[Comparison, Sequence[Repeats], Sequence[Calibration]]]:
        return zip(self.comparisons, self.repeats, self.calibrations, strict=True)


def _json(tables: _Tables) -> str:
    """The comparisons, with the other tables of each under `repeats` and `calibration`; a series before them."""
    whole = [
        {
            **comparison.to_dict(),
            "repeats": [one.to_dict() for one in repeats],
            "calibration": [one.to_dict() for one in calibrations],
        }
        for comparison, repeats, calibrations in tables.each
    ]
    if tables.series is not None:
        return comparison_output.as_json({"series": tables.series.to_dict(), "comparisons": whole})
    return comparison_output.as_json(whole)


def _csv(comparisons: Sequence[Comparison]) -> str:
    """The rows of the comparisons; `repeats` and `calibration` print theirs by themselves."""
    told = [(one, task) for one in map(Comparison.to_dict, comparisons) for task in (*one["tasks"], one["overall"])]
    return as_csv(
        {"base": one["base"], "tuned": one["tuned"], **task, "verdict": task["verdict"]["name"]}
        for one, task in told
        if task is not None
    )


def _markdown(tables: _Tables) -> str:
    before = "" if tables.series is None else series_markdown(tables.series) + "\n"
    return before + "\n".join(
        "\n".join((markdown([comparison]), repeats_markdown(repeats), calibration_markdown(calibrations)))
        for comparison, repeats, calibrations in tables.each
    )


def _write(folder: Path, tables: _Tables) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "comparison.json", _json(tables) + "\n")
        write_whole(folder / "comparison.md", _markdown(tables))
        write_whole(folder / "comparison.csv", _csv(tables.comparisons))
    except OSError as error:
        raise UserError(f"--out {folder}: {error}") from error
