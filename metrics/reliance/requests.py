"""What the scoring LM is asked about a chain's own answer, and what its answers come to.

All of it belongs to the chain's group of requests, so that what the texts share is computed once: with the chain, its
options and its controls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..chain import Confidence, Control, Corruption, Reliance
from ..chain_requests import ChainRequests
from ..errors import Missing
from ..likelihood import Request, SpanScore, Unscored
from ..probability import softmax
from ..writing import Writer, WrittenChain
from .own import Own

# Of all texts of one chain, beyond the chain itself. They grow with the square of its length.
MOST_CHARACTERS = 4_000_000


@dataclass(frozen=True)
class _CorruptionRequests:
    text: str
    whole: int
    before_answer: int | None
    true: list[int]
    in_corrupted: tuple[list[int], list[int]]


@dataclass(frozen=True)
class RelianceRequests:
    """Indices into the chain's requests; the members are those of `Reliance`.

    Attributes:
        options: how many indices stand for one text; the first is that of the own answer. 1: no multiple choice.
    """

    own: Own
    options: int
    after: list[list[int]]
    without: list[int]
    without_before_answer: list[int]
    corruptions: list[_CorruptionRequests | Unscored | None]
    controls: list[tuple[str, int | Unscored, int | Unscored]]


def reliance_requests(
    asked: ChainRequests,
    writer: Writer,
    own: Own,
    texts: Sequence[str],
    corruptions: Sequence[str | Unscored | None],
    *,
    options: Sequence[str] | None = None,
    controls: Sequence[Control] = (),
    too_long: Callable[[Request], str | None] = lambda _: None,
) -> RelianceRequests | Unscored:
    """Add what is asked about the own answer to a chain's requests, or say why it is not asked.

    Args:
        writer: knows the own answer and the options.
        texts: of the chain's steps.
        corruptions: of each step, as `corrupted` gives them.
        options: of multiple choice.
        controls: in the place of the steps, and of those before the own answer.
    """
    if (added := _characters(texts, corruptions)) > MOST_CHARACTERS:
        return Unscored(
            f"leaving out and corrupting each of {len(texts):,} steps takes {added:,} more characters; at most "
            f"{MOST_CHARACTERS:,} are taken for one chain"
        )
    try:
        return _Asking(asked, writer, own, texts, options, too_long).all(corruptions, controls)
    except Missing as error:
        return Unscored(error.reason)


def _characters(texts: Sequence[str], corruptions: Sequence[str | Unscored | None]) -> int:
    """Of what stands behind the first difference from the chain, over all texts that are asked about."""
    added = tail = 0
    for text, put in zip(reversed(texts), reversed(corruptions), strict=True):
        added += tail
        tail += len(text) + 1
        if isinstance(put, str):
            added += tail + 2 * len(put)
    return added


class _Asking:
    def __init__(
        self,
        asked: ChainRequests,
        writer: Writer,
        own: Own,
        texts: Sequence[str],
        options: Sequence[str] | None,
        too_long: Callable[[Request], str | None],
    ) -> None:
        self._asked = asked
        self._writer = writer
        self._own = own
        self._texts = list(texts)
        self._too_long = too_long
        self._answer = own.answer.strip()
        # Options of the same text count as one.
        self._answers = list(dict.fromkeys([self._answer, *(option.strip() for option in options or ())]))

    def all(
        self, corruptions: Sequence[str | Unscored | None], controls: Sequence[Control]
    ) -> RelianceRequests | Unscored:
        texts, before = self._texts, self._own.before
        chain = self._writer.chain(texts)
        wrong = [put if isinstance(put, str) else text for text, put in zip(texts, corruptions, strict=True)]
        all_wrong = self._writer.chain(wrong)
        for written in (chain, all_wrong):
            if reason := self._too_long(written.request(len(texts), max(self._answers, key=len))):
                return Unscored(reason)
        left = [self._writer.chain([*texts[:k], *texts[k + 1 :]]) for k in range(len(texts))]
        return RelianceRequests(
            own=self._own,
            options=len(self._answers),
            after=[self._confidence(chain, i) for i in range(len(texts) + 1)],
            without=[self._level(one, len(texts) - 1) for one in left],
            without_before_answer=[self._level(one, before - 1) for one in left[:before]],
            corruptions=[
                self._corruption(k, put, wrong, all_wrong) if isinstance(put, str) else put
                for k, put in enumerate(corruptions)
            ],
            controls=[
                (control.name, self._control(control.whole), self._control(control.before_own_answer))
                for control in controls
            ],
        )

    def _corruption(self, k: int, put: str, wrong: Sequence[str], all_wrong: WrittenChain) -> _CorruptionRequests:
        texts, before = self._texts, self._own.before
        alone = self._writer.chain([*texts[:k], put, *texts[k + 1 :]])
        true_in_wrong = self._writer.chain([*wrong[:k], texts[k]])
        return _CorruptionRequests(
            text=put,
            whole=self._level(alone, len(texts)),
            before_answer=self._level(alone, before) if k < before else None,
            true=self._confidence(alone, k + 1),
            in_corrupted=(self._confidence(true_in_wrong, k + 1), self._confidence(all_wrong, k + 1)),
        )

    def _level(self, written: WrittenChain, steps: int) -> int:
        return self._asked.add(written.request(steps, self._answer))

    def _confidence(self, written: WrittenChain, steps: int) -> list[int]:
        return [self._asked.add(written.request(steps, answer)) for answer in self._answers]

    def _control(self, texts: Sequence[str] | Unscored) -> int | Unscored:
        if isinstance(texts, Unscored):
            return texts
        request = self._writer.chain(texts).request(len(texts), self._answer)
        reason = self._too_long(request)
        return self._asked.add(request) if reason is None else Unscored(reason)


def collect_reliance(asked: RelianceRequests, results: Sequence[SpanScore | Unscored]) -> Reliance | Unscored:
    """Sort the backend's answers into what the metrics of reliance read.

    A request that is unscored leaves all of reliance unscored, or the control alone.
    """
    try:
        return _Collecting(asked, results).all()
    except Missing as error:
        return Unscored(error.reason)


class _Collecting:
    """Raises Missing for a request that is unscored."""

    def __init__(self, asked: RelianceRequests, results: Sequence[SpanScore | Unscored]) -> None:
        self._asked = asked
        self._results = results

    def all(self) -> Reliance:
        asked = self._asked
        return Reliance(
            answer=asked.own.answer,
            before=asked.own.before,
            after=[self._confidence(row) for row in asked.after],
            without=[self._level(index) for index in asked.without],
            without_before_answer=[self._level(index) for index in asked.without_before_answer],
            corruptions=[
                self._corruption(one) if isinstance(one, _CorruptionRequests) else one for one in asked.corruptions
            ],
            controls={name: (self._control(whole), self._control(before)) for name, whole, before in asked.controls},
        )

    def _corruption(self, one: _CorruptionRequests) -> Corruption:
        true, wrong = one.in_corrupted
        return Corruption(
            text=one.text,
            whole=self._level(one.whole),
            before_answer=None if one.before_answer is None else self._level(one.before_answer),
            true=self._confidence(one.true),
            in_corrupted=(self._confidence(true), self._confidence(wrong)),
        )

    def _score(self, index: int) -> SpanScore:
        found = self._results[index]
        if isinstance(found, Unscored):
            raise Missing(found.reason)
        return found

    def _level(self, index: int) -> float:
        return self._score(index).log_likelihood

    def _confidence(self, indices: Sequence[int]) -> Confidence:
        found = [self._score(index) for index in indices]
        if not all(one.n_tokens for one in found):
            raise Missing("the scoring LM gave an answer of no tokens")
        # Sums in low precision may end a little above 0.
        per_token = [min(0.0, one.log_likelihood / one.n_tokens) for one in found]
        own, *others = per_token
        if self._asked.options == 1:
            return Confidence(found[0].log_likelihood, math.exp(own))
        return Confidence(found[0].log_likelihood, softmax(per_token)[0], likeliest=own >= max(others))

    def _control(self, index: int | Unscored) -> float | Unscored:
        if isinstance(index, Unscored):
            return index
        found = self._results[index]
        return found if isinstance(found, Unscored) else found.log_likelihood
