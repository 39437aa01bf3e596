"""Parses the command line and calls the module of the subcommand."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from ...metrics.errors import StepgaugeError
from ...metrics.versions import package_version
from . import (
    calibration,
    compare,
    corpus,
    demo,
    fit,
    include_path,
    lm_eval,
    metrics,
    model,
    plugins,
    repeats,
    report,
    score,
    show,
    tasks,
)

_COMMANDS = (
    demo,
    score,
    fit,
    compare,
    repeats,
    calibration,
    report,
    metrics,
    plugins,
    show,
    model,
    include_path,
    corpus,
    tasks,
    lm_eval,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; docs/cli.md is generated from it."""
    parser = argparse.ArgumentParser(prog="stepgauge", description="Reasoning scores beside accuracy.")
    parser.add_argument("--version", action="version", version=f"stepgauge {package_version('stepgauge')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        about = (command.__doc__ or "").splitlines()[0]
        sub = commands.add_parser(name, help=about, description=about)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. An error that the user can fix is one line on stderr and exit code 2."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    args = build_parser().parse_args(argv)
    try:
        return args.run(args)
    except StepgaugeError as error:
        print(f"stepgauge: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
