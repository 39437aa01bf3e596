"""`stepgauge --print-completion SHELL`: a script that completes commands, options and files, made by shtab."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ...metrics.optional_packages import needs
from .errors import UserError
from .help import with_those_below

SHELLS = ("bash", "zsh", "tcsh")  # those that shtab knows
_FILES = ("PATH", "DIR", "RUN")  # what options and arguments call a file or a folder


class PrintCompletion(argparse.Action):
    """Prints the script and ends the process; shtab is imported no earlier. Raises UserError without it."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        del namespace, option_string
        try:
            import shtab
        except ImportError as error:
            raise UserError(needs("--print-completion", "shtab", "completion")) from error
        for one in with_those_below(parser):
            for action in one._actions:  # argparse has no public way to list them
                if action.type is Path or action.metavar in _FILES:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell=values))
        parser.exit()
