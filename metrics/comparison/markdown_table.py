"""Writes tables and texts as Markdown, in which nothing that comes from a file is markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .terminal_table import Sections

_INTERVAL = re.compile(r"\[[-+−0-9.,e ]+\]")


def table_lines(headers: Sequence[str], sections: Sections, *, left: int) -> list[str]:
    """The lines of a table.

    Args:
        sections: as for `print_table`.
        left: how many of the first columns stand to the left; the others hold numbers.
    """
    out = [_line(headers), _line([*["---"] * left, *["---:"] * (len(headers) - left)])]
    for title, rows in sections:
        out += [_line([f"*{title}*", *[""] * (len(headers) - 1)])] if title else []
        out += [_line(row) for row in rows]
    return out


def escape(text: str) -> str:
    """Escape Markdown and HTML in names and reasons, which come from untrusted files."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "\\[]!" else char for char in text)


def _line(values: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(value) for value in values) + " |"


def _cell(value: str) -> str:
    """A cell we wrote keeps its brackets: Markdown does not read an interval as a link."""
    return value if _INTERVAL.fullmatch(value) else escape(value).replace("|", "\\|")
