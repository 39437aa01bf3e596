"""Reads lm-eval's samples files whose chains were scored during the run.

The rows of our filter `reasoning` hold the scores as JSON; the rows of the document's other filters hold accuracy.
Questions are read as in `stepgauge score`, so that live runs pair with runs scored later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...metrics import ChainScore
from ...metrics.comparison.record import Record, question_hash
from ...metrics.format_version import FormatError
from ..formats.entries import Unreadable
from ..formats.lm_eval_samples import REASONING, Identity, SamplesReader, identity, metrics_of, recognises, subject_in
from ..formats.options import OptionError
from ..formats.rows import open_stream, read_rows
from ..formats.sources import Source
from ..scored import FieldError, of_lm_eval
from .run_parts import Found, Keep, LostRows, Part, plural, take_newest


def read_samples(files: Iterable[Path], keep: Keep) -> Found:
    """The newest scored file of each task and model in each folder, one part per file.

    Raises:
        OptionError: a row has a later format; names the row.
    """
    runs: dict[tuple[Path, str, str | None], list[tuple[Identity, Path]]] = {}
    for path in files:
        one = identity(path)
        runs.setdefault((path.parent, one.task, one.model), []).append((one, path))
    found = Found()
    for (_, task, _), versions in runs.items():
        versions.sort(key=lambda version: (version[0].date, version[1].stat().st_mtime), reverse=True)
        found.add(take_newest(task, versions, lambda path, one: _read(path, one.task, one.model, keep)))
    return found


@dataclass
class _Document:
    """The rows of one document.

    Attributes:
        accuracy: {filter: {metric: value}}.
        chains: one per response; None if the document is not wanted.
    """

    accuracy: dict[str, dict[str, float]] = field(default_factory=dict)
    row: int = 0  # row number of our filter; 0 until it has been read
    chains: Sequence[ChainScore] | None = None
    question: str = ""
    choices: Sequence[str] | None = None
    answers: tuple[str, ...] = ()
    subject: str | None = None


def _read(path: Path, task: str, model: str | None, keep: Keep) -> Part | None:
    """The wanted records of one file; None if no chain in it is scored. Raises Unreadable if no score can be read."""
    reader: SamplesReader | None = None
    documents: dict[str, _Document] = {}
    filters: dict[str, None] = {}
    notes: Counter[str] = Counter()
    lost, scored, read_one = LostRows(path), False, False
    with open_stream(path) as stream:
        for number, row in read_rows(stream, array=False):
            try:
                if isinstance(row, Unreadable):
                    raise row
                doc_id, name = _place(row)
                document = documents.setdefault(doc_id, _Document())
                if name != REASONING:
                    filters[name] = None
                    document.accuracy[name] = metrics_of(row)
                    continue
                scored = True
                subject = subject_in(row)
                if document.row:
                    raise FieldError(f"field 'doc_id': {doc_id} has scores in row {document.row} already")
                document.row, read_one = number, True
                if not keep.fits(task=task, subject=subject, doc_id=doc_id, model=model):
                    continue
                reader = reader or SamplesReader(Source(str(path), "lm-eval"))
                read = reader.document(row)
                notes.update(read.notes)
                document.chains = of_lm_eval(row)
                document.question, document.choices, document.subject = read.question, read.choices, subject
                document.answers = tuple(answer for answer in read.answers or () if answer.strip())
            except FormatError as error:
                raise OptionError(f"{path}, row {number}: {error}") from error
            except (Unreadable, FieldError) as error:
                lost.add(f"{path}, row {number}", error)
    if not scored:
        return None
    part = Part(path, keep.model(model), notes=lost.notes(read=read_one))
    for doc_id, document in documents.items():
        part.records += _records(path, task, doc_id, document, list(filters))
    part.notes += [f"task {task}: {plural(count, 'question')}: {note}" for note, count in notes.items()]
    if without := sum(not document.row for document in documents.values()):
        part.notes.append(f"task {task}: {plural(without, 'document')} without a row of our filter left out")
    if len(filters) > 1:
        named = ", ".join(filters)
        part.notes.append(f"task {task}: filters {named}; a metric without a filter's name is the first one's")
    return part


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    """The document and the filter of a row."""
    if not recognises(row):
        raise FieldError(f"not a sample of lm-eval: the row has {', '.join(map(str, row))[:200]}")
    doc_id, name = row.get("doc_id"), row.get("filter", "none")
    if isinstance(doc_id, bool) or not isinstance(doc_id, str | int):
        raise FieldError(f"field 'doc_id': expected a number or text, got {doc_id!r:.80}")
    if not isinstance(name, str):
        raise FieldError(f"field 'filter': expected text, got {name!r:.80}")
    return str(doc_id), name


def _records(path: Path, task: str, doc_id: str, document: _Document, filters: Sequence[str]) -> list[Record]:
    accuracy = _named(document.accuracy, filters)
    return [
        Record(
            task=task,
            question=document.question,
            question_hash=question_hash(document.question, document.choices),
            score=chain,
            accuracy=accuracy,
            doc_id=doc_id,
            subject=document.subject,
            answer=document.answers,
            where=f"{path}, row {document.row}",
        )
        for chain in document.chains or ()
    ]


def _named(accuracy: Mapping[str, Mapping[str, float]], filters: Sequence[str]) -> dict[str, float]:
    """Accuracies named `metric,filter`, as in lm-eval's results, if the file has several filters.

    The bare `metric` is that of the first filter, as in `stepgauge score`.
    """
    first = dict(accuracy.get(filters[0], {})) if filters else {}
    if len(filters) < 2:
        return first
    of_all = {f"{name},{one}": value for one in filters for name, value in accuracy.get(one, {}).items()}
    return {**of_all, **first}
