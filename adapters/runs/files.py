"""Finds the files at a path and recognises by content what each is: our scores, lm-eval's samples, an Inspect log, …"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ..formats import lm_eval_samples as lm_eval
from ..formats.detect import FORMATS, SUFFIXES, first_known, is_array, is_inspect_log
from ..formats.entries import Unreadable
from ..formats.options import OptionError
from ..formats.rows import open_stream
from ..scored import SCORES_FILES, is_chain, is_row, scores_in
from .run_parts import Found
from .run_spec import ACCEPTED

log = logging.getLogger(__name__)

Kind = Literal["scores", "lm-eval", "inspect", "chains"]
_HEAD = 4096
_SHOWN = 3


def files_of(path: Path, damaged: Found) -> dict[Path, Kind]:
    """The files at a path, sorted, with their kinds; the kind `chains` is a file of chains without scores of ours.

    In a folder that `stepgauge score` wrote only `scores.jsonl` counts: the other files repeat it.

    Args:
        damaged: takes up the files of a folder that cannot be read.

    Raises:
        OptionError: a file of no known kind, or a folder without any.
    """
    if not path.is_dir():
        try:
            return {path: _kind(path)}
        except (ValueError, Unreadable) as error:
            raise OptionError(f"{path}: {error}; expected {ACCEPTED}") from error
    found: dict[Path, Kind] = {}
    others: list[str] = []
    for file in _below(path):
        try:
            found[file] = _kind(file)
        except (ValueError, Unreadable) as error:
            others.append(f"{file.relative_to(path)}: {error}")
            if isinstance(error, Unreadable):
                damaged.leave_out(file, error)
            else:
                log.info("%s: left out (%s)", file, error)
    if not found:
        why = f" ({'; '.join(others[:_SHOWN])}{'; …' if len(others) > _SHOWN else ''})" if others else ""
        raise OptionError(f"{path}: no run in this folder{why}; expected {ACCEPTED}")
    return found


def _below(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder, onerror=_refused):
        if (scores := scores_in(Path(above))) is not None:
            folders.clear()
            yield scores
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(above, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def _refused(error: OSError) -> None:
    log.warning("%s: left out: %s", error.filename, error)


def _kind(path: Path) -> Kind:
    """The kind of a file. Raises ValueError with the reason if it is of no known kind, Unreadable if it is damaged."""
    if path.name in SCORES_FILES and path.is_file():
        if not path.stat().st_size:
            raise ValueError("no chain has been scored yet")
        return "scores"
    if is_inspect_log(path):
        return "inspect"
    with open_stream(path) as stream:
        head, damage = stream.bytes.read(_HEAD), stream.damage()
    array = is_array(head, damage)
    kind, problem = first_known(path, array, _kind_of_row)
    if kind is None:
        raise ValueError(f"not a run: {problem}")
    return "chains" if array else kind


def _kind_of_row(row: Mapping[str, Any]) -> Kind | None:
    if is_row(row):
        return "scores"
    if is_chain(row):
        raise ValueError("these scores stand without their questions, by which runs are paired")
    if lm_eval.recognises(row):
        return "lm-eval"
    return "chains" if any(one.recognises(row) for one in FORMATS.values()) else None
