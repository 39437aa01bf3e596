"""Reads the scored chains in a file, in order and one at a time, for `stepgauge show`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...metrics import ChainScore, FormatError
from ...metrics.format_version import check_format
from ..formats.detect import is_inspect_log
from ..formats.entries import Entry, Passed, Skipped, Unreadable
from ..formats.inspect_logs import read_header, samples
from ..formats.lm_eval_samples import REASONING, recognises
from ..formats.options import OptionError
from ..formats.rows import open_stream, read_rows
from ..formats.sources import Source
from ..scored import FieldError, is_row, of_lm_eval, of_row, of_sample, restore
from .run_parts import LostRows


def scored_chains(path: Path) -> Iterator[tuple[str, ChainScore]]:
    """(question or "", score) of each scored chain; what cannot be read is left out with a warning.

    Raises:
        OptionError: a score has a later format; names file and row, or log and sample.
        Unreadable: the file, or not one of its rows, can be read.
    """
    lost, read = LostRows(path), False
    in_log = path.suffix == ".eval" or is_inspect_log(path)
    for found in _in_log(path, lost) if in_log else _in_rows(path, lost):
        yield from found
        read = read or bool(found)
    lost.notes(read=read)


def _in_rows(path: Path, lost: LostRows) -> Iterator[list[tuple[str, ChainScore]]]:
    with open_stream(path) as stream:
        for number, row in read_rows(stream, array=False):
            try:
                if isinstance(row, Unreadable):
                    raise row
                yield list(_in_row(row))
            except FormatError as error:
                raise OptionError(f"{path}, row {number}: {error}") from error
            except (Unreadable, FieldError) as error:
                lost.add(f"{path}, row {number}", error)


def _in_row(row: dict[str, Any]) -> Iterator[tuple[str, ChainScore]]:
    check_format(row)
    if is_row(row):
        yield _text(row.get("question")), of_row(row)
    elif not recognises(row):
        yield "", restore(row, "score")
    elif row.get("filter") == REASONING:
        document = row.get("doc")
        question = _text(document.get("question")) if isinstance(document, dict) else ""
        yield from ((question, chain) for chain in of_lm_eval(row))


def _in_log(path: Path, lost: LostRows) -> Iterator[list[tuple[str, ChainScore]]]:
    header = read_header(str(path))
    for sample in samples(Source(str(path), "inspect"), header):
        if isinstance(sample, Skipped):
            lost.add(str(sample.where), sample.reason)
        elif not isinstance(sample, Passed | Entry):
            try:
                yield [(_text(sample.input), chain) for _, chain in of_sample(header, sample)]
            except FormatError as error:
                raise OptionError(str(error)) from error
            except FieldError as error:
                lost.add(f"{path}, sample {sample.id}", error)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
