"""What every command's `--help` ends with: examples, exit codes where they matter, the page of its documentation.

A command's module has `EXAMPLES`, pairs of a command line and what it does, and `PAGE`; `EXIT_CODES`, a text for each,
where it has codes of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from types import ModuleType


def describe(parser: argparse.ArgumentParser, command: ModuleType) -> None:
    """Give the parser of a command, and those below it, their examples and the rest."""
    for one in with_those_below(parser):
        one.formatter_class = _Formatter
        one.epilog = _epilog(one.prog, command)


class _Formatter(argparse.HelpFormatter):
    """Wraps descriptions, and leaves the lines of an epilog as they are: an example is to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def with_those_below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of its subcommands, in their order."""
    yield parser
    for action in parser._actions:  # argparse has no public way to list subcommands
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from with_those_below(below)


def _epilog(prog: str, command: ModuleType) -> str:
    examples: Sequence[tuple[str, str]] = command.EXAMPLES
    own = [(line, said) for line, said in examples if line == prog or line.startswith(f"{prog} ")]
    lines = [line for example, said in own for line in (f"  # {said}", f"  {example}")]
    codes = ["exit codes:", *(f"  {code}" for code in command.EXIT_CODES), ""] if hasattr(command, "EXIT_CODES") else []
    return "\n".join(["examples:" if len(own) > 1 else "example:", *lines, "", *codes, f"more: {command.PAGE}"])
