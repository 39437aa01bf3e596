"""How a step verifier reads a question and its steps: the tokens, and at which of them it says whether a step is right.

Four layouts, as the verifiers in use were trained:

- `token-classification` (trl's PRMTrainer): the question's tokens, each step's, and behind each step those of a
  separator; the head's output at the separator's last token is the step's.
- `label-tokens` (Math-Shepherd): one text, a mark behind each step; the likelihoods of two label tokens at the mark.
- `label-turns` (RLHFlow): a conversation in which each step is the user's turn and "+" the assistant's; the likelihoods
  of the label tokens where the assistant's turn begins.
- `separator-head` (Qwen2.5-Math-PRM): the steps as the assistant's turn, a special token behind each; a head's output
  at that token.

Texts come from models. Whatever in them would be read as a special token, or stands alone as the layout's own mark, is
read as a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .special_tokens import plain_text, without_marks

LAYOUTS = ("token-classification", "label-tokens", "label-turns", "separator-head")
CHAT, PLAIN = "chat", "plain"
# In place of what a chat template must leave as it is, until it is known where it stands: no text may hold it.
_HERE = "\ue000\ue001\ue000"


class NotLaid(Exception):
    """A chain that the verifier cannot read; the text says why."""


@dataclass(frozen=True)
class Laid:
    """A chain as tokens; `places[i]` is the index in `ids` whose output speaks of step i."""

    ids: Sequence[int]
    places: Sequence[int]


@dataclass(frozen=True)
class Layout:
    """How chains are written for a verifier.

    Attributes:
        kind: one of `LAYOUTS`.
        separator: what stands behind each step.
        labels: the tokens for right and wrong, in this order; of the two layouts with label tokens.
        template: "chat" (through the tokenizer's chat template) or "plain".
        system: the system turn of a chat; None: none.
        numbering: what stands before each step that does not begin so itself, "{n}" for its number.
    """

    kind: str
    separator: str
    labels: tuple[str, str] = ("+", "-")
    template: str = PLAIN
    system: str | None = None
    numbering: str = ""

    def describe(self) -> dict[str, Any]:
        own: dict[str, Any] = {"architecture": self.kind, "separator": self.separator, "template": self.template}
        if self.kind in ("label-tokens", "label-turns"):
            own["labels"] = list(self.labels)
        return {**own, "system": self.system, "numbering": self.numbering}


class Writer:
    """Lays chains out for one tokenizer. Raises ValueError where the layout does not fit the tokenizer."""

    def __init__(self, who: str, layout: Layout, tokenizer: Any) -> None:
        self._who = who
        self._layout = layout
        self._tokenizer = tokenizer
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        added: Mapping[int, Any] = tokenizer.added_tokens_decoder
        special = {number for number, token in added.items() if token.special} | set(tokenizer.all_special_ids)
        self._marks = special - {tokenizer.unk_token_id}
        if layout.template == CHAT and not tokenizer.chat_template:
            raise self._wrong("template", CHAT, "the tokenizer has no chat template")
        if not layout.separator and layout.kind != "label-turns":
            raise self._wrong("separator", layout.separator, "expected text that stands behind each step")
        if layout.kind == "separator-head":
            self._marks |= {self._one_token("separator", layout.separator)}
        # As a word of its own, for what is one; "\n" is no text that a step could pretend with.
        word = layout.separator.strip()
        self._mark = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") if word else None

    def label_ids(self) -> tuple[int, int]:
        """The tokens that stand for right and wrong."""
        right, wrong = (self._one_token("labels", label) for label in self._layout.labels)
        if right == wrong:
            raise self._wrong("labels", self._layout.labels, "the tokenizer has the same token for both")
        return right, wrong

    def lay(self, question: str, steps: Sequence[str]) -> Laid:
        """Raises NotLaid."""
        if not steps:
            raise NotLaid("the chain has no steps")
        write: Mapping[str, Callable[[str, Sequence[str]], Laid]] = {
            "token-classification": self._pieces,
            "label-tokens": self._marked,
            "label-turns": self._turns,
            "separator-head": self._separated,
        }
        numbered = [self._numbered(self._clean(step), n) for n, step in enumerate(steps, 1)]
        return write[self._layout.kind](self._clean(question), numbered)

    def _pieces(self, question: str, steps: Sequence[str]) -> Laid:
        """As trl's PRMTrainer does: every piece by itself, the first behind the token that begins a text."""
        begin = self._tokenizer.bos_token_id
        ids = [*([] if begin is None else [begin]), *self._ids(question)]
        separator = self._ids(self._layout.separator)
        if not separator:
            raise NotLaid(f"the separator {self._layout.separator!r} has no tokens")
        places = []
        for step in steps:
            ids += [*self._ids(step), *separator]
            places.append(len(ids) - 1)
        return Laid(ids, places)

    def _marked(self, question: str, steps: Sequence[str]) -> Laid:
        mark = self._layout.separator
        if self._layout.template == CHAT:
            text, ends = self._spoken(question, [f"{step} {_HERE}" for step in steps], "\n", mark)
        else:
            text, ends = f"{question} ", []
            for step in steps:
                text += f"{step} {mark}"
                ends.append(len(text))
                text += "\n"
            text = text[:-1]
        return self._found(text, ends, special=self._layout.template == PLAIN)

    def _separated(self, question: str, steps: Sequence[str]) -> Laid:
        mark = self._layout.separator
        if self._layout.template == CHAT:
            text, ends = self._spoken(question, [f"{step}{_HERE}" for step in steps], "", mark)
        else:
            text, ends = f"{question}\n", []
            for step in steps:
                text += step + mark
                ends.append(len(text))
        return self._found(text, ends, special=self._layout.template == PLAIN)

    def _turns(self, question: str, steps: Sequence[str]) -> Laid:
        messages = self._system()
        for n, step in enumerate(steps):
            messages.append({"role": "user", "content": f"{question} {step}" if n == 0 else step})
            messages.append({"role": "assistant", "content": _HERE})
        label = self._layout.labels[0]
        text, ends = self._placed(self._render(messages), label, len(steps))
        laid = self._found(text, ends, special=False)
        right = self.label_ids()[0]
        if any(laid.ids[place] != right for place in laid.places) or 0 in laid.places:
            raise NotLaid(f"the chat template does not leave the label {label!r} a token of its own")
        return Laid(laid.ids, [place - 1 for place in laid.places])

    def _spoken(self, question: str, steps: Sequence[str], between: str, mark: str) -> tuple[str, list[int]]:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": between.join(steps)}]
        return self._placed(self._render([*self._system(), *turns]), mark, len(steps))

    def _system(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": self._layout.system}] if self._layout.system else []

    def _render(self, messages: Sequence[Mapping[str, str]]) -> str:
        try:
            return self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        except Exception as error:  # a template raises what it likes, and jinja2 the rest
            raise NotLaid(f"the chat template failed: {type(error).__name__}: {error}") from error

    def _placed(self, text: str, mark: str, expected: int) -> tuple[str, list[int]]:
        """The text with `mark` where it was kept free, and the places where that ends."""
        first, *rest = text.split(_HERE)
        if len(rest) != expected:
            raise NotLaid(f"the chat template shows {len(rest)} of {expected} steps")
        ends, out = [], first
        for part in rest:
            out += mark
            ends.append(len(out))
            out += part
        return out, ends

    def _found(self, text: str, ends: Sequence[int], *, special: bool) -> Laid:
        """The token at the end of each mark."""
        encoded = self._backend.encode(text, add_special_tokens=special)
        last_of: dict[int, int] = {}
        for index, (start, end) in enumerate(encoded.offsets):
            if end > start:
                last_of[end] = index
        places = [last_of.get(end) for end in ends]
        found = [place for place in places if place is not None]
        if len(found) < len(ends):
            raise NotLaid("the tokenizer does not end a token where the mark behind a step ends")
        return Laid(encoded.ids, found)

    def _ids(self, text: str) -> Sequence[int]:
        return self._backend.encode(text, add_special_tokens=False).ids

    def _clean(self, text: str) -> str:
        text = plain_text(text).replace(_HERE[0], " ").strip()
        if self._mark is not None:
            text = self._mark.sub(" ", text)
        return without_marks(self._backend, self._marks, text)[0]

    def _numbered(self, step: str, n: int) -> str:
        word = self._layout.numbering.partition("{n}")[0].strip().casefold()
        if word and step.casefold().startswith(word):
            return step
        return self._layout.numbering.replace("{n}", str(n)) + step

    def _one_token(self, option: str, text: str) -> int:
        """The token of a text; a tokenizer may put a mark for the beginning of a word before it."""
        ids = self._ids(text)
        if not ids or self._tokenizer.decode([ids[-1]]).strip() != text.strip():
            raise self._wrong(
                option, text, f"expected a token of the verifier's tokenizer, which makes {len(ids)} of it"
            )
        return ids[-1]

    def _wrong(self, option: str, value: object, what: str) -> ValueError:
        return ValueError(f"{self._who}, option {option} {value!r:.80}: {what}")
