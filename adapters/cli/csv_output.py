"""Tables of `compare`, `repeats`, `calibration` as CSV: a line a row, with the names and full numbers of the JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet takes a text for a formula and runs it


def as_csv(tables: Iterable[Mapping[str, Any]]) -> str:
    """The rows of all tables. Missing numbers are empty; nested names are joined by dots, as `all.base.value`.

    Args:
        tables: each with `base`, `tuned`, `task` and `rows`, as the JSON has them, and a `verdict` where it has one.
    """
    rows = [row for table in tables for row in _rows(table)]
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rows(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    context = {"base_run": table["base"], "tuned_run": table["tuned"]}
    context["task"] = "overall" if table["task"] is None else table["task"]
    context |= {"verdict": table["verdict"]} if "verdict" in table else {}
    for row in table["rows"]:
        yield {name: _cell(value) for name, value in (*context.items(), *_flat(row, ""))}


def _flat(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name == "missing":
            yield f"{above}{name}", "; ".join(f"{count} × {reason}" for reason, count in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
