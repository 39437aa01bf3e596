"""How `compare`, `repeats` and `calibration` print what they found: options, formats, width, notes about the runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from rich.console import Console

from ...metrics.comparison import Run
from ...metrics.printable import printable
from .terminal import add_width, console_of

Table = TypeVar("Table")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("table", "markdown", "json", "csv"), default="table", help="what is printed"
    )
    add_width(parser)


def as_json(tables: Any) -> str:
    return json.dumps(tables, indent=1, allow_nan=False)


def console_for(args: argparse.Namespace, runs: Sequence[Run]) -> Console:
    """A console on which the notes about the runs stand already."""
    console = console_of(args.width)
    for note in dict.fromkeys(f"{one.name}: {note}" for one in runs for note in one.notes):
        console.print(printable(note), markup=False)
    return console


def print_each(tables: Iterable[Table], print_one: Callable[[Table, Console], None], console: Console) -> None:
    """Print tables, an empty line between them."""
    for index, one in enumerate(tables):
        if index:
            console.print()
        print_one(one, console)
