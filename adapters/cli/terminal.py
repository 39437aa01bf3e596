"""How wide a command prints: as `--width` says, else as COLUMNS or the terminal does; a file or pipe has no width."""

from __future__ import annotations

import argparse
import shutil

from rich.console import Console

_PIPED = 140  # columns where nothing says how many there are
_WIDEST = 160  # of running text and of a chain: longer lines are hard to read


def add_width(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--width", type=int, help="columns (default: the terminal's)")


def width_of(given: int | None = None) -> int:
    """Columns for a table, which may be as wide as the terminal is."""
    return given or shutil.get_terminal_size((_PIPED, 24)).columns


def text_width_of(given: int | None = None) -> int:
    """Columns for text."""
    return given or min(width_of(), _WIDEST)


def console_of(given: int | None = None) -> Console:
    """A console for tables, without colour where the output is no terminal or NO_COLOR is set."""
    return Console(width=width_of(given), highlight=False)
