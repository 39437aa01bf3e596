"""Renders a series of checkpoints as a table, for a terminal and as Markdown."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from ..printable import printable
from .markdown_table import escape, table_lines
from .numbers import NONE, number, plural
from .render import STYLES
from .results import Row
from .series import Checkpoint, Series
from .terminal_table import print_table

_ABOUT = (
    "each checkpoint against {base}, on the questions of both; * marks what moved: p below {alpha:g} after Holm's "
    "correction over the whole series; each 95 % interval is that of its difference alone"
)


def print_series(series: Series, console: Console) -> None:
    """Print what became of accuracy and reasoning from checkpoint to checkpoint."""
    console.print(Text(_title(series), style="bold"))
    console.print(Text(_about(series)))
    console.print()
    parts = [tuple(range(2 * i + 1, 2 * i + 3)) for i in range(len(series.measures))]
    print_table(console, "", _headers(series), parts, [("", _cells(series))])
    console.print()
    for one in series.checkpoints:
        verdict = (one.verdict.name, STYLES[one.verdict.name])
        name = (f"{printable(series.name(one))}: ", "bold")
        console.print(Text.assemble(name, verdict, f" ({one.n_pairs:,} questions)"))
    console.print()
    for sentence in series.sentences():
        console.print(Text(f"• {printable(sentence)}"))


def markdown(series: Series) -> str:
    """The same as Markdown."""
    out = [f"# {escape(_title(series))}", "", escape(_about(series)), ""]
    out += table_lines(_headers(series), [("", _cells(series))], left=1)
    return "\n".join([*out, "", *(f"- {escape(printable(one))}" for one in series.sentences()), ""])


def _title(series: Series) -> str:
    return printable(f"{plural(len(series.checkpoints), 'checkpoint')} against {series.base}")


def _about(series: Series) -> str:
    return printable(_ABOUT.format(base=series.base, alpha=series.alpha))


def _headers(series: Series) -> list[str]:
    labels = [_label(series, key) for key in series.measures]
    both = [header for label in labels for header in (label, f"{label}: difference")]
    return [printable(one) for one in (series.unit, *both, "verdict", "n")]


def _label(series: Series, key: str) -> str:
    return next(one.rows[key].label for one in series.checkpoints if key in one.rows)


def _cells(series: Series) -> list[list[str]]:
    first = series.checkpoints[0]
    of_base = [cell for key in series.measures for cell in (_mean(first.rows.get(key), base=True), NONE)]
    rows = [[printable(series.base_name), *of_base, "base", f"{first.n_pairs:,}"]]
    for one in series.checkpoints:
        numbers = [cell for key in series.measures for cell in _pair(one, key, series.alpha)]
        rows.append([printable(series.name(one)), *numbers, one.verdict.name, f"{one.n_pairs:,}"])
    return rows


def _pair(checkpoint: Checkpoint, key: str, alpha: float) -> tuple[str, str]:
    row = checkpoint.rows.get(key)
    if row is None or math.isnan(row.difference):
        return _mean(row), NONE
    moved = "*" if row.p_holm < alpha and row.difference else ""
    interval = "" if math.isnan(row.low) else f" [{number(row.low, sign=True)}, {number(row.high, sign=True)}]"
    return _mean(row), f"{number(row.difference, sign=True)}{moved}{interval}"


def _mean(row: Row | None, *, base: bool = False) -> str:
    return NONE if row is None else number(row.base if base else row.tuned)
