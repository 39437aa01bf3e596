"""Writes docs/cli.md, the reference of the command line, from the parsers; with --check says whether it is stale.

    python docs/scripts/cli_reference.py [--check]

`make docs` does the first, `make check` the second.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from stepgauge.adapters.cli.commands import build_parser

PAGE = Path(__file__).parents[1] / "cli.md"
WIDTH = "100"
INTRODUCTION = """\
# Command line

What each command prints with `--help`, written by `make docs` from the parsers. [Recipes](recipes.md) use them.
"""


def reference() -> str:
    """The page: a section for each command."""
    os.environ["COLUMNS"] = WIDTH  # argparse takes the terminal's width from here, when it formats
    return INTRODUCTION + "".join(_sections(build_parser()))


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The help of a parser and all below it, in their order."""
    level = min(3, 2 + parser.prog.count(" ") // 2)  # of `stepgauge corpus build`: below `stepgauge corpus`
    yield f"\n{'#' * level} {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n"
    for action in parser._actions:  # argparse has no public way to list subcommands
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _sections(sub)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where the page is stale")
    check = parser.parse_args().check
    if sys.version_info >= (3, 13):  # there argparse lays options out otherwise
        print(f"{PAGE.name} is written and checked by a Python before 3.13: left as it is", file=sys.stderr)
        return 0
    text = reference()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        print(f"docs/{PAGE.name} is not what the parsers say: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
