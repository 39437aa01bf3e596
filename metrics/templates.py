"""How question, steps and gold answer become the text that the scoring LM reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .likelihood import Request

RenderChat = Callable[[Sequence[dict[str, str]]], str]


class PromptTemplate(Protocol):
    """Renders one prefix of a chain; `name` is recorded in every result."""

    @property
    def name(self) -> str: ...

    def render(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Request:
        """A request whose span is `answer`, at the very end of the text."""
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


# What the published code scores: "Answer: " follows on the same line, and every token counts.
REFERENCE = PlainTemplate("reference", cue=" Answer: ")

TEMPLATES: dict[str, PromptTemplate] = {"plain": PlainTemplate(), "chat": ChatTemplate()}
