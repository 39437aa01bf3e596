"""Show scored chains step by step, from `stepgauge score`, lm-eval samples, an Inspect log or ChainScore JSONL."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import textwrap
from fnmatch import fnmatch
from pathlib import Path

from ...metrics.conclusion import Conclusion
from ...metrics.render import chain_table
from ..formats.detect import files_below
from ..formats.entries import Unreadable
from ..runs.chains import scored_chains
from .errors import UserError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        type=Path,
        help="scores.jsonl, lm-eval samples_*.jsonl, an Inspect log, ChainScore JSONL, or a folder of them",
    )
    parser.add_argument("--id", help="show only the chain with this id")
    parser.add_argument("--limit", type=int, default=1, help="how many chains to show (default 1)")
    parser.add_argument("--width", type=int, help="columns (default: the terminal's)")


def run(args: argparse.Namespace) -> int:
    show_chains(args.path, chain_id=args.id, limit=args.limit, width=args.width)
    return 0


def show_chains(path: Path, *, chain_id: str | None = None, limit: int = 1, width: int | None = None) -> None:
    """Print up to `limit` chains of a file, in a folder of the newest that can be read. Raises UserError if none."""
    if not os.path.lexists(path):
        raise UserError(f"{path}: no such file")
    files = _newest_in(path) if path.is_dir() else [path]
    columns = width or min(shutil.get_terminal_size((120, 24)).columns, 160)
    for index, file in enumerate(files, 1):
        try:
            return _show(file, chain_id, limit, columns)
        except Unreadable as problem:
            if index == len(files):
                raise UserError(f"{file}: {problem}") from problem
            log.warning("%s: left out: %s", file, problem)
    return None


def _show(path: Path, chain_id: str | None, limit: int, columns: int) -> None:
    shown, conclusion = 0, Conclusion()
    for question, score in scored_chains(path):
        if chain_id is not None and score.id != chain_id:
            continue
        if shown == limit:
            break
        sys.stdout.write(("\n" if shown else "") + chain_table(score, question=question, width=columns))
        conclusion.add(score, question=question or score.trace_hash)
        shown += 1
    if not shown:
        which = f"no chain with id {chain_id!r}" if chain_id is not None else "no scored chain"
        raise UserError(f"{path}: {which} in this file")
    sys.stdout.write("\n" + textwrap.fill(" ".join(conclusion.sentences()), columns) + "\n")


def _newest_in(folder: Path) -> list[Path]:
    """The scored files, samples files and Inspect logs in a folder and its subfolders, the newest first."""
    patterns = ("scores.jsonl", "samples_*.jsonl", "*.eval")
    found = [path for path in files_below(folder) if any(fnmatch(path.name, one) for one in patterns)]
    if not found:
        raise UserError(
            f"{folder}: no scores.jsonl (`stepgauge score`), no samples_*.jsonl (lm-eval's --log_samples) "
            "and no Inspect log in this folder"
        )
    return sorted(found, key=lambda path: path.lstat().st_mtime, reverse=True)
