"""Reads files of chains that no scorer has seen: chats, traces, MMLU-Pro's output."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import Record
from ..formats.detect import find_sources, items_of
from ..formats.entries import Entry, Passed, Skipped
from .endings import ending
from .run_parts import Found, Keep, Part
from .stances import in_trace


def read_chains(path: Path, keep: Keep) -> Found:
    """The wanted chains, one part per model. What cannot be read is counted in the notes, by its reason.

    Raises:
        OptionError: the file is of no known format.
    """
    (source,) = find_sources([str(path)])
    parts: dict[str, Part] = {}
    left_out: Counter[str] = Counter()
    for item in items_of(source):
        if isinstance(item, Skipped):
            left_out[item.kind] += 1
        elif isinstance(item, Entry):
            doc_id = None if item.doc_id is None else str(item.doc_id)
            if keep.fits(task=item.task, subject=item.subject, doc_id=doc_id, model=item.model):
                model = keep.model(item.model)
                parts.setdefault(model, Part(path, model, scored=False)).records.append(_record(item, doc_id))
        else:
            assert isinstance(item, Passed)
    notes = [f"{path}: {plural(count, 'row')} left out: {kind}" for kind, count in left_out.items()]
    for part in parts.values():
        part.notes += notes
    return Found(unscored=list(parts.values()))


def _record(item: Entry, doc_id: str | None) -> Record:
    length, unfinished = ending(item.trace.response)
    return Record(
        task=item.task or "",
        question=item.trace.question,
        question_hash=item.question_hash,
        accuracy=dict(item.accuracy),
        doc_id=doc_id,
        subject=item.subject,
        answer=item.trace.answers,
        model_answer=item.trace.model_answer,
        truncated=item.truncated,
        where=str(item.where),
        accuracy_shared=item.accuracy_shared,
        read_answers=item.read_answers,
        unfinished=unfinished,
        length=length,
        stance=in_trace(item.trace, truncated=item.truncated),
        choices=item.trace.choices,
        should_abstain=item.should_abstain,
    )
