"""What a likelihood backend is: text spans in, log-likelihoods out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """Asks for the log-likelihood of `text[start:]` given `text[:start]`.

    The scored tokens are those of the jointly tokenized text whose characters overlap the span. With `start=0` the
    whole text is scored, but for a first token that has nothing before it.

    `Request(text, start)` has a text of its own. Requests of one chain share most of theirs: they hold the chain once,
    as their trunk, with the place where each leaves it and what follows there, so that a group takes the memory of the
    chain and not that of all its prefixes.

    Attributes:
        trunk: what the text begins with.
        special_tokens: let the tokenizer add its own special tokens (BOS); off for rendered chat templates, which
            carry theirs.
        cut: how many characters of the trunk the text begins with; None: all.
        rest: what follows them.
    """

    trunk: str
    start: int
    special_tokens: bool = True
    cut: int | None = None
    rest: str = ""

    @property
    def text(self) -> str:
        """The whole text, put together whenever it is asked for."""
        return self.trunk if self.cut is None else self.trunk[: self.cut] + self.rest

    @property
    def length(self) -> int:
        """Characters of the text."""
        return (len(self.trunk) if self.cut is None else self.cut) + len(self.rest)


def shared_characters(left: str, right: str) -> int:
    """Length of the longest common prefix, by bisection: comparing strings is much faster than walking them."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left.startswith(right[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True, slots=True)
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
    """A group or a request that could not be scored, and why."""

    reason: str


Group = Sequence[Request]
Result = Sequence[SpanScore | Unscored] | Unscored


class LikelihoodBackend(Protocol):
    """Computes log-likelihoods under one scoring LM.

    A group holds the requests of one chain, most of which share a long prefix, as a trunk that is the same object.
    Groups are independent: what one yields must not depend on the others beyond float rounding.

    What a backend may have besides: `WritesJson`, `CountsWork`, `ComputesElsewhere`; and the factory that makes it:
    `ChecksScorer`, `KnowsItsFit`.
    """

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        """One result per group, with one for each of its requests.

        `done(n)` is called as groups are finished, for progress bars. Callers get a backend behind the door of
        `checked_backend.py`: there a number that is no log-probability is Unscored.
        """
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


class WritesJson(Protocol):
    """A backend whose LM can also write. The claim extractor `llm` asks for it."""

    def generate_json(
        self,
        prompts: Sequence[str],
        schema: Mapping[str, Any],
        max_tokens: int,
        done: Callable[[int], None],
        *,
        special_tokens: bool = True,
    ) -> list[str | Unscored]:
        """For each prompt a text that keeps to the JSON schema, generated greedily.

        A text that is not complete after `max_tokens` tokens is Unscored. `done(n)` as in `LikelihoodBackend.score`.
        """
        ...


class CountsWork(Protocol):
    """A backend that counts what it does. A line of it is shown after a run."""

    def statistics(self) -> Any:
        """An `engine.statistics.EngineStatistics` of all so far that later calls do not change, or None."""
        ...


class ComputesElsewhere(Protocol):
    """A backend that says where it computes.

    Attributes:
        computes_elsewhere: true where `score` leaves this machine's cores free, since an accelerator or a server
            computes. What comes before and behind it is then done at the same time, for other chains: `too_long` and
            `render_chat` are called from another thread while `score` runs.
    """

    computes_elsewhere: bool


class BackendFactory(Protocol):
    """What makes a backend of the gauge's options, as registered ones are made."""

    name: str

    def __call__(self, scorer: str, **options: Any) -> LikelihoodBackend:
        """Raises ScorerError where the scorer cannot be loaded."""
        ...


class ChecksScorer(Protocol):
    """A backend's factory that can tell before an hour of generation that loading is bound to fail."""

    def check(self, scorer: str, **options: Any) -> None:
        """Raises ScorerError. Takes what the factory takes, and loads no weights."""
        ...


class KnowsItsFit(Protocol):
    """A backend's factory that knows on which questions a scorer was fitted."""

    def fitted_on(self, scorer: str, **options: Any) -> frozenset[str]:
        """Hashes of the questions that had a part in its fit. Raises ScorerError where that cannot be read."""
        ...


# What a backend and its factory must meet, then what they may meet.
BACKEND = (LikelihoodBackend, WritesJson, CountsWork, ComputesElsewhere)
FACTORY = (object, ChecksScorer, KnowsItsFit)
