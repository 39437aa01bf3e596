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


def scored_chains(path: Path) -> Iterator[tuple[str, ChainScore]]:
    """(question or "", score) of each scored chain.

    Raises:
        OptionError: something cannot be read; names file and row, or log and sample.
    """
    if path.suffix == ".eval" or is_inspect_log(path):
        yield from _in_log(path)
        return
    with open_stream(path) as stream:
        for number, row in read_rows(stream.bytes, array=False):
            try:
                if isinstance(row, Unreadable):
                    raise row
                yield from _in_row(row)
            except (Unreadable, FieldError, FormatError) as error:
                raise OptionError(f"{path}, row {number}: {error}") from error


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


def _in_log(path: Path) -> Iterator[tuple[str, ChainScore]]:
    header = read_header(str(path))
    for sample in samples(Source(str(path), "inspect"), header):
        if isinstance(sample, Skipped):
            raise OptionError(f"{sample.where}: {sample.reason}")
        if not isinstance(sample, Passed | Entry):
            yield from ((_text(sample.input), chain) for _, chain in of_sample(header, sample))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
