"""Show scored chains step by step, from `stepgauge score`, lm-eval samples, an Inspect log or ChainScore JSONL."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ...metrics.render import chain_table
from ..runs.chains import scored_chains
from .errors import UserError


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
    """Print up to `limit` chains of a file. Raises UserError if there are none."""
    path = _newest_in(path) if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    columns = width or min(shutil.get_terminal_size((120, 24)).columns, 160)
    shown = 0
    for question, score in scored_chains(path):
        if chain_id is not None and score.id != chain_id:
            continue
        if shown == limit:
            break
        sys.stdout.write(("\n" if shown else "") + chain_table(score, question=question, width=columns))
        shown += 1
    if not shown:
        which = f"no chain with id {chain_id!r}" if chain_id is not None else "no scored chain"
        raise UserError(f"{path}: {which} in this file")


def _newest_in(folder: Path) -> Path:
    """The newest scored file, samples file or Inspect log in a folder or its subfolders."""
    found = [path for pattern in ("scores.jsonl", "samples_*.jsonl", "*.eval") for path in folder.rglob(pattern)]
    if not found:
        raise UserError(
            f"{folder}: no scores.jsonl (`stepgauge score`), no samples_*.jsonl (lm-eval's --log_samples) "
            "and no Inspect log in this folder"
        )
    return max(found, key=lambda path: path.stat().st_mtime)
