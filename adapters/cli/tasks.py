"""List the lm-eval tasks that have a usable chain of thought, as found in the installed version."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ...metrics.optional_packages import needs
from .errors import UserError

if TYPE_CHECKING:
    from ..lm_eval.catalogue import ChainTask, Family

EXAMPLES = (
    ("stepgauge tasks 'gsm8k*'", "the tasks of one family"),
    ("stepgauge tasks --all --json", "all of them, for a program"),
)
PAGE = "docs/lm-eval.md"

_SHOWN_GROUPS = 2
_LONGEST = 48
_WIDEST = 400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pattern", nargs="?", help="only tasks whose name, group, tag or folder holds this text, or matches it (* ? [])"
    )
    parser.add_argument("--all", action="store_true", help="every task, not one row per family")
    parser.add_argument("--json", action="store_true", help="JSON, one object per family or task")
    parser.add_argument("--include_path", help="also a folder of task YAMLs of your own, as lm-eval takes it")


def run(args: argparse.Namespace) -> int:
    try:
        from lm_eval.tasks import TaskManager

        from ..lm_eval.catalogue import chain_tasks, families, matching
        from ..lm_eval.kept_yaml import kept_yaml
    except ImportError as error:
        raise UserError(f"{needs('`stepgauge tasks`', 'lm-eval', 'lm-eval')} ({error})") from error
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with kept_yaml():
        index = TaskManager(include_path=args.include_path).task_index
    found = matching(chain_tasks(index), args.pattern)
    if not found:
        raise UserError(f"no lm-eval task with a usable chain matches {args.pattern!r}")
    rows = [_task_row(task) for task in found] if args.all else [_family_row(family) for family in families(found)]
    if args.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _show(rows, args.all)
        print(f"{len(found)} tasks in {len(families(found))} families", file=sys.stderr)
    return 0


def _family_row(family: Family) -> dict[str, Any]:
    return {
        "family": family.name,
        "tasks": len(family.tasks),
        "groups": list(family.groups),
        "gold": list(family.gold),
        "chain": list(family.signs),
        "for example": family.tasks[0].name,
    }


def _task_row(task: ChainTask) -> dict[str, Any]:
    row = asdict(task)
    return {"task": row["name"], "groups": list(task.groups), "gold": [task.gold], "chain": [task.sign]}


def _show(rows: Sequence[dict[str, Any]], every_task: bool) -> None:
    headings = ["task"] if every_task else ["family", "tasks"]
    table = Table(box=None, pad_edge=False)
    for heading in [*headings, "in groups and tags", "gold answer from", "chain known by"]:
        table.add_column(heading, no_wrap=True, justify="right" if heading == "tasks" else "left")
    for row in rows:
        groups = _first(row["groups"], _SHOWN_GROUPS)
        table.add_row(*(str(row[name]) for name in headings), groups, _short(row["gold"]), _short(row["chain"]))
    # Keep each row on one line, so that names can be copied and the output works with `grep`.
    Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=_WIDEST).print(table)


def _short(values: Sequence[str]) -> str:
    text = " ".join(values[0].split())
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return _first([text, *values[1:]], 1)


def _first(values: Sequence[str], shown: int) -> str:
    more = len(values) - shown
    return ", ".join(values[:shown]) + (f" (+{more})" if more > 0 else "")
