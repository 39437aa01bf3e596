"""What a likelihood backend is: text spans in, log-likelihoods out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    """Asks for the log-likelihood of `text[start:]` given `text[:start]`.

    The scored tokens are those of the jointly tokenized text whose characters overlap the span. With `start=0` the
    whole text is scored, but for a first token that has nothing before it.

    Attributes:
        special_tokens: let the tokenizer add its own special tokens (BOS); off for rendered chat templates, which
            carry theirs.
    """

    text: str
    start: int
    special_tokens: bool = True


@dataclass(frozen=True)
class SpanScore:
    """The answer to one `Request`.

    Attributes:
        log_likelihood: nats, summed over the span's tokens, from a float32 log-softmax.
        n_tokens: tokens in the span.
        n_context_tokens: tokens before it, special tokens included.
    """

    log_likelihood: float
    n_tokens: int
    n_context_tokens: int


@dataclass(frozen=True)
class Unscored:
    """A group that could not be scored, and why."""

    reason: str


Group = Sequence[Request]
Result = list[SpanScore] | Unscored


class LikelihoodBackend(Protocol):
    """Computes log-likelihoods under one scoring LM.

    A group holds the requests of one chain, most of which share a long prefix. Groups are independent: what one
    yields must not depend on the others beyond float rounding.

    A backend whose LM can also write may have a method
    `generate_json(prompts, schema, max_tokens, done, *, special_tokens=True) -> list[str | Unscored]`: for each prompt
    a text that keeps to the JSON schema, generated greedily, `done(n)` as above. A text that is not complete after
    `max_tokens` tokens is Unscored. The claim extractor `llm` asks for it.

    A backend may have a method `statistics() -> EngineStatistics | None`: what it has done so far, a copy that later
    calls do not change. A line of it is shown after a run.
    """

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        """One result per group. `done(n)` is called as groups are finished, for progress bars."""
        ...

    def too_long(self, request: Request) -> str | None:
        """Why a request is beyond the scorer's context, or None when it fits or there is no limit."""
        ...

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """Render messages with the scorer's chat template, leaving the last one open.

        Raises ScorerError when the scorer has no chat template.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What must be known to repeat the run: scorer, revision, dtype, device, attention."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
