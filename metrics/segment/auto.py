"""Splitter that picks the one that fits each section of a response: numbering, paragraphs, lines or sentences."""

from __future__ import annotations

import re

from ..answers.announcing import is_bare, is_final_answer
from .base import Span, Splitter
from .numbered import NUMBERED, markers
from .plain import LINES, PARAGRAPHS
from .sentences import SENTENCES, split_sentences

# A step is taken to be about one to three sentences; in a long chain, up to six.
_SENTENCES_PER_STEP = 3
_ANNOUNCEMENT = 400  # characters at the end of a chain in which an announcement of the answer is looked for
_BREAK = re.compile(r"(?<=[.!?:)\]$。])\s{1,8}(?=[A-Z\\$*(])|(?<=。)")
_LONG_CHAIN, _SENTENCES_PER_LONG_STEP = 10, 6


def choose(text: str) -> Splitter:
    """The splitter for `text`: `numbered` where two or more items are numbered, else the coarsest of `paragraphs`,
    `lines` and `sentences` that gives two or more reasoning steps of at most three sentences on average (six, from ten
    steps on). A last sentence that only announces the answer becomes a step of its own."""
    if len(markers(text)) > 1:
        return _detaching(NUMBERED)
    n_sentences: int | None = None  # counted where it can decide
    for splitter in (PARAGRAPHS, LINES):
        n_steps = _count_reasoning(text, splitter.split(text))
        limit = _SENTENCES_PER_LONG_STEP if n_steps >= _LONG_CHAIN else _SENTENCES_PER_STEP
        if n_steps > 1:
            n_sentences = _count_reasoning(text, split_sentences(text)) if n_sentences is None else n_sentences
            if n_sentences <= limit * n_steps:
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
        rest = text[match.end() : end]
        # "Resultado: B": a value behind a colon is what the words before it announce.
        if not is_final_answer(rest) or (text[match.start() - 1] == ":" and is_bare(rest)):
            break
        cut = match.end()
    return spans if cut == end else [*spans[:-1], (start, cut), (cut, end)]


def split_auto(text: str) -> list[Span]:
    return choose(text).split(text)


def _count_reasoning(text: str, spans: list[Span]) -> int:
    return sum(1 for start, end in spans if text[start:end].strip() and not is_final_answer(text[start:end]))


AUTO = Splitter("auto", split_auto, "chooses by each section's layout and records the choice", choose)
# What `auto` cuts with once it has chosen, for whoever wants the same choice for all chains ("auto:lines").
CHOSEN = {
    f"{AUTO.name}:{one.name}": Splitter(f"{AUTO.name}:{one.name}", _detaching(one).split, one.description)
    for one in (NUMBERED, PARAGRAPHS, LINES, SENTENCES)
}
# Thinking is told from the answer before any splitter, so this is `auto` by the name that it had for tagged responses.
THINK = Splitter("think", split_auto, "as auto", choose)
