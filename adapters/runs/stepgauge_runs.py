"""Reads `scores.jsonl`, which `stepgauge score` writes: one row per chain, of one model or several."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import Record
from ...metrics.format_version import FormatError, check_format
from ..formats.entries import Unreadable, identifier
from ..formats.options import OptionError
from ..formats.rows import open_stream, read_rows
from ..grades import number
from ..labelled.corrected_file import corrected_lines
from ..offline.out_folder import check_folder, last_window
from ..offline.packed import Unpacker
from ..scored import SCORES_FILES, FieldError, absent, of_row
from .run_parts import Found, Keep, LostRows, Part
from .stances import in_score

_TEXT = (str, type(None))
_TYPES = {str: "text", int: "a whole number", bool: "true or false"}


class Scored(NamedTuple):
    """One row: its record, the name of its model, and the file and repeat that its chain came from."""

    record: Record
    model: str
    file: Any
    repeat: Any


def read_scored(path: Path, keep: Keep) -> Found:
    """The wanted rows, one part per model.

    Raises:
        OptionError: a row has a later format; names the row.
        Unreadable: the file, or not one of its rows, can be read.
    """
    parts: dict[str, Part] = {}
    inputs: dict[str, Counter[tuple[str, str | None, str, Any]]] = {}
    came_from: dict[tuple[Any, ...], Any] = {}
    notes: list[str] = []
    for record, name, file, repeat in scored_rows(path, keep, notes):
        part = parts.setdefault(name, Part(path, name))
        part.records.append(record)
        chain = (record.task, record.doc_id, record.question_hash, repeat)
        inputs.setdefault(name, Counter())[chain] += 1
        first = came_from.setdefault((name, *chain), file)
        if first != file:
            raise OptionError(
                f"{path}: {first} and {file} both hold chains of model {name!r} for the same questions "
                f"(task {record.task!r}): they are two runs. Score each into a folder of its own, cut alike "
                "(--set splitter=…)"
            )
    for name, part in parts.items():
        part.notes += notes
        if again := sum(count - 1 for count in inputs[name].values()):
            part.notes.append(
                f"{path}: {plural(again, 'chain')} of a task, document and repeat that another row has, too; "
                "they count as further repeats"
            )
    return Found(list(parts.values()))


def scored_rows(path: Path, keep: Keep, notes: list[str]) -> Iterator[Scored]:
    """The wanted rows one at a time, in the order of the file; to `notes` is added, after the last, what was left out.

    Raises:
        OptionError, Unreadable: as `read_scored`, on the way.
    """
    end, of_run = _written(path)
    lost, read = LostRows(path), False
    unpacker = Unpacker()
    with open_stream(path) as stream:
        for number, row in read_rows(stream, array=False):
            if number > end:
                break
            where = f"{path}, row {number}"
            try:
                if isinstance(row, Unreadable):
                    raise row
                check_format(row)
                row = unpacker.unpack(row)
                model = _field(row, "model", _TEXT)
                record = _record(row, where, model, keep)
            except FormatError as error:
                raise OptionError(f"{where}: {error}") from error
            except (Unreadable, FieldError) as error:
                lost.add(where, error)
                continue
            read = True
            if record is None:
                continue
            key = row.get("key")
            file, repeat = (key.get("file"), key.get("repeat")) if isinstance(key, Mapping) else (None, None)
            yield Scored(record, keep.model(model), file, identifier(repeat))
    notes += [*of_run, *corrected_lines(path), *lost.notes(read=read)]


def _record(row: Mapping[str, Any], where: str, model: str | None, keep: Keep) -> Record | None:
    task, subject, model_answer = (_field(row, name, _TEXT) for name in ("task", "subject", "model_answer"))
    doc_id = _field(row, "doc_id", (str, int, type(None)))
    doc_id = None if doc_id is None else str(doc_id)
    question = _field(row, "question", (str,), needed=True)
    if "score" not in row:
        raise FieldError(absent(row, "score"))
    if not keep.fits(task=task, subject=subject, doc_id=doc_id, model=model):
        return None
    score = of_row(row)
    return Record(
        task=task or "",
        question=question,
        question_hash=_field(row, "question_hash", (str,), needed=True),
        score=score,
        accuracy=_accuracy(row),
        doc_id=doc_id,
        subject=subject,
        answer=_texts(row, "answer"),
        model_answer=model_answer,
        truncated=_field(row, "truncated", (bool, type(None))),
        where=where,
        stance=in_score(score),
        choices=None if row.get("choices") is None else _texts(row, "choices"),
        should_abstain=_field(row, "should_abstain", (bool, type(None))),
        read_answers=_read_answers(row),
    )


def _field(row: Mapping[str, Any], name: str, types: tuple[type, ...], *, needed: bool = False) -> Any:
    if needed and name not in row:
        raise FieldError(absent(row, name))
    value = row.get(name)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        expected = " or ".join(_TYPES.get(one, "null") for one in types)
        raise FieldError(f"field {name!r}: expected {expected}, got {value!r:.80}")
    return value


def _accuracy(row: Mapping[str, Any]) -> dict[str, float]:
    given = row.get("accuracy", {})
    if not isinstance(given, Mapping):
        raise FieldError(f"field 'accuracy': expected an object, got {given!r:.80}")
    for name, value in given.items():
        if value is not None and number(value) is None:
            raise FieldError(f"field 'accuracy.{name}': expected a number or null, got {value!r:.80}")
    return {name: float(value) for name, value in given.items() if value is not None}


def _read_answers(row: Mapping[str, Any]) -> dict[str, str]:
    given = row.get("read_answers", {})
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given.values()):
        raise FieldError(f"field 'read_answers': expected an object of texts, got {given!r:.80}")
    return dict(given)


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = row.get(name, [])
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise FieldError(f"field {name!r}: expected a list of texts, got {given!r:.80}")
    return tuple(given)


def _written(path: Path) -> tuple[float, list[str]]:
    """The number of complete rows, and notes: an interrupted run may have left half a row at the end."""
    if path.name not in SCORES_FILES:
        return math.inf, []
    check_folder(path.parent)
    window, _ = last_window(path.parent)
    if window is None:
        return math.inf, []
    notes = []
    counts = window["counts"]
    rows = counts["scored"] + counts["failed"]
    if not window["last"]:
        so_far = plural(rows, "chain")
        notes.append(f"{path}: scoring was stopped before its end, after {so_far}; the same command goes on")
    if skipped := sum(counts["skipped"].values()):
        notes.append(f"{path}: {plural(skipped, 'chain')} could not be read when the run was scored (skipped.jsonl)")
    return math.inf if window["last"] else rows, notes
