"""Run lm-eval's own command line; every generate_until task gets reasoning scores beside its own.

`stepgauge lm-eval run …` takes what `lm-eval run …` takes, plus `--stepgauge key=value …`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from typing import Any

from ...metrics.addresses import without_login
from ...metrics.optional_packages import needs
from .errors import UserError

EXAMPLES = (
    (
        "stepgauge lm-eval run --model hf --model_args pretrained=gpt2 --tasks gsm8k_cot --stepgauge scorer=smollm2",
        "the command you have, with stepgauge in front and options behind",
    ),
    ("stepgauge lm-eval run --help", "lm-eval's own options, and --stepgauge"),
)
PAGE = "docs/lm-eval.md"

_FLAG = "--stepgauge"
_WHO = "`stepgauge lm-eval run`"
_OLDEST = (0, 4, 12)
_OWN_HELP = f"""\
stepgauge lm-eval run takes what `lm-eval run` takes (below), and:

  {_FLAG} KEY=VALUE [KEY=VALUE ...]
                        options for every task, such as scorer=smollm2, splitter=sentences, controls=filler; values are
                        JSON where they parse, and one JSON object holds several. `stepgauge options` lists them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["run"], help="lm-eval's `run`; for `ls` and `validate` use lm-eval itself")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar=f"ARGUMENTS [{_FLAG} KEY=VALUE ...]",
        help="everything `lm-eval run` takes (see `lm-eval run --help`), and options such as scorer=smollm2 or "
        "splitter=sentences for every task; values are JSON where they parse",
    )


def run(args: argparse.Namespace) -> int:
    rest, options = split_arguments(args.arguments)
    command = _lm_eval_command()
    if {"-h", "--help"} & set(rest):
        print(_OWN_HELP, flush=True)  # lm-eval's own follows
    from ..lm_eval.manager import scoring_tasks

    check_options(options)
    before = sys.argv
    sys.argv = ["lm-eval", args.action, *rest]
    try:
        with scoring_tasks(options):
            command()
    finally:
        sys.argv = before
    return 0


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Split the arguments into lm-eval's, in order, and our options.

    Raises:
        UserError: a value of `--stepgauge` that is neither `key=value` nor a JSON object.
    """
    parser = argparse.ArgumentParser(prog="stepgauge lm-eval run", add_help=False, allow_abbrev=False)
    parser.add_argument(_FLAG, nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    known, rest = parser.parse_known_args(list(arguments))
    options: dict[str, Any] = {}
    for given in known.stepgauge:
        options.update(_option(given))
    return rest, options


def check_options(options: dict[str, Any]) -> None:
    """Check option names and values before lm-eval reads a task or loads a model. Raises UserError."""
    from ..lm_eval.options import KEY, read_options
    from ..lm_eval.scorer import ChainScorer

    try:
        ChainScorer(read_options(_FLAG, {KEY: options}))
    except (ValueError, TypeError) as error:
        raise UserError(_without_task(str(error))) from error


def _without_task(message: str) -> str:
    """Reword a message about a task's options so that it refers to the command line."""
    text = message.removeprefix(f"task {_FLAG!r}").lstrip(",: ")
    if text.startswith("environment"):
        return text
    for place in ("the task's 'stepgauge' key: ", "stepgauge options: ", "stepgauge "):
        text = text.removeprefix(place)
    return f"{_FLAG}: {text}"


def _option(given: str) -> dict[str, Any]:
    if given.lstrip().startswith("{"):
        try:
            return dict(json.loads(given))
        except ValueError as error:
            raise UserError(f"{_FLAG} {without_login(given)}: not a JSON object: {error}") from error
    name, equals, value = given.partition("=")
    if not equals or not name.strip():
        raise UserError(f"{_FLAG} {without_login(given)}: expected key=value, for example splitter=sentences")
    try:
        return {name.strip(): json.loads(value)}
    except ValueError:
        return {name.strip(): value}


def _lm_eval_command() -> Any:
    """The function behind the installed `lm-eval` command, after checking that its task manager can be extended."""
    try:
        version = importlib.metadata.version("lm_eval")
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(needs(_WHO, "lm-eval", "lm-eval")) from error
    from lm_eval import tasks

    manager = getattr(tasks, "TaskManager", None)
    commands = importlib.metadata.entry_points(group="console_scripts", name="lm-eval")
    if not hasattr(manager, "load") or not hasattr(manager, "task_index") or not commands:
        found = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:3])
        advice = f"at least {'.'.join(map(str, _OLDEST))}" if found < _OLDEST else "an older one"
        raise UserError(
            f"{needs(f'{_WHO} cannot extend lm-eval {version}; it', advice, 'lm-eval')}. "
            "`class: !function stepgauge.adapters.lm_eval.StepTask` in a task's YAML may still work"
        )
    return next(iter(commands)).load()
