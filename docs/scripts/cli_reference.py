"""Writes docs/cli.md, the reference of the command line, from the parsers; with --check says whether it is stale.

    python docs/scripts/cli_reference.py [--check]

`make docs` does the first, `make check` the second.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from stepgauge.adapters.cli.commands import build_parser
from stepgauge.adapters.cli.help import with_those_below

PAGE = Path(__file__).parents[1] / "cli.md"
WIDTH = "100"
INTRODUCTION = """\
# Command line

What each command prints with `--help`, written by `make docs` from the parsers. [Recipes](recipes.md) use them.

A shell completes commands, options and files once it has the script that `--print-completion` prints, for bash:

```bash
pip install 'stepgauge[completion]'
stepgauge --print-completion bash > ~/.local/share/bash-completion/completions/stepgauge
```

For zsh the script goes into a folder of `$fpath`, as `_stepgauge`. `score`, `show`, `compare`, `repeats` and
`calibration` fit their tables to the terminal, or to COLUMNS where the output is piped; NO_COLOR turns colour off.
"""


def reference() -> str:
    """The page: a section for each command."""
    os.environ["COLUMNS"] = WIDTH  # argparse takes the terminal's width from here, when it formats
    return INTRODUCTION + "".join(map(_section, with_those_below(build_parser())))


def _section(parser: argparse.ArgumentParser) -> str:
    level = min(3, 2 + parser.prog.count(" ") // 2)  # of `stepgauge corpus build`: below `stepgauge corpus`
    return f"\n{'#' * level} {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n"


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
