"""The door through which everything comes that a likelihood backend says: a number that is none is missing."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from .abilities import is_ours
from .errors import THIRD_PARTY, Missing, StepgaugeError, said
from .likelihood import Group, LikelihoodBackend, Request, Result, SpanScore, Unscored

log = logging.getLogger(__name__)

# A probability is at most 1, so a log-likelihood at most 0; sums in low precision may end a little above it.
_ROUNDING_NATS = 0.01


class CheckedBackend:
    """A backend whose numbers are numbers.

    A request whose log-likelihood is not finite (one damaged weight makes it nan) or no log-probability is Unscored,
    and so is a group with another number of results than requests. What a third party's backend raises costs the group
    for which it raises, also when that is asked alone; errors of ours (the scorer cannot be loaded, nothing fits in
    memory) are raised on.

    Args:
        who: names the backend in reasons, with the distribution that brought it.
        backend: what it can do besides (`WritesJson`, `CountsWork`) is asked of it itself.

    Attributes:
        failures: what it raised so far, as reasons of what is Unscored for it.
    """

    def __init__(self, who: str, backend: LikelihoodBackend) -> None:
        self._who = who
        self._backend = backend
        # What our own raises besides is a fault of ours, to be seen and not to be counted.
        self._caught: Any = () if is_ours(type(backend)) else THIRD_PARTY
        self.failures: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name == "_backend":  # a copy or an unpickled one that is not filled yet
            raise AttributeError(name)
        found = getattr(self._backend, name)
        return {"generate_json": self._generate_json, "statistics": self._statistics}.get(name, found)

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        """See `LikelihoodBackend`."""
        results = self._asked("score", len(groups), groups, done)
        if len(groups) > 1 and any(isinstance(one, Unscored) and one.reason in self.failures for one in results):
            results = [result for group in groups for result in self._asked("score", 1, [group], lambda _: None)]
        return [self._checked(group, result) for group, result in zip(groups, results, strict=True)]

    def too_long(self, request: Request) -> str | None:
        """See `LikelihoodBackend`; a backend that cannot say is too narrow for any request."""
        try:
            return self._backend.too_long(request)
        except StepgaugeError:
            raise
        except self._caught as error:
            return self._failed(error)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """See `LikelihoodBackend`. Raises Missing where a third party's fails."""
        try:
            return self._backend.render_chat(messages)
        except StepgaugeError:
            raise
        except self._caught as error:
            raise Missing(self._failed(error)) from error

    def describe(self) -> dict[str, Any]:
        """See `LikelihoodBackend`; of one that cannot, why."""
        try:
            return dict(self._backend.describe())
        except self._caught as error:
            return {"scorer": None, "not_described": self._failed(error)}

    def close(self) -> None:
        """See `LikelihoodBackend`."""
        try:
            self._backend.close()
        except self._caught as error:
            self._failed(error)

    def _generate_json(
        self,
        prompts: Sequence[str],
        schema: Mapping[str, Any],
        max_tokens: int,
        done: Callable[[int], None],
        *,
        special_tokens: bool = True,
    ) -> list[str | Unscored]:
        generate = functools.partial(self._asked, "generate_json", len(prompts), special_tokens=special_tokens)
        return [
            text if isinstance(text, str | Unscored) else Unscored(f"{self._who} gave {text!r:.80}, expected text")
            for text in generate(prompts, schema, max_tokens, done)
        ]

    def _statistics(self) -> Any:
        try:
            return self._backend.statistics()  # type: ignore[attr-defined]
        except self._caught as error:
            self._failed(error)
            return None

    def _asked(self, method: str, n: int, *given: Any, **options: Any) -> Sequence[Any]:
        try:
            found = getattr(self._backend, method)(*given, **options)
            if not isinstance(found, Sequence) or len(found) != n:
                raise TypeError(f"expected {n} results of {method}, got {found!r:.80}")
        except StepgaugeError:
            raise
        except self._caught as error:
            return [Unscored(self._failed(error))] * n
        return found

    def _failed(self, error: BaseException) -> str:
        reason = f"{self._who} failed: {said(error)}"
        if reason not in self.failures:
            self.failures.add(reason)
            log.warning("%s", reason, exc_info=log.isEnabledFor(logging.DEBUG))
        return reason

    def _checked(self, group: Group, result: Result) -> Result:
        """A group's result, made of ours."""
        if wrong := self._problem(_result_problem, result, len(group)):
            return wrong
        if isinstance(result, Unscored):
            return result
        return [self._problem(_span_problem, one) or _number_problem(one) or one for one in result]

    def _problem(self, check: Callable[..., str | None], given: object, *about: object) -> Unscored | None:
        """What is wrong with what a backend gave; looking at it may run a third party's code."""
        try:
            found = check(given, *about)
        except self._caught as error:
            found = f"gave a {type(given).__name__} that cannot be read: {said(error)}"
        return Unscored(f"{self._who} {found}") if found else None


def _number_problem(one: SpanScore | Unscored) -> Unscored | None:
    if isinstance(one, Unscored) or (math.isfinite(one.log_likelihood) and one.log_likelihood <= _ROUNDING_NATS):
        return None
    # Weights that are damaged, or numbers that leave the range of their dtype.
    return Unscored(f"the scoring LM gave a log-likelihood of {one.log_likelihood}")


def _result_problem(result: object, n: int) -> str | None:
    if isinstance(result, Unscored):
        return None if isinstance(result.reason, str) else f"gave {result!r:.120}, expected a reason in words"
    if not isinstance(result, Sequence) or len(result) != n:
        return f"gave {result!r:.80}, expected {n} log-likelihoods"
    return None


def _span_problem(one: object) -> str | None:
    if isinstance(one, Unscored):
        return _result_problem(one, 1)
    if not _is_span_score(one):
        return f"gave {one!r:.120}, expected a SpanScore of a number and two counts"
    math.isfinite(one.log_likelihood)  # raises for an int beyond floats
    return None


def _is_span_score(one: object) -> TypeGuard[SpanScore]:
    if not isinstance(one, SpanScore) or isinstance(one.log_likelihood, bool):
        return False
    counts = (one.n_tokens, one.n_context_tokens)
    return isinstance(one.log_likelihood, float | int) and all(
        isinstance(count, int) and count >= 0 for count in counts
    )
