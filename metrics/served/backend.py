"""The likelihood backends `vllm` and `sglang`: token ids go to a server over HTTP, log-probabilities come back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from ..contamination.overlap import scorer_card
from ..likelihood import Group, Request, Result, SpanScore, Unscored
from ..models.loading import commit
from ..models.quantization import own_quantization
from ..servers.batch import Batch
from ..servers.client import CallFailed
from ..tokenization.spans import TokenSpan, encode
from .asking import ask_all
from .connecting import connect
from .dialect import Answer, Dialect
from .distinct import Distinct, distinct
from .replies import BadReply, decode
from .server_options import ScorerServer
from .statistics import ServedStatistics

log = logging.getLogger(__name__)

Place = tuple[int, int]

# Asked twice: of the first chains that are scored this many.
_TWICE = 3


class ServedBackend:
    """See `LikelihoodBackend`.

    What fails on the way (a server that hangs, refuses, breaks off, or answers about something else) costs the chains
    that needed it, with the reason.

    Args:
        who: begins every error ("likelihood backend 'vllm'").
        dialect: what this kind of server is asked and answers.

    Raises:
        ScorerError: the server cannot be reached, or runs another model or tokenizer.
    """

    computes_elsewhere = True

    def __init__(
        self,
        who: str,
        dialect: Dialect,
        scorer: str,
        options: ScorerServer,
        *,
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self._dialect = dialect
        self._scorer = scorer
        self._there = connect(who, dialect, scorer, options, revision=revision, trust_remote_code=trust_remote_code)
        self._revision = commit(self._there.files.source, revision)
        card = scorer_card(self._there.files.source, revision)
        self._fit = card["id"] if card else None
        self._most = options.concurrency
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix=f"stepgauge-{dialect.name}")
        self._lock = threading.Lock()
        self._stats = ServedStatistics()
        self._asked_twice = False

    def too_long(self, request: Request) -> str | None:
        return self._there.texts.too_long(request)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return self._there.texts.render_chat(messages)

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        started = time.perf_counter()
        texts = self._there.texts
        results: list[Result] = [
            encode(texts.tokenizer, group, texts.max_tokens) if group else []  # type: ignore[misc]
            for group in groups
        ]
        usable = [i for i, group in enumerate(results) if group and not isinstance(group, Unscored)]
        spans: list[list[TokenSpan]] = [results[i] for i in usable]  # type: ignore[misc]
        self._count(tokenizing_seconds=time.perf_counter() - started)
        done(len(groups) - len(usable))
        try:
            for i, result in zip(usable, self._score(spans, done), strict=True):
                results[i] = result
        finally:
            self._count(seconds=time.perf_counter() - started)
        return results

    def statistics(self) -> ServedStatistics:
        with self._lock:
            return replace(self._stats)

    def describe(self) -> dict[str, Any]:
        there = self._there
        config = there.files.config
        out: dict[str, Any] = {
            "scorer": self._scorer,
            "source": there.files.source,
            "revision": self._revision,
            "architecture": (getattr(config, "architectures", None) or [None])[0],
            "dtype": there.served.dtype,
            "engine": f"{self._dialect.name} {there.served.version or '(version unknown)'}",
            "served_model": there.served.model,
            "base_url": there.address,
        }
        if self._fit:
            out["fit"] = self._fit
        if quantization := there.served.quantization or own_quantization(config):
            out["quantization"] = quantization
        return out

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._there.client.close()

    def _score(self, spans: Sequence[Sequence[TokenSpan]], done: Callable[[int], None]) -> list[Result]:
        asked = distinct(spans)
        answers = self._ask(asked, done)
        results = [_result(own, places, asked, answers) for own, places in zip(spans, asked.places, strict=True)]
        scored = [result for result in results if not isinstance(result, Unscored)]
        self._count(
            groups=len(scored),
            sequences=sum(map(len, scored)),
            sequence_tokens=sum(span.n for own in spans for span in own),
            scored_tokens=sum(one.n_tokens for result in scored for one in result if isinstance(one, SpanScore)),
        )
        if scored and not self._asked_twice:
            self._asked_twice = True
            self._ask_again(asked, answers)
        return results

    def _ask(self, asked: Distinct, done: Callable[[int], None]) -> dict[Place, Answer | Unscored]:
        """The answer about each sequence; none about those of a chain that is lost already."""
        batch = Batch()
        answers: dict[Place, Answer | Unscored] = {}
        needs = [set(places) for places in asked.places]
        needed_by: dict[Place, list[int]] = {}
        for chain, places in enumerate(needs):
            for place in places:
                needed_by.setdefault(place, []).append(chain)
        open_chains = set(range(len(needs)))

        def answered(place: Place, answer: Answer | Unscored) -> None:
            answers[place] = answer
            for chain in open_chains.intersection(needed_by[place]):
                needs[chain].discard(place)
                if not needs[chain] or isinstance(answer, Unscored):
                    open_chains.discard(chain)
                    done(1)

        def wanted(place: Place) -> bool:
            return not open_chains.isdisjoint(needed_by[place])

        def ask(place: Place) -> Answer | Unscored:
            return self._ask_about(asked.chains[place[0]][place[1]], batch)

        try:
            ask_all(
                self._dialect.stages(self._there.served, asked.chains), ask, answered, wanted, self._pool, self._most
            )
        except BaseException:
            batch.stopped.set()
            raise
        return answers

    def _ask_about(self, sequence: TokenSpan, batch: Batch) -> Answer | Unscored:
        if reason := batch.why_stopped():
            return Unscored(reason)
        served = self._there.served
        try:
            path, body = self._dialect.request(served, sequence)
            reply = self._there.client.post(
                path, body, batch.stopped, lambda: self._count(passes=1, unique_tokens=sequence.n)
            )
            batch.answered()
            answer = self._dialect.read(served, sequence, decode(reply))
        except CallFailed as failure:
            batch.failed(str(failure))
            return Unscored(f"{self._dialect.name}: {failure}")
        except BadReply as error:
            return Unscored(f"{self._dialect.name}: {error}")
        self._count(computed_tokens=answer.computed)
        return answer

    def _ask_again(self, asked: Distinct, answers: Mapping[Place, Answer | Unscored]) -> None:
        """Ask about a few sequences again, one at a time and in the opposite order; note how far the answers differ.

        Of each of a few chains the first sequence, the last, and one between them.
        """
        batch = Batch()
        chains = [
            [(i, k) for k in range(len(own)) if isinstance(answers.get((i, k)), Answer)]
            for i, own in enumerate(asked.chains)
        ]
        some = [places for places in chains if places][:_TWICE]
        picked = [places[i] for places in some for i in sorted({0, len(places) // 2, len(places) - 1})]
        for place in reversed(picked):
            first, again = answers[place], self._ask_about(asked.chains[place[0]][place[1]], batch)
            if isinstance(first, Answer) and isinstance(again, Answer):
                noise = abs(float(first.values.sum() - again.values.sum()))
                self._count(repeated=1)
                with self._lock:
                    self._stats.noise_nats = max(self._stats.noise_nats, noise)

    def _count(self, **more: float) -> None:
        with self._lock:
            for name, n in more.items():
                setattr(self._stats, name, getattr(self._stats, name) + n)


def _result(
    own: Sequence[TokenSpan],
    places: Sequence[Place],
    asked: Distinct,
    answers: Mapping[Place, Answer | Unscored],
) -> Result:
    """One chain's scores, or the first reason why it has none."""
    found = [answers.get(place) for place in places]
    for one in found:
        if isinstance(one, Unscored):
            return one
    scores = []
    for span, (chain, i), one in zip(own, places, found, strict=True):
        assert isinstance(one, Answer)
        before = span.start - asked.chains[chain][i].start
        values = one.values[before : before + span.n - span.start]
        scores.append(SpanScore(float(np.sum(values, dtype=np.float64)), len(values), span.start))
    return scores
