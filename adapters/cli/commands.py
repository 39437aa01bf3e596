"""Parses the command line and calls the module of the subcommand."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from ...metrics.errors import StepgaugeError
from ...metrics.names import unknown_name
from ...metrics.printable import clean
from ...metrics.versions import package_version
from . import (
    calibration,
    compare,
    corpus,
    demo,
    estimate,
    fit,
    include_path,
    judge_check,
    label,
    lm_eval,
    metrics,
    model,
    options,
    plugins,
    repeats,
    report,
    score,
    show,
    tasks,
)
from .completion import SHELLS, PrintCompletion
from .help import describe, with_those_below

_COMMANDS = (
    demo,
    score,
    estimate,
    fit,
    compare,
    repeats,
    calibration,
    report,
    judge_check,
    label,
    metrics,
    options,
    plugins,
    show,
    model,
    include_path,
    corpus,
    tasks,
    lm_eval,
)


_EPILOG = """\
examples:
  stepgauge demo                    both frameworks, with a small model
  stepgauge demo --compare          what it is for, in seconds
  stepgauge score out --out scores  reasoning scores for finished runs
  stepgauge compare base tuned      what became of accuracy, and of reasoning

exit codes: 0 done, 2 wrong input (one line says which),
            3 a verdict of --fail-on, 130 interrupted
Every command and option: docs/cli.md; recipes: docs/recipes.md"""


def _name(command: ModuleType) -> str:
    return command.__name__.rpartition(".")[2].replace("_", "-")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; docs/cli.md is generated from it."""
    parser = argparse.ArgumentParser(
        prog="stepgauge",
        description="Reasoning scores (InfoGain, Knowledge Index) beside accuracy, in lm-eval and Inspect.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stepgauge {package_version('stepgauge')}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print a script that completes commands and options in {', '.join(SHELLS)} (docs/cli.md)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        about = (command.__doc__ or "").splitlines()[0]
        sub = commands.add_parser(_name(command), help=about, description=about)
        command.add_arguments(sub)
        describe(sub, command)
        sub.set_defaults(run=command.run)
    return parser


def run_command(argv: Sequence[str] | None = None) -> int:
    """Run a command. An error that the user can mend is one line on stderr and exit code 2."""
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(_Printable("%(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[shown], level=logging.WARNING)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name need not be text that a terminal can show
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    given = list(sys.argv[1:] if argv is None else argv)
    if not given:
        parser.print_help()
        return 0
    if given[0].startswith("-") and given[0].partition("=")[0] not in parser._option_string_actions:
        _say(unknown_name("option", given[0], parser._option_string_actions))
        return 2
    if not given[0].startswith("-") and given[0] not in (names := [_name(command) for command in _COMMANDS]):
        _say(unknown_name("command", given[0], names))
        return 2
    try:
        args, unknown = parser.parse_known_args(given)
    except StepgaugeError as error:
        _say(error)
        return 2
    if unknown:
        _say(f"{args.command}: {_unexpected(parser, args.command, unknown[0])}")
        return 2
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except StepgaugeError as error:
        _say(error)
        return 2
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:  # a full disk, a folder that must not be written: of the machine, not of the program
        _drop_output()
        _say(f"{args.command}: {error}")
        return 2


def _say(error: object) -> None:
    """One line on stderr; what it quotes of files may hold what moves a cursor."""
    print(f"stepgauge: {clean(error)}", file=sys.stderr)


class _Printable(logging.Formatter):
    """Log lines quote names and values from files, too."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


def _unexpected(parser: argparse.ArgumentParser, command: str, given: str) -> str:
    if not given.startswith("-"):
        return f"unexpected argument {given!r}"
    below = (one for one in with_those_below(parser) if one.prog.split()[1:2] == [command])
    return unknown_name(
        "option", given.partition("=")[0], [name for one in below for name in one._option_string_actions]
    )


def _drop_output() -> None:
    """Send what is still to be printed nowhere: Python would complain at the exit that it cannot be."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
