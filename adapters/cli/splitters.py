"""`stepgauge score --splitters`: the same chains under several splitters, each in a folder of its own below --out."""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ...metrics import Gauge
from ...metrics.presets import without_preset
from ..formats.options import Settings
from ..offline.splitter_table import tables
from .errors import UserError
from .terminal import console_of

_NO_FILE_NAME = re.compile(r"[^\w.-]")


def score_each(args: argparse.Namespace, settings: Settings, score: Callable[[argparse.Namespace], int]) -> int:
    """Score under each splitter in turn, and print them side by side.

    A splitter that takes options has them from the option `splitter`, or from a preset, of the same name.
    """
    names: list[str] = list(dict.fromkeys(args.splitters))
    if args.out is None or len(names) < 2:
        raise UserError("--splitters: expected two or more, and --out DIR for their folders")
    folders = {name: args.out / _NO_FILE_NAME.sub("-", name) for name in names}
    if len(set(folders.values())) < len(names):
        raise UserError(f"--splitters {' '.join(names)}: two of them would share a folder")
    given = _given(settings)
    for name, folder in folders.items():
        splitter = given if isinstance(given, Mapping) and given.get("name") == name else name
        own = {"out": folder, "splitters": None, "set": [*args.set, f"splitter={_text(splitter)}"]}
        print(f"splitter {name}, into {folder}:")
        if (code := score(argparse.Namespace(**{**vars(args), **own}))) != 0:
            return code
    print("\nThe same chains, cut by each splitter:")
    for table in tables(folders):
        console_of().print(table)
    return 0


def _given(settings: Settings) -> Any:
    """The option `splitter`, a preset's written out."""
    defaults = {name: one.default for name, one in inspect.signature(Gauge).parameters.items()}
    try:
        return without_preset(settings.gauge, defaults).get("splitter")
    except ValueError as error:
        raise UserError(str(error)) from error


def _text(splitter: Mapping[str, Any] | str) -> str:
    return splitter if isinstance(splitter, str) else json.dumps(splitter)
