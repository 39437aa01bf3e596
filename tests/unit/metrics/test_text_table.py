"""The plain table is, line for line, what rich draws of the same cells."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepgauge.metrics.printable import printable
from stepgauge.metrics.text_table import Column, folded, text_table

COLUMNS = [
    Column("#", right=True),
    Column("step", wraps=True),
    Column("gain\nnats", right=True),
    Column("p per token", min_width=12),
    Column("claim → verdict", wraps=True),
]
WORDS = st.sampled_from(
    ["so", "x = 12,345", "長い文", "e\u0301te\u0301", "a-very-long-word-without-a-break" * 2, "  ", "👩‍⚕️", "[b]"]
)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=9)), max_size=30).map(lambda words: printable(" ".join(words)))
ROWS = st.tuples(
    st.integers(0, 9999).map(str),
    TEXTS,
    st.sampled_from(["+0.12", "–", "-12.50", ""]),
    st.sampled_from(["", "█████▌", "████████████"]),
    st.lists(TEXTS, max_size=3).map("\n".join),
)


def console(width: int) -> Console:
    return Console(width=width, force_terminal=False, force_jupyter=False, color_system=None, highlight=False)


def drawn_by_rich(columns: list[Column], rows: list[tuple[str, ...]], width: int) -> list[str]:
    table = Table(show_lines=False, expand=False, pad_edge=False)
    for column in columns:
        how = {"justify": "right"} if column.right else {}
        how |= {"overflow": "fold"} if column.wraps else {"no_wrap": True}
        table.add_column(Text(column.title), min_width=column.min_width or None, **how)
    for row in rows:
        table.add_row(*map(Text, row))
    with (drawing := console(width)).capture() as captured:
        drawing.print(table)
    return captured.get().split("\n")[:-1]


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=5), st.integers(24, 140))
def test_table_is_the_one_that_rich_draws(rows, width):
    count = 3 if width < 50 else 4 if width < 70 else 5
    cut = [row[:count] for row in rows]
    assert text_table(COLUMNS[:count], cut, width) == drawn_by_rich(COLUMNS[:count], cut, width)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3).map("\n".join), st.integers(20, 100))
def test_text_is_folded_as_rich_folds_it(text, width):
    with (drawing := console(width)).capture() as captured:
        drawing.print(Text(text))
    assert [line.rstrip() for line in folded(text, width)] == [
        line.rstrip() for line in captured.get().split("\n")[:-1]
    ]
