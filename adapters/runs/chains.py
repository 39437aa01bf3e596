"""Reads the scored chains in one file, with what its run says about each, for `stepgauge show`."""

from __future__ import annotations

from collections.abc import Mapping
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
from .inspect_runs import read_log
from .lm_eval_runs import read_samples_file
from .run_parts import Keep, LostRows, Part
from .stepgauge_runs import read_scored


def scored_chains(path: Path) -> tuple[list[Record], list[str]]:
    """The scored chains in file order, and notes on how the file was read; what cannot be read is left out.

    Rows of `stepgauge score`, lm-eval's samples, an Inspect log, or ChainScores as JSON Lines: those have no question.

    Raises:
        OptionError: a score has a later format; names file and row, or log and sample.
        Unreadable: the file, or not one of its rows, can be read.
    """
    parts = _parts(path)
    records = [record for part in parts for record in part.records if record.scored]
    return records, list(dict.fromkeys(note for part in parts for note in part.notes))


def _parts(path: Path) -> list[Part]:
    keep = Keep([], path.absolute().parent.name)
    if path.suffix == ".eval" or is_inspect_log(path):
        return [read_log(path, keep)]
    kind, problem = first_known(path, False, _kind)
    if kind is None:
        raise Unreadable(UNREADABLE_FILE, f"no scored chain in it: {problem}")
    if kind == "scores":
        return read_scored(path, keep).parts
    return [read_samples_file(path, keep) if kind == "lm-eval" else _bare_chains(path, keep)]


def _kind(row: Mapping[str, Any]) -> str | None:
    return "scores" if is_row(row) else "lm-eval" if recognises(row) else "chains" if is_chain(row) else None


def _bare_chains(path: Path, keep: Keep) -> Part:
    part, lost = Part(path, keep.model(None)), LostRows(path)
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
                part.records.append(Record("", "", score.trace_hash, score, where=where))
    part.notes += lost.notes(read=bool(part.records))
    return part
