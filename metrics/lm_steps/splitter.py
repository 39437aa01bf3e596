"""The splitter `llm`: an LM marks where steps begin, and nothing it says can change what they hold.

A text is read as numbered pieces (sentences and lines, formulas whole), and the LM names the pieces at which a step
begins. A step is all that stands from there to the next: whatever the LM says, the steps are the response itself, whole
and in order. Where it gives no answer that can be used, `auto` cuts the text, and a note of the chain says why.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tqdm import tqdm

from ..errors import THIRD_PARTY, ScorerError, said
from ..knowledge.base import Surroundings
from ..knowledge.chat.server_options import ServerOptions, takes_server_options
from ..likelihood import Unscored
from ..segment import Span, Splitter
from ..segment.auto import choose
from ..segment.sentences import split_sentences
from .asking import WHO, Answer, Reader, ScoringLM, Server, Window

log = logging.getLogger(__name__)

# Of a window: few enough numbers for a reply, and a prompt that a small context holds.
_MOST_PIECES, _MOST_CHARACTERS = 80, 12_000
_BEFORE = 300  # characters of the text before a window that are shown with it
_KEPT = 4_096  # texts whose steps are kept at most; a text that is met again is asked about again
MARKED = "marked"


class _Marks:
    """Where steps begin in the texts that were asked about."""

    def __init__(self, make_reader: Callable[[], Reader], progress: bool | None) -> None:
        self._make_reader = make_reader
        self._reader: Reader | None = make_reader()
        self._progress = progress
        self.name = f"llm:{self._reader.name}"
        self._found: dict[str, Splitter] = {}
        self._lock = threading.Lock()

    def prepare(self, texts: Sequence[str]) -> None:
        """Ask about all texts that are not known, together."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._found]
            if len(self._found) + len(new) > _KEPT:
                self._found = {text: self._found[text] for text in texts if text in self._found}
            if new:
                self._found.update(zip(new, self._cut(new), strict=True))

    def resolve(self, text: str) -> Splitter:
        """What cuts the text: `marked`, or what `auto` chooses, with a note."""
        if (known := self._found.get(text)) is None:
            self.prepare([text])
            known = self._found[text]
        return known

    def split(self, text: str) -> list[Span]:
        return self.resolve(text).split(text)

    def describe(self) -> dict[str, Any]:
        return self._ready().describe()

    def close(self) -> None:
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _ready(self) -> Reader:
        if self._reader is None:
            self._reader = self._make_reader()
        return self._reader

    def _cut(self, texts: Sequence[str]) -> list[Splitter]:
        pieces = [split_sentences(text) for text in texts]
        windows = [windows_of(text, own) for text, own in zip(texts, pieces, strict=True)]
        asked = [window for own in windows for window in own]
        hidden = None if self._progress is None else not self._progress
        answers: list[Answer] = []
        if asked:
            with tqdm(total=len(asked), desc="marking steps", unit="window", disable=hidden, leave=False) as bar:
                answers = self._ask(asked, lambda n: _ignore(bar.update(n)))
        of_window = iter(answers)
        starts = [
            _starts(own, mine, [next(of_window) for _ in mine]) for own, mine in zip(pieces, windows, strict=True)
        ]
        return [self._splitter(text, found) for text, found in zip(texts, starts, strict=True)]

    def _ask(self, windows: Sequence[Window], done: Callable[[int], None]) -> list[Answer]:
        try:
            return self._ready().ask(windows, done)
        except ScorerError:  # the scoring LM cannot be had: that ends the run, and is no text's failure
            raise
        except THIRD_PARTY as error:  # a likelihood backend may be anybody's
            return [Unscored(said(error))] * len(windows)

    def _splitter(self, text: str, starts: Sequence[int] | Unscored) -> Splitter:
        if isinstance(starts, Unscored):
            chosen = choose(text)
            note = f"{WHO} failed, and auto cut in its place: {starts.reason}"
            return replace(chosen, name=f"auto:{chosen.name}", note=note)
        spans = [*pairwise([*starts, len(text)])]
        return Splitter(f"{self.name}:{MARKED}", lambda _: list(spans))


def windows_of(text: str, pieces: Sequence[Span]) -> list[Window]:
    """The pieces, some at a time; none where there is nothing to ask."""
    if len(pieces) < 2:
        return []
    out: list[Window] = []
    held: list[Span] = []
    for start, end in pieces:
        if held and (len(held) == _MOST_PIECES or end - held[0][0] > _MOST_CHARACTERS):
            out.append(_window(text, held))
            held = []
        held.append((start, end))
    return [*out, _window(text, held)]


def _window(text: str, pieces: Sequence[Span]) -> Window:
    first = pieces[0][0]
    return Window(text[max(0, first - _BEFORE) : first].strip(), tuple(text[a:b].strip() for a, b in pieces))


def _starts(pieces: Sequence[Span], windows: Sequence[Window], answers: Sequence[Answer]) -> list[int] | Unscored:
    """Where steps begin, as characters; the first begins with the text."""
    starts, first = [0], 0
    for window, answer in zip(windows, answers, strict=True):
        if isinstance(answer, Unscored):
            return answer
        if answer[-1] > len(window.pieces):
            return Unscored(f"a step was to begin at piece {answer[-1]} of {len(window.pieces)}")
        starts += [pieces[first + number - 1][0] for number in answer if first + number > 1]
        first += len(window.pieces)
    return starts


@takes_server_options
def make(around: Surroundings, server: ServerOptions, *, prompt: str | None = None) -> Splitter:
    """Make the splitter `llm`: with `base_url` on that server, without it with the gauge's scoring LM.

    Args:
        server: all further options; its cache "auto" is the folder `steps/` of stepgauge's cache. For the scoring LM
            `max_tokens` counts, too.
        prompt: "openai" (the default) on a server, "plain" (the default) or "chat" for the scoring LM; or a path to a
            `.txt` file. See `knowledge/chat/prompts.py`.

    Raises:
        ValueError: an option that is missing or wrong, a prompt that cannot be used, no scoring LM and no server, or a
            package that is not installed.
    """

    def reader() -> Reader:
        if server.base_url is not None:
            return Server(server, "openai" if prompt is None else prompt)
        return ScoringLM(around, server, "plain" if prompt is None else prompt)

    marks = _Marks(reader, around.progress)
    return Splitter(
        marks.name,
        marks.split,
        DESCRIPTION,
        marks.resolve,
        prepare=marks.prepare,
        describe=marks.describe,
        close=marks.close,
    )


def _unmade(text: str) -> list[Span]:
    del text
    raise ValueError("the splitter 'llm' asks an LM: give it to a Gauge, with the options that say which")


def _ignore(_: object) -> None:
    return None


DESCRIPTION = "asks an LM where steps begin; where that fails, cuts as auto and says so"
LLM = Splitter("llm", _unmade, DESCRIPTION, configure=make)
