"""What benchmarks over TAT-QA have in common on the command line: the data, one table, and what was missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.support.labelled import shared_data
from benchmarks.support.run_header import about_run, header


class Measured(NamedTuple):
    """What a benchmark found: its table, a line below it ("" for none), and what `--list` shows."""

    table: Table
    below: str
    missed: list[str]


def run(about: str, argv: Sequence[str] | None, measure: Callable[[Path], Measured]) -> int:
    """Measures on TAT-QA's file in the shared data and prints what was found; returns the exit code.

    Args:
        about: the module's docstring, for `--help`.
        measure: is given the path of the development split.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print what is missed")
    args = parser.parse_args(argv)
    try:
        data = shared_data("tatqa")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    found = measure(data / "tatqa" / "dev.json.gz")
    print(header(about_run()))
    Console(width=150).print(found.table)
    if found.below:
        print(found.below)
    if args.list:
        print("\n".join(found.missed))
    return 0
