"""How wide a command prints: as `--width` says, else as COLUMNS or the terminal does; a file or pipe has no width."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Iterable, Iterator

from rich.console import Console

from .errors import UserError

_NARROWEST = 20
_PIPED = 140  # columns where nothing says how many there are
_WIDEST = 160  # of running text and of a chain: longer lines are hard to read


def add_width(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--width", type=int, help="columns (default: the terminal's)")


def width_of(given: int | None = None) -> int:
    """Columns for a table, which may be as wide as the terminal is."""
    if given is not None and given < _NARROWEST:
        raise UserError(f"--width {given}: expected {_NARROWEST} or more")
    return given or shutil.get_terminal_size((_PIPED, 24)).columns


def text_width_of(given: int | None = None) -> int:
    """Columns for text."""
    return width_of(given) if given else min(width_of(), _WIDEST)


def console_of(given: int | None = None) -> Console:
    """A console for tables, without colour where the output is no terminal or NO_COLOR is set."""
    return Console(width=width_of(given), highlight=False, emoji=False)


def wrapped(text: str, width: int, first: str, rest: str | None = None) -> list[str]:
    """Lines of at most `width` columns with these beginnings; words, such as names of numbers, are never broken."""
    rest = first if rest is None else rest
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def listing(about: str, sections: Iterable[tuple[str, Iterable[tuple[str, ...]]]], width: int) -> Iterator[str]:
    """A list as lines for a terminal: an entry wraps over as many lines as it needs, and names are never cut.

    Args:
        sections: headings, each with its entries: a title, and paragraphs below it, of which empty ones are left out.
    """
    yield from wrapped(about, width, "")
    for heading, entries in sections:
        yield f"\n{heading}"
        for title, *paragraphs in entries:
            yield from wrapped(title, width, "  ", "      ")
            for text in filter(None, paragraphs):
                yield from wrapped(text, width, "      ")
