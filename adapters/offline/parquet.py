"""Writes a scored folder as one Parquet file: a row per chain, a column per number, steps as a list of structs."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ...metrics.score import RELIANCE_NUMBERS
from ..formats.options import OptionError
from .summary import Group, read_rows
from .whole_file import replacing

_ROW_GROUP = 1024  # rows held in memory
_TEXTS = ("id", "trace_hash", "task", "model", "subject", "question_hash", "question", "model_answer", "failed")
_STEP_TEXTS = ("text", "kind")
_STEP_WHOLE = ("start", "end", "n_tokens")
_STEP_NUMBERS = ("log_likelihood", "gain", "ppl_gain", "gold_probability", "entropy_bits")


def check_pyarrow() -> None:
    """Raises OptionError if the package that writes Parquet is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise OptionError("--parquet needs pyarrow: pip install pyarrow")


def write_parquet(folder: Path, groups: Sequence[Group]) -> Path:
    """Write `scores.parquet` beside `scores.jsonl`, a row group at a time.

    Args:
        groups: the folder's groups, which know the names of all numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    metrics = list(dict.fromkeys(name for group in groups for name in group.metrics))
    relied = any(claim for group in groups for claim in group.reliance_claims)
    reliance = RELIANCE_NUMBERS if relied else ()
    accuracies = list(dict.fromkeys(name for group in groups for name in group.accuracy))
    step = pa.struct(
        [
            *((name, pa.string()) for name in _STEP_TEXTS),
            *((name, pa.int64()) for name in _STEP_WHOLE),
            ("states_answer", pa.bool_()),
            *((name, pa.float64()) for name in (*_STEP_NUMBERS, *reliance)),
            *([("corrupted", pa.string())] if relied else []),
            ("verdicts", pa.string()),
        ]
    )
    schema = pa.schema(
        [
            ("file", pa.string()),
            ("row", pa.int64()),
            ("repeat", pa.int64()),
            *((name, pa.string()) for name in _TEXTS),
            ("doc_id", pa.string()),
            ("answer", pa.list_(pa.string())),
            *((f"accuracy.{name}", pa.float64()) for name in accuracies),
            ("truncated", pa.bool_()),
            ("should_abstain", pa.bool_()),
            *((name, pa.float64()) for name in metrics),
            ("log_likelihoods", pa.list_(pa.float64())),
            *([("own_answer", pa.string()), ("own_log_likelihoods", pa.list_(pa.float64()))] if relied else []),
            ("steps", pa.list_(step)),
            *((name, pa.string()) for name in ("missing", "notes", "provenance")),
        ]
    )
    target = folder / "scores.parquet"
    rows = read_rows(folder)
    with replacing(target) as part, pq.ParquetWriter(part, schema) as writer:
        while batch := [_flat(row, accuracies, metrics) for row in islice(rows, _ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return target


def _flat(row: Mapping[str, Any], accuracies: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    score = row["score"]
    return {
        **row["key"],
        **{name: _text(row[name]) for name in _TEXTS},
        "doc_id": None if row["doc_id"] is None else str(row["doc_id"]),
        "answer": [_text(answer) for answer in row["answer"]],
        **{f"accuracy.{name}": row["accuracy"].get(name) for name in accuracies},
        "truncated": row.get("truncated"),
        "should_abstain": row.get("should_abstain"),
        **{name: score["metrics"].get(name) for name in metrics},
        "log_likelihoods": score["log_likelihoods"],
        "own_answer": _text(score.get("own_answer")),
        "own_log_likelihoods": score.get("own_log_likelihoods"),
        "steps": list(_steps(score["steps"])),
        **{name: json.dumps(score[name]) for name in ("missing", "notes", "provenance")},
    }


def _steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        kept = {name: step[name] for name in (*_STEP_TEXTS, *_STEP_WHOLE, "states_answer", *_STEP_NUMBERS)}
        reliance = {**{name: step.get(name) for name in RELIANCE_NUMBERS}, "corrupted": _text(step.get("corrupted"))}
        yield {**kept, **reliance, "text": _text(step["text"]), "verdicts": json.dumps(step["verdicts"])}


def _text(value: str | None) -> str | None:
    """The text without lone surrogates, which UTF-8, and so Parquet, cannot represent."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")
