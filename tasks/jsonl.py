"""Reads the rows of local data files (JSON lines, JSON, TSV, CSV), with errors that name file, line and field."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any


def read_jsonl(path: Path, fields: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Rows of a JSONL file, each with all of `fields`, as text unless it is `choices`.

    Raises:
        ValueError: names file, line and field.
        OSError: the file cannot be read.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: expected a JSON object, got {line!r:.80} ({error})") from error
        if not isinstance(row, dict):
            wanted = f" with field {fields[0]!r}" if fields else ""
            raise ValueError(f"{path}, line {number}: expected a JSON object{wanted}, got {line!r:.80}")
        missing = [name for name in fields if name not in row]
        if missing:
            raise ValueError(
                f"{path}, line {number}: expected a JSON object with field {missing[0]!r}, got {line!r:.80}"
            )
        wrong = [name for name in fields if name != "choices" and not isinstance(row[name], str)]
        if wrong:
            raise ValueError(f"{path}, line {number}, field {wrong[0]!r}: expected text, got {row[wrong[0]]!r:.80}")
        rows.append(row)
    return rows


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file, of a `.json` file that holds a list of rows or one mapping, or of a `.tsv` or `.csv` file
    whose first line names the fields.

    Raises:
        ValueError: names the file and what was expected.
        OSError: the file cannot be read.
    """
    if path.suffix in (".tsv", ".csv"):
        return _read_table(path, "\t" if path.suffix == ".tsv" else ",")
    if path.suffix != ".json":
        return read_jsonl(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: expected JSON, or JSON lines in a file named .jsonl ({error})") from error
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: expected a list of JSON objects, got {type(content).__name__}")
    return rows


def _read_table(path: Path, delimiter: str) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = list(csv.DictReader(file, delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise ValueError(f"{path}: expected rows of fields between {delimiter!r} ({error})") from error
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(
                f"{path}, row {number}: expected {len(rows[0])} fields as in the first line, got {row!r:.80}"
            )
    return rows
