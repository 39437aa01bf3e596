"""Splitters that follow the response's own layout: blank lines, or every line."""

from __future__ import annotations

from .base import Span, Splitter
from .blocks import group_paragraphs, join_dependants, line_pieces


def split_paragraphs(text: str) -> list[Span]:
    """Cut at blank lines and rules. Headings and lead-ins stay with what follows them."""
    pieces = group_paragraphs(line_pieces(text))
    return [(piece.start, piece.end) for piece in join_dependants(text, pieces)]


def split_lines(text: str) -> list[Span]:
    """Cut at every newline outside formulas, code fences and tables."""
    return [(piece.start, piece.end) for piece in join_dependants(text, line_pieces(text))]


PARAGRAPHS = Splitter("paragraphs", split_paragraphs, "cut at blank lines; formulas, code and tables stay whole")
LINES = Splitter("lines", split_lines, "cut at every newline; formulas, code and tables stay whole")
