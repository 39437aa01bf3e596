"""Asks a model of an OpenAI-compatible server many questions: in parallel, through a cache, each reply read or failed.

The judge `openai` and the claim extractor `llm` share it. What they send leaves this machine for the `base_url` that
the user names; there is no default server.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...likelihood import Unscored
from ...models.cache import cache_dir
from ...servers.batch import Batch
from ...servers.client import CallFailed, Client
from .cache import ReplyCache, cache_key
from .claim_message import MAX_MESSAGE_CHARACTERS
from .prompts import Prompt, read_prompt
from .reply import BadReply, decode, read_model, read_text, read_usage
from .server_options import ServerOptions

log = logging.getLogger(__name__)

Read = TypeVar("Read")
Counts = TypeVar("Counts", bound="Totals")


@dataclass(frozen=True)
class Totals:
    """What was asked of a server, and what it cost.

    Attributes:
        cached: questions answered from the cache, or by another question's call in the same batch.
        calls: requests sent, retries included.
        failed: questions without a usable answer.
        prompt_tokens, completion_tokens: as the server reported them, for all replies that came, usable or not.
        unreported: replies without token counts; where there are any, the token totals and the cost are too low.
        cost: in the currency of the prices given; nan without prices.
    """

    cached: int = 0
    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0
    cost: float = math.nan

    def spent(self) -> str:
        """Calls, tokens and cost, for a log."""
        cost = "" if math.isnan(self.cost) else f", cost {self.cost:.4f}"
        unreported = f" ({self.unreported} replies did not report theirs)" if self.unreported else ""
        return (
            f"{self.failed} failed; {self.calls} calls, {self.prompt_tokens} + {self.completion_tokens} tokens"
            f"{unreported}{cost}"
        )


class Chat(Generic[Read, Counts]):
    """Asks a server and reads its replies.

    Safe to call from several threads: they share one pool of `options.concurrency` workers.

    Args:
        who: whom the log names ("judge openai:gpt-4o").
        options: checked before.
        prompt: the system prompt.
        cache: where usable replies are kept, or None.
        schema: name and JSON schema of a reply.
        read: reads a reply's text; raises BadReply where it is not one.
        totals: all zero; `count` adds to its fields.
    """

    def __init__(
        self,
        who: str,
        options: ServerOptions,
        prompt: Prompt,
        client: Client,
        cache: ReplyCache | None,
        schema: tuple[str, Mapping[str, Any]],
        read: Callable[[str], Read],
        totals: Counts,
    ) -> None:
        self.who = who
        self._options = options
        self._instructions = prompt.text
        self._prompt_digest = prompt.digest()
        self._client = client
        self._cache = cache
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix="stepgauge-openai")
        self._schema_name, self._schema = schema
        self._read = read
        self._lock = threading.Lock()
        self._totals = totals
        self._structured = options.structured != "never"
        self._models: set[str] = set()

    def describe(self) -> dict[str, Any]:
        """What replies depend on beside the options: the instructions' digest, the models that the server reported."""
        with self._lock:
            models = sorted(self._models)
        return {"prompt_sha256": self._prompt_digest, **({"reported_models": models} if models else {})}

    @property
    def totals(self) -> Counts:
        """The totals so far."""
        with self._lock:
            totals = self._totals
        prices = (self._options.prompt_price, self._options.completion_price)
        if prices[0] is None or prices[1] is None:
            return totals
        cost = (totals.prompt_tokens * prices[0] + totals.completion_tokens * prices[1]) / 1e6
        return replace(totals, cost=cost)

    def ask(
        self, prompts: Sequence[str | None], what: str, done: Callable[[int], None]
    ) -> list[Read | Unscored | None]:
        """What was read from the reply to each prompt, or why there is nothing; None where the prompt is None.

        Equal prompts share one call. Never raises for what a server or a model did.

        Args:
            what: what the prompts are about, for the log ("claims").
            done: called with how many prompts have been answered, as they are.
        """
        batch = Batch()
        asked: dict[str, Future[Read | Unscored]] = {}
        keys: list[str | None] = []
        try:
            for prompt in prompts:
                key = None
                if prompt is not None:
                    key = self._key(prompt)
                    if key in asked:
                        self.count(cached=1)
                    else:
                        asked[key] = self._pool.submit(self._ask, key, prompt, batch)
                keys.append(key)
            found: dict[str, Read | Unscored] = {}
            for key, future in asked.items():
                found[key] = future.result()
                done(keys.count(key))
        except BaseException:  # an interrupt: what is not under way is not begun
            batch.stopped.set()
            for future in asked.values():
                future.cancel()
            raise
        answers = [None if key is None else found[key] for key in keys]
        errors = Counter(answer.reason for answer in answers if isinstance(answer, Unscored))
        self.count(failed=errors.total())
        if errors:
            error, n = errors.most_common(1)[0]
            log.warning("%s: %d of %d %s failed; %d× %s", self.who, errors.total(), len(prompts), what, n, error)
        return answers

    def count(self, **more: int) -> None:
        with self._lock:
            totals = self._totals
            self._totals = replace(totals, **{name: getattr(totals, name) + n for name, n in more.items()})

    def close(self) -> None:
        """Stop the workers and close the connections and the cache."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()
        if self._cache:
            self._cache.close()

    def _ask(self, key: str, prompt: str, batch: Batch) -> Read | Unscored:
        cached = self._cache.get(key) if self._cache else None
        if cached is not None:
            text, model = cached
            try:
                answer = self._read(text)
            except BadReply:  # written by a version that read replies otherwise
                log.debug("a cached reply cannot be read; asking again")
            else:
                self.count(cached=1)
                self._reported(model)
                return answer
        if len(prompt) > MAX_MESSAGE_CHARACTERS:
            return Unscored(f"not asked: a prompt of {len(prompt)} characters, more than {MAX_MESSAGE_CHARACTERS}")
        if reason := batch.why_stopped():
            return Unscored(reason)
        try:
            body = self._post(prompt, batch)
        except CallFailed as failure:
            batch.failed(str(failure))
            return Unscored(str(failure))
        batch.answered()
        try:
            decoded = decode(body)
        except BadReply as error:
            self.count(unreported=1)
            return Unscored(str(error))
        self._count_tokens(decoded)
        try:
            text = read_text(decoded)
            answer = self._read(text)
        except BadReply as error:
            return Unscored(str(error))
        model = read_model(decoded)
        self._reported(model)
        if self._cache:
            self._cache.put(key, text, model)
        return answer

    def _reported(self, model: str | None) -> None:
        if model is not None:
            with self._lock:
                self._models.add(model)

    def _post(self, prompt: str, batch: Batch) -> str:
        structured = self._structured
        try:
            return self._send(prompt, batch, structured)
        except CallFailed as failure:
            if not structured or self._options.structured == "always" or failure.status not in (400, 422):
                raise
            try:
                body = self._send(prompt, batch, structured=False)
            except CallFailed:
                raise failure from None  # the format was not what it minded
        with self._lock:
            first, self._structured = self._structured, False
        if first:
            log.warning("%s: the server takes no JSON schema; its replies are read as text", self.who)
        return body

    def _send(self, prompt: str, batch: Batch, structured: bool) -> str:
        request = self._request(prompt)
        if structured:
            schema = {"name": self._schema_name, "strict": True, "schema": self._schema}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        request |= request.pop("extra_body", {})
        return self._client.post("/chat/completions", request, batch.stopped, lambda: self.count(calls=1))

    def _request(self, prompt: str) -> dict[str, Any]:
        options = self._options
        request: dict[str, Any] = {
            "model": options.model,
            "messages": [
                {"role": "system", "content": self._instructions},
                {"role": "user", "content": prompt},
            ],
        }
        if options.temperature is not None:
            request["temperature"] = options.temperature
        if options.max_tokens is not None:
            request["max_tokens"] = options.max_tokens
        if options.params:
            request["extra_body"] = dict(options.params)
        return request

    def _key(self, prompt: str) -> str:
        # The option and not what the server turned out to take: the next run must find the same key.
        schema = None if self._options.structured == "never" else self._schema
        return cache_key({**self._request(prompt), "base_url": self._options.base_url, "schema": schema})

    def _count_tokens(self, body: object) -> None:
        prompt, completion = read_usage(body)
        if prompt is None or completion is None:
            self.count(unreported=1)
        self.count(prompt_tokens=prompt or 0, completion_tokens=completion or 0)


def make_chat(
    who: str,
    options: ServerOptions,
    *,
    prompt: tuple[str, str],
    cache_folder: str,
    schema: tuple[str, Mapping[str, Any]],
    read: Callable[[str], Read],
    totals: Counts,
) -> Chat[Read, Counts]:
    """Check the options and make a `Chat`.

    Args:
        who: begins every error ("judge 'openai'").
        prompt: kind and name of the prompt file with the system prompt; see `read_prompt`.
        cache_folder: where the cache lies in stepgauge's cache folder.

    Raises:
        ValueError: an option that is missing or wrong, or the `openai` package is not installed.
    """
    options.check(who)
    instructions = read_prompt(*prompt, ())
    if not instructions.text:
        raise ValueError(f"{who}, option prompt {prompt[1]!r:.80}: expected the text of a system prompt, without turns")
    client = Client(who, str(options.base_url), options.api_key(), options.retrying())
    folder = cache_dir() / cache_folder if options.cache == "auto" else Path(options.cache)
    cache = None if options.cache == "off" else ReplyCache(folder)
    name = f"{who.replace(chr(39), '')}:{options.model}"
    return Chat(name, options, instructions, client, cache, schema, read, totals)
