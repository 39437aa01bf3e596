"""Reads the passages that a sample names as files of its sandbox: `metadata["passages"] = [{"file": "report.csv"}]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inspect_ai.util import sandbox

from ...metrics import Trace
from ...metrics.errors import said

MAX_CHARACTERS = 2_000_000


async def with_files(trace: Trace) -> Trace:
    """The trace with the texts of its passages' files; the passage's id is the file's name unless it has another.

    A file that cannot be read, or that has more than `MAX_CHARACTERS`, keeps its passage without text, with the reason:
    the claims that need it then stay unscored.
    """
    passages = trace.meta.get("passages")
    if not isinstance(passages, Sequence) or isinstance(passages, str) or not any(map(_names_file, passages)):
        return trace
    read = [await _read(one) if _names_file(one) else one for one in passages]
    return replace(trace, meta={**trace.meta, "passages": read})


def _names_file(passage: Any) -> bool:
    return isinstance(passage, Mapping) and isinstance(passage.get("file"), str) and "text" not in passage


async def _read(passage: Mapping[str, Any]) -> dict[str, Any]:
    name = passage["file"]
    try:
        text = await sandbox().read_file(name)
    except Exception as error:  # no sandbox, no such file, no text, a limit: it concerns this file's claims alone
        return {**passage, "problem": said(error)}
    if len(text) > MAX_CHARACTERS:
        return {**passage, "problem": f"{len(text):,} characters are more than {MAX_CHARACTERS:,}"}
    return {"id": name, **passage, "text": text}
