"""Reads lm-eval's samples files, scored during the run or not.

The rows of our filter `reasoning` hold scores as JSON; the rows of a document's other filters hold accuracy. Questions
are read as in `stepgauge score`, so that live runs pair with runs scored later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...metrics import ChainScore
from ...metrics.answers.abstaining import Outcome
from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import UNSCORED, Record, question_hash
from ...metrics.format_version import FormatError
from ..formats.entries import Unreadable
from ..formats.graded import Graded
from ..formats.lm_eval_samples import (
    REASONING,
    Identity,
    SamplesReader,
    identity,
    recognises,
    should_abstain_of,
    subject_in,
)
from ..formats.options import OptionError
from ..formats.rows import open_stream, read_rows
from ..formats.sources import Source
from ..scored import FieldError, of_lm_eval
from .endings import ending
from .run_parts import Found, Keep, LostRows, Part, take_newest
from .stances import in_score, in_text


def read_samples(files: Iterable[Path], keep: Keep) -> Found:
    """The newest file of each task and model in each folder, scored ones first, one part per file.

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


def read_samples_file(path: Path, keep: Keep) -> Part:
    """The wanted records of one file. Raises Unreadable if no row can be read, OptionError as `read_samples` does."""
    one = identity(path)
    return _read(path, one.task, one.model, keep)


@dataclass
class _Document:
    """The rows of one document.

    Attributes:
        wanted: whether its chains are kept.
        graded: {filter: one per response}.
        shared: why the numbers are of all responses together, if they are.
        chains: the scores, one per response; None until our filter's row has been read.
        endings: (characters, whether it ends mid-sentence) of each response.
        stances: whether each response answers, by the rule.
        should_abstain: whether the document should be left unanswered.
        row: row number, for messages: of the scores, else the first one.
    """

    row: int
    wanted: bool
    question: str
    choices: Sequence[str] | None
    answers: tuple[str, ...]
    subject: str | None
    endings: list[tuple[int | None, bool | None]]
    stances: list[Outcome | None]
    should_abstain: bool | None = None
    graded: dict[str, list[Graded]] = field(default_factory=dict)
    shared: str | None = None
    chains: Sequence[ChainScore] | None = None


def _read(path: Path, task: str, model: str | None, keep: Keep) -> Part:
    """The wanted records of one file. Raises Unreadable if no row can be read."""
    reader = SamplesReader(Source(str(path), "lm-eval"))
    documents: dict[str, _Document] = {}
    filters: dict[str, None] = {}
    notes: Counter[str] = Counter()
    lost, read_one = LostRows(path), False
    with open_stream(path) as stream:
        for number, row in read_rows(stream, array=False):
            try:
                if isinstance(row, Unreadable):
                    raise row
                _add(documents, filters, notes, number, row, reader, (task, model), keep)
                read_one = True
            except FormatError as error:
                raise OptionError(f"{path}, row {number}: {error}") from error
            except (Unreadable, FieldError) as error:
                lost.add(f"{path}, row {number}", error)
    scored = any(one.chains is not None for one in documents.values())
    part = Part(path, keep.model(model), notes=lost.notes(read=read_one), scored=scored)
    for doc_id, document in documents.items():
        if document.wanted and (document.chains is not None or not scored):
            part.records += _records(path, task, doc_id, document, list(filters))
    part.notes += [f"task {task}: {plural(count, 'question')}: {note}" for note, count in notes.items()]
    if without := sum(document.chains is None for document in documents.values() if scored):
        part.notes.append(f"task {task}: {plural(without, 'document')} without a row of our filter left out")
    if len(filters) > 1:
        named = ", ".join(filters)
        part.notes.append(f"task {task}: filters {named}; a metric without a filter's name is the first one's")
    return part


