"""Show scored chains step by step, from `stepgauge score`, lm-eval samples, an Inspect log or ChainScore JSONL."""

from __future__ import annotations

import argparse
import bisect
import logging
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from ...metrics.answers.extraction import extract_answer
from ...metrics.comparison.correctness import correctness
from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import Record
from ...metrics.conclusion import Conclusion, of_one_chain
from ...metrics.infogain import BEFORE
from ...metrics.printable import printable
from ...metrics.render import chain_table
from ..formats.detect import files_below
from ..formats.entries import Unreadable
from ..runs.chains import ScoredChains
from ..scored import SCORES_FILES
from .errors import UserError
from .limit import add_limit, limit_of
from .terminal import add_width, text_width_of

EXAMPLES = (
    ("stepgauge show scores", "the first chain of the newest file there"),
    ("stepgauge show scores --wrong --gains-most --limit 5", "wrong answers whose steps gain most before the answer"),
    ("stepgauge show logs --contradicted --limit 0", "every chain with a contradicted step"),
)
PAGE = "docs/finished-runs.md"

log = logging.getLogger(__name__)

GAIN = f"infogain_nats{BEFORE}"
_ANSWER = 200  # characters
_ASKED = re.compile(r"\A\s{0,9}(?:question|q)\s?:\s{0,9}", re.IGNORECASE)  # as prompts of lm-eval's tasks begin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        type=Path,
        help="scores.jsonl, lm-eval samples_*.jsonl, an Inspect log, ChainScore JSONL, or a folder of them",
    )
    parser.add_argument("--id", help="only the chain with this id")
    parser.add_argument("--wrong", action="store_true", help="only chains whose answer is wrong, as the run says")
    parser.add_argument("--contradicted", action="store_true", help="only chains with a step that a judge contradicts")
    parser.add_argument(
        "--gains-most",
        action="store_true",
        help=f"in the order of {GAIN}, the largest first (default: in that of the file)",
    )
    add_limit(parser, "chains to show", default=1)
    add_width(parser)


def run(args: argparse.Namespace) -> int:
    chosen = Chosen(args.id, args.wrong, args.contradicted, args.gains_most)
    show_chains(args.path, chosen, limit=limit_of(args), width=args.width)
    return 0


class Chosen(NamedTuple):
    """Which chains are shown, and in what order; the default: all, in the order of the file."""

    id: str | None = None
    wrong: bool = False
    contradicted: bool = False
    gains_most: bool = False

    def fits(self, record: Record) -> bool:
        verdicts = (verdict for step in record.score.steps for verdict in step.verdicts)
        return (
            (self.id is None or self.id in (record.score.id, record.doc_id))
            and (not self.wrong or correctness(record).right is False)
            and (not self.contradicted or any(verdict.label == "contradicted" for verdict in verdicts))
        )

    @property
    def said(self) -> str:
        """The conditions in words; "" without any."""
        named = [] if self.id is None else [f"with id {self.id!r}"]
        named += ["with a wrong answer"] if self.wrong else []
        named += ["with a contradicted step"] if self.contradicted else []
        return ", ".join(named)

    @property
    def selects(self) -> bool:
        """Whether chains are chosen or ordered by what they are, not by their name."""
        return self.wrong or self.contradicted or self.gains_most


_ALL = Chosen()


class _Selection:
    """What is to be shown of the chains seen so far: of all others only their numbers are kept.

    Attributes:
        seen, found: how many there were, and how many of these fit.
        shown: those that fit, at most `limit`, each with its number in the file, from 1.
        untold: how many of which the run does not say that they are right or wrong.
        without_gain: how many fit and lack the number that orders them.
    """

    def __init__(self, chosen: Chosen, limit: int | None) -> None:
        self.chosen, self.limit = chosen, limit
        self.seen = self.found = self.untold = self.without_gain = 0
        self.shown: list[tuple[int, Record]] = []

    def add(self, record: Record) -> None:
        self.seen += 1
        self.untold += correctness(record).right is None
        if not self.chosen.fits(record):
            return
        self.found += 1
        self.without_gain += math.isinf(_loss(record))
        if self.chosen.gains_most:
            # Chains without the number come last: nobody can say that they gain less.
            bisect.insort(self.shown, (self.seen, record), key=lambda one: _loss(one[1]))
        else:
            self.shown.append((self.seen, record))
        if self.limit is not None:
            del self.shown[self.limit :]


def _loss(record: Record) -> float:
    gain = record.score.metrics.get(GAIN, math.nan)
    return math.inf if math.isnan(gain) else -gain


