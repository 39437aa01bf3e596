"""Answers questions about texts from a scorer's tokenizer and configuration alone, without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ScorerError
from ..likelihood import Request, Unscored
from ..step_limit import TooManySteps, step_limit
from ..tokenization.spans import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Upper bound on the special tokens that any tokenizer adds around a text.
_SPECIAL_TOKENS = 8
# Characters that a chat template may add to a chat: system prompts with tools have some thousands.
_MOST_AROUND = 1_000_000


@dataclass(frozen=True)
class ScorerTexts:
    """See `LikelihoodBackend` for the two methods.

    Attributes:
        name: the scorer's name, for messages.
        max_tokens: the model's context length in tokens; None if it has no fixed one.
    """

    tokenizer: PreTrainedTokenizerBase
    name: str
    max_tokens: int | None

    def too_long(self, request: Request) -> str | None:
        # A token covers at least one byte, so most texts are known to fit without tokenizing them.
        limit = self.max_tokens
        if limit is None or len(request.text.encode("utf-8", "surrogatepass")) + _SPECIAL_TOKENS <= limit:
            return None
        encoded = encode(self.tokenizer, [request], limit)
        return encoded.reason if isinstance(encoded, Unscored) else None

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        if not self.tokenizer.chat_template:
            raise ScorerError(f"scorer {self.name!r} has no chat template; use template='plain'")
        written = sum(len(message["content"]) for message in messages)
        try:
            with step_limit(self.tokenizer.get_chat_template()):
                text = self.tokenizer.apply_chat_template(list(messages), tokenize=False, continue_final_message=True)
        except TooManySteps as error:
            raise ScorerError(f"scorer {self.name!r}: its chat template: {error}; use template='plain'") from error
        if len(text) > written + _MOST_AROUND:
            raise ScorerError(
                f"scorer {self.name!r}: its chat template makes {len(text):,} characters of a chat of {written:,}; "
                "use template='plain'"
            )
        return text  # type: ignore[return-value]
