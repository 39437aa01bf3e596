"""Renders measures of judges as tables, for a terminal and as Markdown: a column a judge, a row a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ..comparison.markdown_table import escape, table_lines
from ..comparison.numbers import NONE, number, plural
from ..comparison.terminal_table import print_table
from ..judge_measures.measure import Estimate, Measure, two_places
from ..printable import printable

Agreement = Sequence[tuple[str, str, int, Estimate]]
_NOTE = 200

_ROWS: Mapping[str, Mapping[str, Callable[[Measure], str]]] = {
    "": {
        "claims": lambda one: f"{one.claims:,}",
        "right, share": lambda one: two_places(one.right / one.claims) if one.claims else NONE,
        "without a score": lambda one: f"{one.unscored:,}",
        "AUROC": lambda one: str(one.auroc),
        "Brier score": lambda one: str(one.brier),
    },
    "as the judge is set": {
        "called right or wrong": lambda one: _of(one.as_set, "decided"),
        "precision of right": lambda one: _of(one.as_set, "precision"),
        "recall of right": lambda one: _of(one.as_set, "recall"),
        "recall of wrong": lambda one: _of(one.as_set, "recall_wrong"),
    },
    "threshold fitted on half, tested on the other half": {
        "threshold": lambda one: two_places(one.threshold),
        "precision of right": lambda one: _of(one.fitted, "precision"),
        "recall of right": lambda one: _of(one.fitted, "recall"),
        "recall of wrong": lambda one: _of(one.fitted, "recall_wrong"),
    },
    "verdicts that change": {
        "in other words": lambda one: _of(one.moved, "reworded"),
        "with a hidden order": lambda one: _of(one.moved, "ordered"),
        "to supported, as ordered": lambda one: _of(one.moved, "obeyed"),
    },
    "cost of a claim": {
        "seconds": lambda one: _cost(one, "seconds"),
        "CPU seconds": lambda one: _cost(one, "cpu_seconds"),
        "calls": lambda one: _cost(one, "calls"),
        "tokens": lambda one: _cost(one, "tokens"),
    },
}


def print_measures(measures: Sequence[Measure], agreement: Agreement, console: Console) -> None:
    """Print the table of one set, what the judges said of which claims, and how far they agree."""
    headers = ["", *(printable(one.judge) for one in measures)]
    print_table(console, _title(measures), headers, [[i] for i in range(1, len(headers))], list(_sections(measures)))
    for line in notes(measures, agreement):
        console.print(Text(f"• {line}"))


def markdown(measures: Sequence[Measure], agreement: Agreement) -> str:
    """The same as Markdown."""
    headers = ["", *(escape(printable(one.judge)) for one in measures)]
    lines = [f"## {escape(_title(measures))}", "", *table_lines(headers, list(_sections(measures)), left=1), ""]
    return "\n".join([*lines, *(f"- {escape(line)}" for line in notes(measures, agreement))]) + "\n"


def notes(measures: Sequence[Measure], agreement: Agreement) -> list[str]:
    """What was said of which claims, why numbers are missing, agreement between judges, and how to read intervals."""
    out = []
    for one in measures:
        rows = (
            f"{truth}: {', '.join(f'{count:,} {label}' for label, count in counts.items())}"
            for truth, counts in one.said.items()
        )
        out.append(f"{one.judge} said of claims that are {'; '.join(rows)}")
        out += [f"{one.judge}: no {name}: {why[:_NOTE]}" for name, why in one.missing.items()]
    out += [f"{a} and {b}: kappa {found} over {plural(n, 'claim')} that both decide" for a, b, n, found in agreement]
    documents = measures[0].documents if measures else 0
    out.append(f"95 % intervals draw whole documents ({documents:,})")
    return [printable(line) for line in out]


def csv_table(measures: Sequence[Measure]) -> dict[str, Any]:
    """For `csv_output.as_csv`: a row a judge."""
    rows = [
        {name: value for name, value in one.to_dict().items() if name not in ("made", "said", "missing")}
        for one in measures
    ]
    return {"base": measures[0].on if measures else "", "tuned": None, "task": None, "rows": rows}


def _title(measures: Sequence[Measure]) -> str:
    return printable(f"judges on {measures[0].on}") if measures else "judges"


def _sections(measures: Sequence[Measure]) -> Iterator[tuple[str, list[list[str]]]]:
    for title, rows in _ROWS.items():
        cells = [[name, *(cell(one) for one in measures)] for name, cell in rows.items()]
        kept = [row for row in cells if any(value != NONE for value in row[1:])]
        if kept:
            yield title, kept


def _of(found: Mapping[str, Estimate], name: str) -> str:
    return str(found[name]) if name in found else NONE


def _cost(one: Measure, name: str) -> str:
    value = one.cost.get(name, math.nan)
    return NONE if math.isnan(value) else number(value, 2)