def show_chains(path: Path, chosen: Chosen = _ALL, *, limit: int | None = 1, width: int | None = None) -> None:
    """Print the chosen chains of a file, in a folder of the newest that can be read.

    Args:
        limit: how many are printed at most, and held; None: all.

    Raises:
        UserError: no such file, or no scored chain in it, or none with the id asked for.
    """
    if not os.path.lexists(path):
        raise UserError(f"{path}: no such file")
    files = _newest_in(path) if path.is_dir() else [path]
    columns = text_width_of(width)
    for index, file in enumerate(files, 1):
        try:
            selection, notes = _select(file, chosen, limit)
        except Unreadable as problem:
            if index == len(files):
                raise UserError(f"{file}: {problem}") from problem
            log.warning("%s: left out: %s", file, problem)
        else:
            if not selection.seen:
                raise UserError(f"{file}: {'; '.join(['no scored chain in this file', *notes])}")
            return _print(file, selection, notes, columns)
    return None


def _select(path: Path, chosen: Chosen, limit: int | None) -> tuple[_Selection, list[str]]:
    chains = ScoredChains(path)
    by_scorer: dict[str, _Selection] = defaultdict(lambda: _Selection(chosen, limit))
    for records in chains.by_scorer():
        for scorer, record in records.items():
            by_scorer[scorer].add(record)
    return by_scorer[chains.scorer], list(dict.fromkeys(chains.notes))


def _print(path: Path, selection: _Selection, notes: Sequence[str], columns: int) -> None:
    chosen, found = selection.chosen, selection.found
    if not found and chosen.id is not None:
        raise UserError(f"{path}: no chain {chosen.said} among {plural(selection.seen, 'scored chain')}")
    console = Console(width=columns, highlight=False, markup=False, emoji=False, color_system=None)
    if chosen.selects and chosen.said:
        console.print(Text(f"{found:,} of {plural(selection.seen, 'scored chain')} {chosen.said}\n"))
    conclusion = Conclusion()
    for rank, (number, record) in enumerate(selection.shown, 1):
        place = (rank, found) if chosen.selects else (number, selection.seen)
        for line in _heading(record, *place):
            console.print(Text(printable(line)))
        console.file.write(chain_table(record.score, width=columns))
        console.print(Text(f"{of_one_chain(record.score)}\n"))
        right = correctness(record).right
        conclusion.add(record.score, question=record.question_hash, accuracy=None if right is None else float(right))
    if len(selection.shown) > 1:
        console.print(Text(" ".join(conclusion.sentences())))
    for line in [*_left_out(selection), *notes]:
        console.print(Text(f"• {printable(line)}"))


def _heading(record: Record, number: int, count: int) -> Iterator[str]:
    """The lines above a chain: which one it is, question, gold answer, the model's, and whether that is right."""
    names = {"id": record.score.id or record.doc_id, "task": record.task}
    yield "  ".join([f"{number:,} of {count:,}", *(f"{name} {value}" for name, value in names.items() if value)])
    if record.question:
        yield f"question: {_ASKED.sub('', record.question)}"
    yield f"gold answer: {' or '.join(record.answer) or 'not in the file'}"
    told = correctness(record)
    yield f"model's answer: {_answer(record, told.metric)} – {told.said}"


def _answer(record: Record, metric: str | None) -> str:
    """The answer that the run's metric saw; where it saw none or the whole response, the one announced there."""
    seen, response = record.answer_under(metric), "\n".join(step.text for step in record.score.steps)
    if seen is not None and _folded(seen) != _folded(response):
        return seen if len(seen) <= _ANSWER else f"{seen[:_ANSWER]}…"
    unread = "; the run found none" if seen is None and metric in record.read_answers else ""
    found = extract_answer(response)
    return f"none in the response{unread}" if found is None else f"{found} (read in the response{unread})"


def _folded(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _left_out(selection: _Selection) -> Iterator[str]:
    if more := selection.found - len(selection.shown):
        yield f"{plural(more, 'more chain')}: --limit 0 shows all"
    if selection.chosen.wrong and selection.untold:
        told = plural(selection.untold, "chain")
        yield f"{told} left out of which the run does not say that they are right or wrong"
    if selection.chosen.gains_most and selection.without_gain:
        yield f"{plural(selection.without_gain, 'chain')} without {GAIN} last"


def _newest_in(folder: Path) -> list[Path]:
    """The scored files, samples files and Inspect logs in a folder and its subfolders, the newest first."""
    patterns = (*SCORES_FILES, "samples_*.jsonl", "*.eval")
    found = [path for path in files_below(folder) if any(fnmatch(path.name, one) for one in patterns)]
    if not found:
        raise UserError(
            f"{folder}: no scores.jsonl (`stepgauge score`), no samples_*.jsonl (lm-eval's --log_samples) "
            "and no Inspect log in this folder"
        )
    return sorted(found, key=lambda path: path.lstat().st_mtime, reverse=True)
