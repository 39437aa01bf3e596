"""Turns traces into steps: runs a splitter, checks what it returns, trims, and flags steps that give the answer."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ..answers.finals import final_answers
from ..answers.matching import AnswerMatcher
from ..names import unknown_name
from ..trace import Step, Trace
from .auto import AUTO, THINK
from .base import Span, Splitter
from .numbered import NUMBERED
from .plain import LINES, PARAGRAPHS
from .sentences import SENTENCES

BUILTIN_SPLITTERS: Mapping[str, Splitter] = {
    splitter.name: splitter for splitter in (AUTO, THINK, NUMBERED, PARAGRAPHS, LINES, SENTENCES)
}
# Anything but white space, control characters and characters of no width.
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True)
class Segmentation:
    """One response as steps.

    Attributes:
        steps: in reading order; empty where the response holds no text.
        splitter: the name of what cut it; for a splitter that chooses, with its choice ("auto:lines").
    """

    steps: list[Step]
    splitter: str


def segment(
    traces: Sequence[Trace],
    splitter: str | Splitter = "auto",
    splitters: Mapping[str, Splitter] = BUILTIN_SPLITTERS,
) -> list[Segmentation]:
    """Cut each trace's response into steps, one `Segmentation` a trace, in order.

    Args:
        splitter: a name among `splitters`, or a splitter.

    Raises:
        ValueError: an unknown name; or a splitter that raised or returned spans that overlap, run backwards or leave
            the response, with the splitter's name, the trace's id and what was wrong.
    """
    chosen = _find(splitter, splitters) if isinstance(splitter, str) else splitter
    return [_segment(trace, chosen) for trace in traces]


def _find(name: str, splitters: Mapping[str, Splitter]) -> Splitter:
    if name in splitters:
        return splitters[name]
    raise ValueError(unknown_name("splitter", name, splitters))


def _segment(trace: Trace, splitter: Splitter) -> Segmentation:
    text = trace.response
    used, name = _resolve(splitter, text, trace.id)
    spans = [_trim(text, span) for span in _spans(used, text, trace.id)]
    spans = [(start, end) for start, end in spans if _VISIBLE.search(text, start, end)]
    final = final_answers([text[start:end] for start, end in spans])
    matcher = AnswerMatcher(trace.answers, trace.question, trace.choices)
    steps = [
        Step(
            text=text[start:end],
            start=start,
            end=end,
            kind="final_answer" if is_final else "reasoning",
            states_answer=matcher.states(text[start:end], value_alone=is_final),
        )
        for (start, end), is_final in zip(spans, final, strict=True)
    ]
    return Segmentation(steps, name)


def _resolve(splitter: Splitter, text: str, trace_id: str | None) -> tuple[Splitter, str]:
    if splitter.resolve is None:
        return splitter, splitter.name
    try:
        used = splitter.resolve(text)
        own = f"{splitter.name}:"
        return used, used.name if used.name.startswith(own) else own + used.name
    except Exception as error:
        raise _failure(splitter, trace_id, f"raised {type(error).__name__}: {error}") from error


def _spans(splitter: Splitter, text: str, trace_id: str | None) -> list[Span]:
    """What the splitter returned, checked. Splitters may be third-party code."""
    try:
        raw = list(islice(splitter.split(text), len(text) + 2))
    except Exception as error:
        raise _failure(splitter, trace_id, f"raised {type(error).__name__}: {error}") from error
    if len(raw) > len(text) + 1:
        raise _failure(splitter, trace_id, f"returned more spans than the response has characters ({len(text)})")
    spans: list[Span] = []
    position = 0
    for index, span in enumerate(raw):
        try:
            start, end = (operator.index(edge) for edge in span)
        except (TypeError, ValueError):
            raise _failure(splitter, trace_id, f"span {index} is {span!r:.80}, expected (start, end) as ints") from None
        if not 0 <= start <= end <= len(text):
            raise _failure(
                splitter, trace_id, f"span {index} is ({start}, {end}), expected 0 <= start <= end <= {len(text)}"
            )
        if start < position:
            raise _failure(splitter, trace_id, f"span {index} ({start}, {end}) begins before span {index - 1} ends")
        spans.append((start, end))
        position = end
    return spans


def _failure(splitter: Splitter, trace_id: str | None, what: str) -> ValueError:
    return ValueError(f"splitter {splitter.name!r}, trace {trace_id!r}: {what}")


def _trim(text: str, span: Span) -> Span:
    start, end = span
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, start + len(piece.strip()))
