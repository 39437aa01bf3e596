"""How question, steps and gold answer become the text that the scoring LM reads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from .likelihood import Request

RenderChat = Callable[[Sequence[dict[str, str]]], str]


@dataclass(frozen=True)
class Written:
    """A chain of t steps, written out once.

    Attributes:
        text: the longest prefix.
        ends: t+1 ints, how many characters of `text` each prefix has.
        cue: what stands between a prefix and an answer.
    """

    text: str
    ends: Sequence[int]
    cue: str
    special_tokens: bool = True

    def request(self, steps: int, answer: str) -> Request:
        """The request for `answer` after the first `steps` steps."""
        cut = self.ends[steps]
        # Interned: the same few texts follow all prefixes.
        return Request(self.text, cut + len(self.cue), self.special_tokens, cut, sys.intern(self.cue + answer))


class PromptTemplate(Protocol):
    """Renders one prefix of a chain; `name` is recorded in every result."""

    @property
    def name(self) -> str: ...

    def render(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Request:
        """A request whose span is `answer`, at the very end of the text."""
        ...


class WritesChains(Protocol):
    """A template that can write a chain out once for all of its prefixes."""

    def write(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Written | None:
        """The chain, such that its requests are those of `render`; None where it has no such form.

        Taken only where the shortest and the longest prefix come out as `render` gives them. `answer`: one of those
        that will be asked for.
        """
        ...


@dataclass(frozen=True)
class PlainTemplate:
    """The question, each step on a line of its own, the cue, the answer. The default."""

    name: str = "plain"
    separator: str = "\n"
    cue: str = "\nAnswer: "

    def render(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Request:
        del render_chat
        context = self.separator.join([question, *steps]) + self.cue
        return Request(context + answer, len(context))

    def write(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Written:
        del answer, render_chat
        text = self.separator.join([question, *steps])
        return Written(text, _ends(len(question), [len(self.separator) + len(step) for step in steps]), self.cue)


@dataclass(frozen=True)
class ChatTemplate:
    """The question as the user's turn, steps, cue and answer as the assistant's, in the scorer's own chat template."""

    name: str = "chat"
    separator: str = "\n"
    cue: str = "Answer: "

    def render(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Request:
        turn = self.separator.join([*steps, self.cue]) + answer
        text = render_chat([{"role": "user", "content": question}, {"role": "assistant", "content": turn}])
        if not text.endswith(answer):
            raise ValueError(f"the scorer's chat template does not leave the answer last: …{text[-80:]!r}")
        return Request(text, len(text) - len(answer), special_tokens=False)

    def write(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Written | None:
        whole = self.render(question, steps, answer, render_chat).text
        turn = "".join(step + self.separator for step in steps)
        text = whole.removesuffix(self.cue + answer)
        if text + self.cue + answer != whole or not text.endswith(turn):
            return None  # a template that changes what stands in a turn
        lengths = [len(step) + len(self.separator) for step in steps]
        return Written(text, _ends(len(text) - len(turn), lengths), self.cue, special_tokens=False)


def _ends(first: int, lengths: Sequence[int]) -> list[int]:
    return list(accumulate(lengths, initial=first))


# What the published code scores: "Answer: " follows on the same line, and every token counts.
REFERENCE = PlainTemplate("reference", cue=" Answer: ")

TEMPLATES: dict[str, PromptTemplate] = {"plain": PlainTemplate(), "chat": ChatTemplate()}
