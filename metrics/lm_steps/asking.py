"""Who is asked where steps begin: the gauge's scoring LM, or a chat model on a server that the user names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..knowledge.base import Surroundings
from ..knowledge.chat.batch import Chat, Totals, make_chat
from ..knowledge.chat.fencing import defuse, fence
from ..knowledge.chat.scoring_lm import check_scoring_lm, json_writer, read_lm_prompt, read_reply, written_out
from ..knowledge.chat.server_options import ServerOptions
from ..likelihood import Unscored
from .reply import read_begins, schema

WHO = "splitter 'llm'"
_NOTHING = "(none)"

Answer = tuple[int, ...] | Unscored


@dataclass(frozen=True)
class Window:
    """Pieces of a text that are shown together, and the end of what stands before them."""

    before: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class SplitterTotals(Totals):
    """What one splitter has had a server do; its questions are windows of a response, `windows` in number."""

    windows: int = 0

    def __str__(self) -> str:
        return f"{self.windows} windows of pieces: {self.cached} cached, {self.spent()}"


class Reader(Protocol):
    """Says at which pieces of each window steps begin, in numbers from 1; or why it does not."""

    name: str

    def ask(self, windows: Sequence[Window], done: Callable[[int], None]) -> list[Answer]: ...
    def describe(self) -> dict[str, Any]: ...
    def close(self) -> None: ...


class Server:
    """Asks a chat model on a server."""

    def __init__(self, options: ServerOptions, prompt: str) -> None:
        self._chat: Chat[tuple[int, ...], SplitterTotals] = make_chat(
            WHO,
            options,
            prompt=("steps", prompt),
            cache_folder="steps",
            schema=("steps", schema()),
            read=read_begins,
            totals=SplitterTotals(),
        )
        self.name = str(options.model)

    def ask(self, windows: Sequence[Window], done: Callable[[int], None]) -> list[Answer]:
        answers = self._chat.ask([message_of(window) for window in windows], "windows", done)
        self._chat.count(windows=len(windows))
        return [Unscored("not asked") if answer is None else answer for answer in answers]

    def describe(self) -> dict[str, Any]:
        return self._chat.describe()

    def close(self) -> None:
        self._chat.close()


class ScoringLM:
    """Asks the gauge's scoring LM, which writes under the schema's grammar. It is loaded when the first text is cut."""

    def __init__(self, around: Surroundings, options: ServerOptions, prompt: str) -> None:
        check_scoring_lm(WHO, around, options, "ask")
        self._around = around
        self._max_tokens = options.max_tokens or 1
        self._prompt = read_lm_prompt(WHO, "steps", prompt, ("before", "pieces"))
        self.name = f"{around.scorer}:{self._prompt.name}"

    def ask(self, windows: Sequence[Window], done: Callable[[int], None]) -> list[Answer]:
        """Raises ScorerError where the LM cannot be loaded or cannot write."""
        scorer = self._around.likelihoods()
        writer = json_writer(scorer)
        out: dict[Window, Answer] = {}
        for window in dict.fromkeys(windows):
            pieces = "\n".join(f"({n}) {text}" for n, text in enumerate(window.pieces, 1))
            filled = self._prompt.fill({"before": fence(window.before or _NOTHING), "pieces": fence(pieces)})
            prompt = written_out(filled, scorer)
            bounded = schema(len(window.pieces))
            # One by one: the grammar is another for each number of pieces.
            (text,) = writer.generate_json(
                [prompt], bounded, self._max_tokens, lambda _: None, special_tokens=not filled.turns
            )
            out[window] = read_reply(text, read_begins)
            done(1)
        done(len(windows) - len(out))
        return [out[window] for window in windows]

    def describe(self) -> dict[str, Any]:
        return {"prompt_sha256": self._prompt.digest()}

    def close(self) -> None:
        """The LM belongs to the gauge."""


def message_of(window: Window) -> str:
    """The user message: JSON keeps each text within its field, the fence keeps it apart from instructions."""
    pieces = [{"n": n, "text": defuse(text)} for n, text in enumerate(window.pieces, 1)]
    return fence(json.dumps({"before": defuse(window.before), "pieces": pieces}, ensure_ascii=False, indent=1))
