"""Writes a chain out for the scoring LM: once for all of its prefixes where the template allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .abilities import can
from .errors import Missing
from .likelihood import Request, shared_characters
from .templates import PromptTemplate, RenderChat, WritesChains

# Characters that are rendered of one chain, prefix by prefix.
_MOST_CHARACTERS = 1_000_000_000


class WrittenChain(Protocol):
    """See `templates.Written`."""

    def request(self, steps: int, answer: str) -> Request: ...


@dataclass
class Writer:
    """Writes the chains of one question: its own, and what stands in the place of its steps.

    Args:
        answers: all that will be asked for.
    """

    template: PromptTemplate
    question: str
    answers: Sequence[str]
    render_chat: RenderChat
    _known: list[tuple[list[str], WrittenChain]] = field(default_factory=list)

    def chain(self, steps: Sequence[str]) -> WrittenChain:
        """A chain that begins with these steps."""
        steps = list(steps)
        for known, written in self._known:
            if known[: len(steps)] == steps:
                return written
        written = self._in_one_piece(steps) or _PrefixByPrefix(self, steps)
        self._known.append((steps, written))
        return written

    def render(self, steps: Sequence[str], answer: str) -> Request:
        return self.template.render(self.question, steps, answer, self.render_chat)

    def _in_one_piece(self, steps: Sequence[str]) -> WrittenChain | None:
        """None where a prefix would not come out as the template renders it by itself.

        What a template does to a text in the middle it does to the longest prefix, too, and what it does to the end of
        a text to the shortest. So these two are compared, for every answer.
        """
        if not can(self.template, WritesChains):
            return None
        written = self.template.write(self.question, steps, self.answers[0], self.render_chat)
        if written is None:
            return None
        for n in {0, len(steps)}:
            for answer in self.answers:
                own, alone = written.request(n, answer), self.render(steps[:n], answer)
                if (own.text, own.start, own.special_tokens) != (alone.text, alone.start, alone.special_tokens):
                    return None
        return written


class _PrefixByPrefix:
    """A chain whose prefixes are rendered one by one; each keeps only what it does not share with the whole.

    Raises Missing where that is too much.
    """

    def __init__(self, writer: Writer, steps: Sequence[str]) -> None:
        self._writer = writer
        self._steps = steps
        self._trunk = writer.render(steps, writer.answers[0]).text
        characters = len(self._trunk) * (len(steps) + 1) * len(writer.answers)
        if characters > _MOST_CHARACTERS:
            raise Missing(
                f"{characters:,} characters are too many to write out: template {writer.template.name!r} has to render "
                "each prefix of this chain by itself"
            )

    def request(self, steps: int, answer: str) -> Request:
        alone = self._writer.render(self._steps[:steps], answer)
        shared = shared_characters(self._trunk, alone.text)
        return Request(self._trunk, alone.start, alone.special_tokens, shared, alone.text[shared:])
