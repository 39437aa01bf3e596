"""Turns traces into steps: runs a splitter, checks what it returns, trims, and flags steps that give the answer."""

from __future__ import annotations

import logging
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ..answers.extraction import is_final_answer
from ..answers.finals import final_answers, without_heading
from ..answers.matching import AnswerMatcher
from ..errors import THIRD_PARTY, StepgaugeError, said
from ..names import unknown_name
from ..trace import Step, Trace
from .auto import AUTO, CHOSEN, THINK, choose
from .base import Span, Splitter
from .numbered import NUMBERED
from .plain import LINES, PARAGRAPHS
from .sections import Reading, Section, read_sections
from .sentences import SENTENCES

log = logging.getLogger(__name__)

BUILTIN_SPLITTERS: Mapping[str, Splitter] = {
    splitter.name: splitter for splitter in (AUTO, THINK, NUMBERED, PARAGRAPHS, LINES, SENTENCES)
}
# Anything but white space, control characters and characters of no width.
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060\ufeff]")

_TAG = r"<(?P<slash>/)?(?P<name>[A-Za-z][\w:-]{0,30})(?:\s[^<>\n]{0,200})?>"
_ANY_TAG = re.compile(_TAG)
_TAGS_ALONE = re.compile(rf"(?:{_TAG.replace('?P<slash>', '?:').replace('?P<name>', '?:')}\s*)+")


@dataclass(frozen=True)
class Segmentation:
    """One response as steps.

    Attributes:
        steps: in reading order; empty where the response holds no text.
        splitter: the name of what cut it; for a splitter that chooses, with its choices ("auto:lines",
            "auto:think:paragraphs+sentences" where thinking was marked).
        notes: what of the response is no step, and why.
    """

    steps: list[Step]
    splitter: str
    notes: tuple[str, ...] = ()


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
    prepare(traces, chosen)
    return [_segment(trace, chosen) for trace in traces]


def prepare(traces: Sequence[Trace], splitter: Splitter) -> None:
    """Show a splitter that asks somebody else all texts at once, before they are cut one by one."""
    if splitter.prepare is None:
        return
    try:
        splitter.prepare([text for trace in traces for text in _texts(trace)])
    except StepgaugeError:
        raise
    except THIRD_PARTY as error:  # each text is cut by itself then, and what that raises costs its chain
        log.warning("splitter %r could not prepare %d chains: %s", splitter.name, len(traces), said(error))


def _texts(trace: Trace) -> list[str]:
    """The parts of a response that are cut by themselves and hold any text."""
    reading = read_sections(trace.response)
    texts = (reading.clean[section.start : section.end] for section in reading.sections or [Section(0, 0, "text")])
    return [text for text in texts if _VISIBLE.search(text)]


def auto_choices(trace: Trace) -> set[str]:
    """The splitters that `auto` chooses for the sections of a response; empty where it holds no text."""
    return {choose(text).name for text in _texts(trace)}


def _find(name: str, splitters: Mapping[str, Splitter]) -> Splitter:
    if name in splitters or name in CHOSEN:
        return splitters[name] if name in splitters else CHOSEN[name]
    raise ValueError(unknown_name("splitter", name, splitters))


def _segment(trace: Trace, splitter: Splitter) -> Segmentation:
    reading = read_sections(trace.response)
    clean = reading.clean
    found: list[tuple[int, int, bool]] = []  # where a step stands, and whether its section delivers the answer
    choices: dict[str, None] = {}
    notes: dict[str, None] = {}
    paired = _paired_tags(clean)
    for section in reading.sections or [Section(0, 0, "text")]:
        inside = clean[section.start : section.end]
        used, choice = _resolve(splitter, inside, trace.id)
        choices[choice] = None
        if used.note:
            notes[used.note] = None
        delivered = section.kind == "answer" and is_final_answer(f"The answer is {inside.strip()}")
        for span in _spans(used, inside, trace.id):
            start, end = _trim(clean, (section.start + span[0], section.start + span[1]))
            if _VISIBLE.search(clean, start, end) and not _is_tags(clean[start:end], paired):
                found.append((start, end, delivered))
    final = final_answers([clean[start:end] for start, end, _ in found])
    steps = [
        Step(trace.response[start:end], start, end, "final_answer" if is_final or delivered else "reasoning")
        for (start, end, delivered), is_final in zip(found, final, strict=True)
    ]
    return Segmentation(_flagged(steps, clean, trace), _name(splitter, choices, reading), (*reading.notes, *notes))


def flagged(steps: Sequence[Step], trace: Trace) -> list[Step]:
    """The steps of a response with `states_answer` as the trace's answers have it."""
    return _flagged(steps, read_sections(trace.response).clean, trace)


def _flagged(steps: Sequence[Step], clean: str, trace: Trace) -> list[Step]:
    matcher = AnswerMatcher(trace.answers, trace.question, trace.choices)
    out: list[Step] = []
    for step in steps:
        is_final = step.kind == "final_answer"
        text = clean[step.start : step.end]
        states = matcher.states(without_heading(text) if is_final else text, value_alone=is_final)
        out.append(replace(step, states_answer=states))
    return out


def _paired_tags(text: str) -> set[str]:
    """Names of tags that the text opens and closes."""
    if "</" not in text:
        return set()
    tags = [(match["name"], bool(match["slash"])) for match in _ANY_TAG.finditer(text)]
    return {name for name, closing in tags if closing} & {name for name, closing in tags if not closing}


def _is_tags(step: str, paired: set[str]) -> bool:
    """Whether a step is nothing but tags around other steps ("<steps>", "</details>")."""
    if not paired or not step.startswith("<") or not _TAGS_ALONE.fullmatch(step):
        return False
    return all(match["name"] in paired for match in _ANY_TAG.finditer(step))


def _name(splitter: Splitter, choices: Iterable[str], reading: Reading) -> str:
    if splitter.resolve is None:
        return splitter.name
    marked = f"{THINK.name}:" if reading.thinking and splitter is AUTO else ""
    return f"{splitter.name}:{marked}{'+'.join(choices)}"


def _resolve(splitter: Splitter, text: str, trace_id: str | None) -> tuple[Splitter, str]:
    """The splitter to use, and its name beside that of the one which chose it."""
    if splitter.resolve is None:
        return splitter, splitter.name
    try:
        used = splitter.resolve(text)
        return used, used.name.removeprefix(f"{splitter.name}:")
    except THIRD_PARTY as error:
        raise _failure(splitter, trace_id, f"raised {said(error)}") from error


def _spans(splitter: Splitter, text: str, trace_id: str | None) -> list[Span]:
    """What the splitter returned, checked. Splitters may be third-party code."""
    try:
        raw = list(islice(splitter.split(text), len(text) + 2))
    except THIRD_PARTY as error:
        raise _failure(splitter, trace_id, f"raised {said(error)}") from error
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
