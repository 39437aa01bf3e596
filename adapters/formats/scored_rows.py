"""Reads chains that `stepgauge score` has scored, to score them again: with another scorer, or cut alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...metrics import Trace
from ...metrics.format_version import FormatError, check_format
from ..grades import number
from .entries import Entry, Unreadable, Where, identifier
from .options import OptionError


def read(where: Where, row: Mapping[str, Any]) -> list[Entry]:
    """The chain of one row.

    Raises:
        OptionError: the row has a later format.
        Unreadable: a field does not hold what is written there.
    """
    try:
        check_format(row)
    except FormatError as error:
        raise OptionError(f"{where}: {error}") from error
    if "response" not in row:
        kind = "no response in the row: an earlier version wrote it"
        raise Unreadable(kind, "score the files that it came from")
    try:
        given = {name: row.get(name) for name in ("question", "response", "answer", "choices", "model_answer", "id")}
        trace = Trace.from_dict(given)
    except (TypeError, ValueError) as error:
        raise Unreadable("not a row of scores", str(error)) from error
    key = row.get("key")
    named, seen = (
        found if isinstance(found := row.get(name), Mapping) else {} for name in ("accuracy", "read_answers")
    )
    repeat = key.get("repeat") if isinstance(key, Mapping) else None
    truncated, should_abstain = (row.get(name) for name in ("truncated", "should_abstain"))
    return [
        Entry(
            Where(where.file, where.row, repeat if isinstance(repeat, int) else 0),
            trace,
            task=_text(row, "task"),
            model=_text(row, "model"),
            doc_id=identifier(row.get("doc_id")),
            accuracy={str(name): found for name, one in named.items() if (found := number(one)) is not None},
            subject=_text(row, "subject"),
            truncated=truncated if isinstance(truncated, bool) else None,
            should_abstain=should_abstain if isinstance(should_abstain, bool) else None,
            read_answers={str(name): one for name, one in seen.items() if isinstance(one, str)},
        )
    ]


def _text(row: Mapping[str, Any], name: str) -> str | None:
    found = row.get(name)
    return found if isinstance(found, str) else None
