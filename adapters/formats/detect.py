"""Finds the input files that a user named and which format each has, by what is in it."""

from __future__ import annotations

import glob
import itertools
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...metrics.names import unknown_name
from ..scored import is_chain, is_row, scores_in
from . import chat, mmlu_pro, scored_rows, traces
from . import lm_eval_samples as lm_eval
from .entries import UNREADABLE_FILE, Item, Skipped, Unreadable, Where
from .options import OF_FORMATS, OptionError, Settings, Wanted
from .rows import LONGEST, open_stream, read_rows, zip_names
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
        Format("scored", "what `stepgauge score` wrote", is_row, lambda s: row_items(s, scored_rows.read)),
        Format("traces", "traces", traces.recognises, lambda s: row_items(s, traces.reader(s))),
    )
}


def items_of(source: Source) -> Iterator[Item]:
    """Everything in one file, in order; a file that cannot be read, or no longer, is one item that says so."""
    try:
        if source.problem is not None:
            raise source.problem
        yield from FORMATS[source.format].items(source)
    except Unreadable as problem:
        yield Skipped(Where(source.name, 0), problem.kind, str(problem))


def find_sources(
    paths: Sequence[str],
    *,
    format: str | None = None,
    settings: Settings | None = None,
    wanted: Wanted | None = None,
    lm_eval_filter: str | None = None,
) -> list[Source]:
    """The input files behind files, folders and globs, each once, in the order given and sorted below a folder.

    A file that should hold rows and cannot be read is among them, with its `problem`, as long as another one can be.

    Args:
        format: a key of FORMATS that is not to be detected; None: by what is in each file.

    Raises:
        OptionError: no such file, a named one of no known format, or nothing to read at all.
    """
    if format is not None and format not in FORMATS:
        raise OptionError(f"--format: {unknown_name('format', format, FORMATS)}")
    found: dict[str, Source] = {}
    for path, named in itertools.chain.from_iterable(_expand(path) for path in paths):
        resolved = os.path.realpath(path)  # pathlib's refuses a loop of links
        if resolved in found:
            continue
        try:
            source = _source(path, format)
            if source.format == "scored" and not named:
                raise ValueError("these chains are scored already; name the file or its folder to score them again")
        except Unreadable as problem:
            source = Source(str(path), "", problem=problem)
        except ValueError as error:
            if named:
                raise OptionError(f"{path}: {error}") from error
            log.info("%s: left out (%s)", path, error)
            continue
        source.settings = settings or Settings()
        source.wanted = wanted or Wanted()
        source.lm_eval_filter = lm_eval_filter
        found[resolved] = source
    formats = sorted({source.format for source in found.values() if source.problem is None})
    if not formats:
        damaged = next((f"{source.name}: {source.problem}" for source in found.values()), None)
        raise OptionError(damaged or f"{', '.join(paths)}: no file of a known format ({', '.join(FORMATS)})")
    for name in (settings or Settings()).to_dict():
        its = OF_FORMATS.get(name, formats)
        if not set(its) & set(formats):
            raise OptionError(f"--set {name}: is for {_READ[its]}; the input is {', '.join(formats)}")
    return list(found.values())


def _expand(path: str) -> list[tuple[Path, bool]]:
    """(file, whether the user named it: then it must be of a known format)."""
    given = Path(path)
    try:
        given.lstat()
    except (OSError, ValueError) as error:
        magic = glob.has_magic(path)
        matches = sorted(glob.glob(path, recursive=True)) if magic else []  # noqa: PTH207 (pathlib's: no absolute ones)
        if not matches:
            said = str(error) if isinstance(error, PermissionError) else "no such file or folder"
            raise OptionError(f"{path}: {said}{', and no match' if magic else ''}") from error
        return [(file, False) for match in matches for file, _ in _expand(match)]
    if (scores := scores_in(given)) is not None:  # the other files of such a folder repeat it
        return [(scores, True)]
    return [(file, False) for file in files_below(given)] if given.is_dir() else [(given, True)]


