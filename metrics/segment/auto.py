"""Splitter that picks the one that fits each response: tags of thinking, numbering, paragraphs, lines or sentences."""

from __future__ import annotations

import re

from ..answers.extraction import is_final_answer
from .base import Span, Splitter
from .numbered import NUMBERED, markers
from .plain import LINES, PARAGRAPHS
from .sentences import SENTENCES, split_sentences
from .tags import has_tags, sections

# A step is taken to be about one to three sentences; in a long chain, up to six.
_SENTENCES_PER_STEP = 3
_MAX_CHOICES = 50  # sections between tags with a choice of their own; a response full of stray tags stays cheap
_ANNOUNCEMENT = 400  # characters at the end of a chain in which an announcement of the answer is looked for
_BREAK = re.compile(r"(?<=[.!?:)\]$。])\s{1,8}(?=[A-Z\\$*(])|(?<=。)")
_LONG_CHAIN, _SENTENCES_PER_LONG_STEP = 10, 6


def choose(text: str) -> Splitter:
    """The splitter for `text`: `think` where thinking is tagged, `numbered` where two or more items are numbered,
    else the coarsest of `paragraphs`, `lines` and `sentences` that gives two or more reasoning steps of at most three
    sentences on average (six, from ten steps on). A last sentence that only announces the answer becomes a step of
    its own."""
    return resolve_think(text) if has_tags(text) else choose_layout(text)


def choose_layout(text: str) -> Splitter:
    """`choose` for text without tags."""
    if len(markers(text)) > 1:
        return _detaching(NUMBERED)
    n_sentences = _count_reasoning(text, split_sentences(text))
    for splitter in (PARAGRAPHS, LINES):
        n_steps = _count_reasoning(text, splitter.split(text))
        limit = _SENTENCES_PER_LONG_STEP if n_steps >= _LONG_CHAIN else _SENTENCES_PER_STEP
        if n_steps > 1 and n_sentences <= limit * n_steps:
            return _detaching(splitter)
    return _detaching(SENTENCES)


def _detaching(splitter: Splitter) -> Splitter:
    return Splitter(splitter.name, lambda text: _detach_answer(text, splitter.split(text)), splitter.description)


def _detach_answer(text: str, spans: list[Span]) -> list[Span]:
    """ "… so there are 72. The answer is 72." ends with two steps: the second says nothing new."""
    if not spans or is_final_answer(text[slice(*spans[-1])]):
        return spans
    start, end = spans[-1]
    cut = end
    tail = max(start, end - _ANNOUNCEMENT)
    # Own breaks, not sentencex's: it takes the unit in "19.6 m. The answer is (E)." for an abbreviation.
    for match in reversed(list(_BREAK.finditer(text, tail, end))):
        if not is_final_answer(text[match.end() : end]):
            break
        cut = match.end()
    return spans if cut == end else [*spans[:-1], (start, cut), (cut, end)]


def split_auto(text: str) -> list[Span]:
    return choose(text).split(text)


def split_think(text: str) -> list[Span]:
    """Thinking and the answer after it, each cut as `auto` would cut it alone; tags are left out.

    Either tag may be missing: thinking that was cut off, or an opening tag that stood in the prompt. What stands
    behind the closing tag belongs to the chain: its steps are kept, and those that only announce the answer are
    flagged as `final_answer`, as anywhere else.
    """
    return _think(text)[0]


def resolve_think(text: str) -> Splitter:
    """The `think` splitter for `text`, named with what it chose inside: "think:paragraphs+sentences"."""
    spans, chosen = _think(text)
    return Splitter(f"{THINK.name}:{'+'.join(chosen)}" if chosen else THINK.name, lambda _: spans)


def _think(text: str) -> tuple[list[Span], list[str]]:
    """Spans, and the names of the splitters used, each once, in order."""
    spans: list[Span] = []
    names: dict[str, None] = {}
    for index, (start, end) in enumerate(sections(text)):
        inside = text[start:end]
        splitter = choose_layout(inside) if index < _MAX_CHOICES else LINES
        names[splitter.name] = None
        spans += [(start + a, start + b) for a, b in splitter.split(inside)]
    return spans, list(names)


def _count_reasoning(text: str, spans: list[Span]) -> int:
    return sum(1 for start, end in spans if text[start:end].strip() and not is_final_answer(text[start:end]))


THINK = Splitter("think", split_think, "thinking inside <think>…</think> and the answer after it", resolve_think)
AUTO = Splitter("auto", split_auto, "chooses by each response's layout and records the choice", choose)
