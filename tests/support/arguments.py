"""Reads the commands of a page with the parsers of the programs that they name; nothing is run."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Mapping

from repo import REPO


def command_lines(body: str) -> list[list[str]]:
    """The words of each command of a shell block, without comments; a variable that is set is no command."""
    found = [shlex.split(line, comments=True) for line in body.replace("\\\n", " ").splitlines()]
    return [words for words in found if words and not re.match(r"\w+=", words[0])]


def read_arguments(words: list[str]) -> None:
    """Have the program's own parser read a command. Raises ValueError where it refuses, KeyError for other programs."""
    program, *arguments = words
    try:
        _READERS[program](arguments)
    except SystemExit as refused:
        if not refused.code:  # what is asked for is printed while the command is read, as --help is
            return
        raise ValueError(f"{shlex.join(words)}: refused by its parser") from refused


def _stepgauge(arguments: list[str]) -> None:
    from stepgauge.adapters.cli.commands import build_parser
    from stepgauge.adapters.cli.completion import SHELLS
    from stepgauge.adapters.cli.lm_eval import check_options, split_arguments
    from stepgauge.adapters.formats.options import Wanted, read_settings

    if arguments[:1] == ["--print-completion"]:  # prints at once
        if arguments[1] not in SHELLS:
            raise ValueError(f"{shlex.join(arguments)}: no such shell")
        return
    args = build_parser().parse_args(arguments)
    if args.command == "lm-eval":
        rest, options = split_arguments(args.arguments)
        check_options(options)
        _lm_eval([args.action, *rest])
    elif args.command in ("score", "fit"):
        read_settings(args.set)
        Wanted.parse(args.where)


def _lm_eval(arguments: list[str]) -> None:
    from lm_eval._cli.harness import HarnessCLI

    HarnessCLI()._parser.parse_args(arguments)


def _inspect(arguments: list[str]) -> None:
    import click
    from inspect_ai._cli.main import inspect

    from stepgauge.adapters.inspect.options import check_names

    name, *rest = arguments
    try:
        context = inspect.commands[name].make_context(name, rest)
    except click.UsageError as refused:
        raise ValueError(f"inspect {shlex.join(arguments)}: {refused.format_message()}") from refused
    given = context.params["s"] if name == "score" else context.params.get("scanner_arg")
    check_names("scorer", {one.partition("=")[0]: one for one in given or ()})


def _scout(arguments: list[str]) -> None:
    from inspect_scout._cli.scan import scan_command

    from stepgauge.adapters.inspect.options import check_names

    context = scan_command.make_context("scan", arguments[1:])
    names = [*context.protected_args, *context.args]
    if names != ["stepgauge/reasoning"]:  # it takes any option that it does not know for such a name
        raise ValueError(f"scout {shlex.join(arguments)}: expected our scanner, got {names}")
    check_names("scanner", {one.partition("=")[0]: one for one in context.params["s"]})


def _launched(arguments: list[str], parsed: object) -> None:
    """What a launcher starts: our command line, as a module."""
    if not getattr(parsed, "module", False) or getattr(parsed, "training_script", "") != "stepgauge.adapters.cli":
        raise ValueError(f"{shlex.join(arguments)}: does not start the module stepgauge.adapters.cli")
    _stepgauge(getattr(parsed, "training_script_args", []))


def _accelerate(arguments: list[str]) -> None:
    from accelerate.commands.launch import launch_command_parser

    _launched(arguments, launch_command_parser().parse_args(arguments[1:]))


def _torchrun(arguments: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    _launched(arguments, get_args_parser().parse_args(arguments))


def _pip(arguments: list[str]) -> None:
    extras = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = {
        name for group in re.findall(r"(?:stepgauge|\.)\[(.+?)\]", " ".join(arguments)) for name in group.split(",")
    }
    if not asked <= set(extras):
        raise ValueError(f"pip {shlex.join(arguments)}: extras that pyproject.toml lacks: {asked - set(extras)}")


_READERS: Mapping[str, Callable[[list[str]], None]] = {
    "stepgauge": _stepgauge,
    "lm-eval": _lm_eval,
    "inspect": _inspect,
    "scout": _scout,
    "accelerate": _accelerate,
    "torchrun": _torchrun,
    "pip": _pip,
}