def files_below(folder: Path) -> list[Path]:
    """The files below a folder whose names say that they may be read, and folders that must not be looked into."""
    found: list[Path] = []
    refused: list[OSError] = []
    for above, _, names in os.walk(folder, onerror=refused.append):
        found.extend(Path(above, name) for name in names if name.lower().endswith(SUFFIXES))
    return sorted([*found, *(Path(error.filename) for error in refused)])


def _source(path: Path, format: str | None) -> Source:
    """Raises ValueError with the reason where the file is of no known format, Unreadable where that cannot be told."""
    head, size, damage = _head(path)
    if format == "inspect" or (format is None and (head is None or _INSPECT_JSON.match(head))):
        from .inspect_logs import read_header

        read_header(str(path))
        return Source(str(path), "inspect", size=size)
    array = is_array(head or b"", damage)
    detected = format or _detect(path, array)
    return Source(str(path), detected, array=array, size=size)


def _head(path: Path) -> tuple[bytes | None, int, str | None]:
    """A file's first bytes, its size, and why the bytes end early; None for the bytes of an Inspect archive."""
    names = zip_names(path)
    if names is not None and ("header.json" in names or any(name.startswith("_journal/") for name in names)):
        return None, path.stat().st_size, None
    with open_stream(path) as stream:
        return stream.bytes.read(_HEAD), stream.size, stream.damage()


def is_inspect_log(path: Path) -> bool:
    """Whether a file, by its first bytes or what its archive holds, is an Inspect log. Raises Unreadable."""
    head, *_ = _head(path)
    return head is None or _INSPECT_JSON.match(head) is not None


def is_array(head: bytes, damage: str | None = None) -> bool:
    """Whether a file, by its first bytes, is a JSON array of rows and not JSON Lines.

    Raises ValueError for what holds no chains: nothing, or lm-eval's results. Unreadable where damage hides what it is.
    """
    if _RESULTS_JSON.match(head):
        raise ValueError("this is lm-eval's results file; the chains are in samples_*.jsonl (--log_samples)")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not start and damage is not None:
        raise Unreadable(UNREADABLE_FILE, damage)
    if not head:
        raise ValueError("the file is empty")
    return start == b"["


def first_known(
    path: Path, array: bool, kind_of: Callable[[Mapping[str, Any]], Kind | None]
) -> tuple[Kind | None, str]:
    """What the first rows of a file are, by the first one that `kind_of` knows.

    Returns:
        Its kind, or None and what was found instead.

    Raises:
        Unreadable: not one of those rows can be read.
    """
    problem: str | None = None
    unreadable: Unreadable | None = None
    with open_stream(path) as stream:
        for _, row in itertools.islice(read_rows(stream, array=array), _LOOK_AT):
            if isinstance(row, Unreadable):
                unreadable = unreadable or row
                continue
            if (kind := kind_of(row)) is not None:
                return kind, ""
            problem = f"a row has the fields {', '.join(map(str, row))[:200]}"
    if problem is not None or unreadable is None:
        return None, problem or "it holds no row"
    if not array and _is_json(path):
        return None, "it is one JSON object over several lines, not a row a line"
    raise Unreadable(UNREADABLE_FILE, f"neither JSON nor JSON Lines: none of its rows is; the first: {unreadable}")


def _is_json(path: Path) -> bool:
    with open_stream(path) as stream:
        try:
            json.loads(stream.bytes.read(LONGEST).decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return False
        return True


def _detect(path: Path, array: bool) -> str:
    known, problem = first_known(path, array, _format_of)
    if known is None:
        raise ValueError(f"no known format ({', '.join(FORMATS)}): {problem}")
    return known


def _format_of(row: Mapping[str, Any]) -> str | None:
    if is_chain(row):
        raise ValueError("these scores stand without their questions; `stepgauge show` shows them")
    return next((one.name for one in FORMATS.values() if one.recognises(row)), None)