def _add(
    documents: dict[str, _Document],
    filters: dict[str, None],
    notes: Counter[str],
    number: int,
    row: Mapping[str, Any],
    reader: SamplesReader,
    run: tuple[str, str | None],
    keep: Keep,
) -> None:
    """Add one row to its document."""
    doc_id, name = _place(row, reader)
    document = documents.get(doc_id)
    read = None
    if document is None:
        subject = subject_in(row)
        wanted = keep.fits(task=run[0], subject=subject, doc_id=doc_id, model=run[1])
        if wanted:
            read = reader.document(row)
            notes.update(read.notes)
            answers = tuple(answer for answer in read.answers or () if answer.strip())
            endings = [ending(response) for response in read.responses]
            stances: list[Outcome | None] = [in_text(response, read.choices) for response in read.responses]
            asked = (read.question, read.choices, answers, subject)
            document = _Document(number, True, *asked, endings, stances, should_abstain_of(row))
        else:
            document = _Document(number, False, "", None, (), subject, [], [])
        documents[doc_id] = document
    if name == REASONING:
        if document.chains is not None:
            raise FieldError(f"field 'doc_id': {doc_id} has scores in row {document.row} already")
        document.row, document.chains = number, of_lm_eval(row) if document.wanted else ()
        return
    filters[name] = None
    if document.wanted:
        responses = reader.responses(row) if read is None else read.responses
        document.graded[name], shared = reader.graded(row, name, responses)
        document.shared = document.shared or shared


def _place(row: Mapping[str, Any], reader: SamplesReader) -> tuple[str, str]:
    """The document and the filter of a row."""
    if not recognises(row):
        raise FieldError(f"not a sample of lm-eval: the row has {', '.join(map(str, row))[:200]}")
    doc_id, name = row.get("doc_id"), row.get("filter")
    if isinstance(doc_id, bool) or not isinstance(doc_id, str | int):
        raise FieldError(f"field 'doc_id': expected a number or text, got {doc_id!r:.80}")
    if not isinstance(name, str | None):
        raise FieldError(f"field 'filter': expected text, got {name!r:.80}")
    return str(doc_id), name or reader.filter_of(row)


def _records(path: Path, task: str, doc_id: str, document: _Document, filters: Sequence[str]) -> list[Record]:
    count = len(document.endings) or 1
    scores = [UNSCORED] * count if document.chains is None else document.chains
    endings = document.endings if len(document.endings) == len(scores) else [(None, None)] * len(scores)
    stances = document.stances if len(document.stances) == len(scores) else [None] * len(scores)
    out: list[Record] = []
    for repeat, (score, (length, unfinished), stance) in enumerate(zip(scores, endings, stances, strict=True)):
        graded = {name: of_all[min(repeat, len(of_all) - 1)] for name, of_all in document.graded.items()}
        accuracy, answers = _named(graded, filters)
        out.append(
            Record(
                task=task,
                question=document.question,
                question_hash=question_hash(document.question, document.choices),
                score=score,
                accuracy=accuracy,
                doc_id=doc_id,
                subject=document.subject,
                answer=document.answers,
                where=f"{path}, row {document.row}",
                accuracy_shared=document.shared,
                read_answers=answers,
                unfinished=unfinished,
                length=length,
                stance=in_score(score) or stance,
                choices=document.choices,
                should_abstain=document.should_abstain,
            )
        )
    return out


def _named(graded: Mapping[str, Graded], filters: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Numbers and the answers they saw, named `metric,filter` as in lm-eval's results if the file has several filters.

    The bare `metric` is that of the first filter, as in `stepgauge score`.
    """
    named: dict[str, tuple[float, str]] = {}
    for one in filters if len(filters) > 1 else ():
        if one in graded:
            named |= {f"{name},{one}": (value, graded[one].answer or "") for name, value in graded[one].metrics.items()}
    first = graded.get(filters[0]) if filters else None
    if first is not None:
        named |= {name: (value, first.answer or "") for name, value in first.metrics.items()}
    return {name: value for name, (value, _) in named.items()}, {name: answer for name, (_, answer) in named.items()}
