"""Finds the input files that a user named and which format each has, by what is in it."""

from __future__ import annotations

import glob
import itertools
import logging
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...metrics.names import unknown_name
from ..scored import is_chain, is_row
from . import chat, mmlu_pro, traces
from . import lm_eval_samples as lm_eval
from .entries import Item, Unreadable
from .options import OF_FORMATS, OptionError, Settings, Wanted
from .rows import is_zip, open_stream, read_rows
from .sources import Source, row_items

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=str)

SUFFIXES = (".jsonl", ".json", ".eval", ".zip", ".jsonl.gz", ".json.gz")
_READ = {("lm-eval",): "lm-eval's samples", ("chat", "inspect"): "chats and Inspect logs"}
_LOOK_AT = 50  # rows, of a file that starts with malformed ones
_HEAD = 65_536
_RESULTS_JSON = re.compile(rb'^\s*\{\s*"results"\s*:')
_INSPECT_JSON = re.compile(rb'^\s*\{\s*"version"\s*:.{0,2000}"eval"\s*:', re.DOTALL)


@dataclass(frozen=True)
class Format:
    """A file format: its name for `--format`, what it is, how a row is recognised, and how a file is read."""

    name: str
    title: str
    recognises: Callable[[Mapping[str, Any]], bool]
    items: Callable[[Source], Iterator[Item]]


def _samples(source: Source) -> Iterator[Item]:
    reader = lm_eval.SamplesReader(source)
    return row_items(source, reader, reader.finish)


def _logs(source: Source) -> Iterator[Item]:
    from .inspect_logs import items

    return items(source)


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("lm-eval", "lm-eval samples_*.jsonl", lm_eval.recognises, _samples),
        Format("inspect", "Inspect log", lambda _: False, _logs),
        Format("mmlu-pro", "MMLU-Pro output", mmlu_pro.recognises, lambda s: row_items(s, mmlu_pro.reader(s))),
        Format("chat", "OpenAI-style chats", chat.recognises, lambda s: row_items(s, chat.reader(s))),
        Format("traces", "traces", traces.recognises, lambda s: row_items(s, traces.reader(s))),
    )
}


def items_of(source: Source) -> Iterator[Item]:
    """Everything in one file, in order."""
    return FORMATS[source.format].items(source)


def find_sources(
    paths: Sequence[str],
    *,
    format: str | None = None,
    settings: Settings | None = None,
    wanted: Wanted | None = None,
    lm_eval_filter: str | None = None,
) -> list[Source]:
    """The input files behind files, folders and globs, each once, in the order given and sorted below a folder.

    Args:
        format: a key of FORMATS that is not to be detected; None: by what is in each file.

    Raises:
        OptionError: no such file, a file of no known format, or nothing to read at all.
    """
    if format is not None and format not in FORMATS:
        raise OptionError(f"--format: {unknown_name('format', format, FORMATS)}")
    found: dict[Path, Source] = {}
    for path, named in itertools.chain.from_iterable(_expand(path) for path in paths):
        if path.resolve() in found:
            continue
        try:
            source = _source(path, format)
        except (ValueError, OSError) as error:
            if named:
                raise OptionError(f"{path}: {error}") from error
            log.info("%s: left out (%s)", path, error)
            continue
        source.settings = settings or Settings()
        source.wanted = wanted or Wanted()
        source.lm_eval_filter = lm_eval_filter
        found[path.resolve()] = source
    if not found:
        raise OptionError(f"{', '.join(paths)}: no file of a known format ({', '.join(FORMATS)})")
    formats = sorted({source.format for source in found.values()})
    for name in (settings or Settings()).to_dict():
        its = OF_FORMATS.get(name, formats)
        if not set(its) & set(formats):
            raise OptionError(f"--set {name}: is for {_READ[its]}; the input is {', '.join(formats)}")
    return list(found.values())


def _expand(path: str) -> list[tuple[Path, bool]]:
    """(file, whether the user named it: then it must be readable)."""
    given = Path(path)
    if given.is_file():
        return [(given, True)]
    if given.is_dir():
        below = sorted(file for file in given.rglob("*") if file.name.lower().endswith(SUFFIXES) and file.is_file())
        return [(file, False) for file in below]
    matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 (pathlib takes no absolute pattern)
    if not matches:
        raise OptionError(f"{path}: no such file or folder" + (", and no match" if glob.has_magic(path) else ""))
    return [pair if not pair[1] else (pair[0], False) for match in matches for pair in _expand(match)]


def _source(path: Path, format: str | None) -> Source:
    """Raises ValueError with the reason where the file is of no known format."""
    size = path.stat().st_size
    if not size:
        raise ValueError("the file is empty")
    if is_zip(path) and _is_inspect_zip(path):
        return Source(str(path), format or "inspect", size=size)
    with open_stream(path) as stream:
        head = stream.bytes.read(_HEAD)
        total = stream.size
    if format == "inspect" or (format is None and _INSPECT_JSON.match(head)):
        return Source(str(path), "inspect", size=size)
    array = is_array(head)
    detected = format or _detect(path, array)
    return Source(str(path), detected, array=array, size=total)


def is_inspect_log(path: Path) -> bool:
    """Whether a file, by its first bytes or what its archive holds, is an Inspect log. Raises ValueError, OSError."""
    if is_zip(path) and _is_inspect_zip(path):
        return True
    with open_stream(path) as stream:
        return _INSPECT_JSON.match(stream.bytes.read(_HEAD)) is not None


def is_array(head: bytes) -> bool:
    """Whether a file, by its first bytes, is a JSON array of rows and not JSON Lines.

    Raises ValueError where it is neither, or lm-eval's results file, which holds no chains.
    """
    if _RESULTS_JSON.match(head):
        raise ValueError("this is lm-eval's results file; the chains are in samples_*.jsonl (--log_samples)")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b"["):
        raise ValueError(f"neither JSON nor JSON Lines: it starts with {head[:40]!r}")
    return start == b"["


def first_known(
    path: Path, array: bool, kind_of: Callable[[Mapping[str, Any]], Kind | None]
) -> tuple[Kind | None, str]:
    """What the first rows of a file are, by the first one that `kind_of` knows.

    Returns:
        Its kind, or None and what was found instead.
    """
    problem = "it holds no row"
    with open_stream(path) as stream:
        for _, row in itertools.islice(read_rows(stream.bytes, array=array), _LOOK_AT):
            if isinstance(row, Unreadable):
                problem = str(row)
                continue
            if (kind := kind_of(row)) is not None:
                return kind, ""
            problem = f"a row has the fields {', '.join(map(str, row))[:200]}"
    return None, problem


def _is_inspect_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"the archive is damaged: {error}") from error
    return "header.json" in names or any(name.startswith("_journal/") for name in names)


def _detect(path: Path, array: bool) -> str:
    known, problem = first_known(path, array, _format_of)
    if known is None:
        raise ValueError(f"no known format ({', '.join(FORMATS)}): {problem}")
    return known


def _format_of(row: Mapping[str, Any]) -> str | None:
    if is_row(row) or is_chain(row):
        raise ValueError("these chains are scored already; `stepgauge show` shows them")
    return next((one.name for one in FORMATS.values() if one.recognises(row)), None)
