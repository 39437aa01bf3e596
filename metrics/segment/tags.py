"""Finds the tags by which models set their thinking apart from the answer, also where one of a pair is missing."""

from __future__ import annotations

import re

from .base import Span

_TAG = re.compile(
    r"</?(?:seed:)?(?:think|thinking|thought|thoughts|reasoning|reflection)>"
    r"|<\|/?(?:begin|end)_of_(?:thought|solution)\|>"
    r"|<\|/?(?:think|thinking)\|>"
    r"|\[/?THINK\]|◁/?think▷"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary|final)<\|message\|>|<\|(?:end|return)\|>",
    re.IGNORECASE,
)


def has_tags(text: str) -> bool:
    """Whether any known tag occurs."""
    return _TAG.search(text) is not None


def sections(text: str) -> list[Span]:
    """Spans between tags that hold any text, tags left out."""
    spans: list[Span] = []
    start = 0
    for match in _TAG.finditer(text):
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(text)))
    return [(start, end) for start, end in spans if text[start:end].strip()]
