"""Reads traces as `Trace.to_dict` writes them, one per line; `meta` may name task, model, accuracy and subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...metrics import Trace
from ..gold import gold_answers
from ..grades import number
from .entries import Entry, Unreadable, Where, identifier, should_abstain_in, subject_of
from .sources import Source


def recognises(row: Mapping[str, Any]) -> bool:
    return {"question", "response"} <= set(row)


def reader(source: Source):
    """A function that reads one row."""
    del source

    def read(where: Where, row: Mapping[str, Any]) -> list[Entry]:
        try:
            trace = Trace.from_dict({**_with_gold(row), **_names(row)})
        except (TypeError, ValueError) as error:
            raise Unreadable("not a trace", str(error)) from error
        meta = trace.meta if isinstance(trace.meta, Mapping) else {}
        task, model, doc_id = (meta.get(name) for name in ("task", "model", "doc_id"))
        return [
            Entry(
                where,
                trace,
                task=task if isinstance(task, str) else None,
                model=model if isinstance(model, str) else None,
                doc_id=identifier(doc_id),
                accuracy=accuracies(meta.get("accuracy", meta.get("correct"))),
                subject=subject_of(meta),
                should_abstain=should_abstain_in(meta),
            )
        ]

    return read


def _names(row: Mapping[str, Any]) -> dict[str, str]:
    """What a trace holds as text and a file may hold as a whole number. Raises TypeError for anything else."""
    found: dict[str, str] = {}
    for name in ("id", "model_answer"):
        if (value := row.get(name)) is None:
            continue
        if identifier(value) is None:
            raise TypeError(f"field {name!r}: expected text or a whole number, got {value!r:.80}")
        found[name] = str(value)
    return found


def _with_gold(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with its gold answer as the other formats have it. Raises ValueError for one that is no option."""
    answer, options = row.get("answer"), row.get("choices")
    values = [answer] if isinstance(answer, str) else answer
    for texts in (values, options or []):
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            return row  # no gold answer, or none that a trace may have
    answers = gold_answers(values or [], options)
    return {**row, "answer": answers[0] if isinstance(answer, str) and len(answers) == 1 else answers}


def accuracies(value: object) -> dict[str, float]:
    """A number, or numbers by name; what is no number is left out."""
    named = value if isinstance(value, Mapping) else {"accuracy": value}
    return {str(name): found for name, one in named.items() if (found := number(one)) is not None}
