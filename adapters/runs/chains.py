"""Reads the scored chains in one file, with what its run says about each, for `stepgauge show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...metrics import FormatError
from ...metrics.comparison.record import Record
from ...metrics.format_version import check_format
from ..formats.detect import first_known, is_inspect_log
from ..formats.entries import UNREADABLE_FILE, Unreadable
from ..formats.lm_eval_samples import recognises
from ..formats.options import OptionError
from ..formats.rows import open_stream, read_rows
from ..scored import FieldError, is_chain, is_row, restore
from .inspect_runs import ScoredLog
from .lm_eval_runs import read_samples_file
from .run_parts import Keep, LostRows
from .stepgauge_runs import scored_rows


class ScoredChains:
    """The scored chains of one file, in its order; what cannot be read is left out.

    Rows of `stepgauge score`, lm-eval's samples, an Inspect log, or ChainScores as JSON Lines: those have no question.
    Rows and samples are read one at a time; lm-eval's samples, several of which make up a chain, are held.

    Attributes:
        notes: how the file was read, after the last chain.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: ScoredLog | None = None
        self.notes: list[str] = []

    def by_scorer(self) -> Iterator[dict[str, Record]]:
        """The record of each chain, by the scorer of ours that scored it; Inspect logs alone name these.

        Raises:
            OptionError: a score has a later format; names file and row, or log and sample.
            Unreadable: the file, or not one of its rows, can be read.
        """
        path, notes = self._path, self.notes
        keep = Keep([], path.absolute().parent.name)
        if path.suffix == ".eval" or is_inspect_log(path):
            self._log = ScoredLog(path, keep)
            yield from self._log.records()
            notes += self._log.part.notes
            return
        kind, problem = first_known(path, False, _kind)
        if kind is None:
            raise Unreadable(UNREADABLE_FILE, f"no scored chain in it: {problem}")
        if kind == "scores":
            records = (row.record for row in scored_rows(path, keep, notes))
        elif kind == "lm-eval":
            part = read_samples_file(path, keep)
            notes += part.notes
            records = (record for record in part.records if record.scored)
        else:
            records = _bare_chains(path, notes)
        for record in records:
            yield {_ANY: record}

    @property
    def scorer(self) -> str:
        """After the last chain: the scorer whose chains count; those of others are not to be mixed with them."""
        return _ANY if self._log is None else self._log.scorer or _ANY


def scored_chains(path: Path) -> list[Record]:
    """All scored chains of a file. Raises as `ScoredChains.by_scorer`."""
    chains = ScoredChains(path)
    found = list(chains.by_scorer())
    return [one[chains.scorer] for one in found if chains.scorer in one]


_ANY = ""


def _kind(row: Mapping[str, Any]) -> str | None:
    return "scores" if is_row(row) else "lm-eval" if recognises(row) else "chains" if is_chain(row) else None


def _bare_chains(path: Path, notes: list[str]) -> Iterator[Record]:
    lost, read_one = LostRows(path), False
    with open_stream(path) as stream:
        for number, row in read_rows(stream, array=False):
            where = f"{path}, row {number}"
            try:
                if isinstance(row, Unreadable):
                    raise row
                check_format(row)
                score = restore(row, "score")
            except FormatError as error:
                raise OptionError(f"{where}: {error}") from error
            except (Unreadable, FieldError) as error:
                lost.add(where, error)
            else:
                read_one = True
                yield Record("", "", score.trace_hash, score, where=where)
    notes += lost.notes(read=read_one)
