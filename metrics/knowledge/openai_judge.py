"""The judge `openai`: asks any OpenAI-compatible server whether the retrieved passages support a claim.

The claim, its passages and the instructions leave this machine for the `base_url` that the user names; nothing else
does, and there is no default server. A call that fails leaves its claim without a label, with the error.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..models import cache_dir
from .base import Surroundings
from .claim_message import MAX_MESSAGE_CHARACTERS, claim_message
from .judge_cache import ReplyCache, cache_key
from .openai_client import CallFailed, ChatClient, Retrying
from .openai_reply import SCHEMA, BadReply, Finding, decode, read_text, read_usage, read_verdict
from .prompts import read_prompt
from .types import Claim, Passage, Verdict

log = logging.getLogger(__name__)

KINDS = frozenset({"sentence"})
STRUCTURED = ("auto", "always", "never")
_GIVE_UP_AFTER = 25


@dataclass(frozen=True)
class Totals:
    """What one judge has done since it was made.

    Attributes:
        claims: claims it was asked about.
        without_evidence: of these, claims without passages; they are "insufficient" and cost nothing.
        cached: claims answered from the cache, or by another claim's call in the same batch.
        calls: requests sent, retries included.
        failed: claims left without a label.
        prompt_tokens, completion_tokens: as the server reported them, for all replies that came, usable or not.
        unreported: replies without token counts; where there are any, the token totals and the cost are too low.
        cost: in the currency of the prices given; nan without prices.
    """

    claims: int = 0
    without_evidence: int = 0
    cached: int = 0
    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0
    cost: float = math.nan

    def __str__(self) -> str:
        cost = "" if math.isnan(self.cost) else f", cost {self.cost:.4f}"
        unreported = f" ({self.unreported} replies did not report theirs)" if self.unreported else ""
        return (
            f"{self.claims} claims: {self.cached} cached, {self.without_evidence} without evidence, "
            f"{self.failed} failed; {self.calls} calls, {self.prompt_tokens} + {self.completion_tokens} tokens"
            f"{unreported}{cost}"
        )


@dataclass(frozen=True)
class Settings:
    """What shapes a request, and what it costs. See `make` for the meaning of each."""

    base_url: str
    model: str
    instructions: str
    structured: str
    temperature: float | None
    max_tokens: int | None
    params: Mapping[str, Any]
    prompt_price: float | None
    completion_price: float | None


class OpenAIJudge:
    """Judges claims of kind "sentence" in parallel; its name is "openai:" and the model.

    Safe to call from several threads: they share one pool of `concurrency` workers.
    """

    kinds: frozenset[str] | None = KINDS
    needs_evidence = True

    def __init__(self, settings: Settings, client: ChatClient, cache: ReplyCache | None, concurrency: int) -> None:
        self.name = f"openai:{settings.model}"
        self._settings = settings
        self._client = client
        self._cache = cache
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="stepgauge-openai")
        self._lock = threading.Lock()
        self._totals = Totals()
        self._structured = settings.structured != "never"

    @property
    def totals(self) -> Totals:
        """The totals so far."""
        with self._lock:
            totals = self._totals
        prices = (self._settings.prompt_price, self._settings.completion_price)
        if prices[0] is None or prices[1] is None:
            return totals
        cost = (totals.prompt_tokens * prices[0] + totals.completion_tokens * prices[1]) / 1e6
        return replace(totals, cost=cost)

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        """See `Judge`. Claims with the same text and passages share one call."""
        batch = _Batch()
        asked: dict[str, Future[Finding | str]] = {}
        keys: list[str | None] = []
        try:
            for claim, passages in zip(claims, evidence, strict=True):
                key = None
                if passages:
                    prompt = claim_message(claim, passages)
                    key = self._key(prompt)
                    if key in asked:
                        self._count(cached=1)
                    else:
                        asked[key] = self._pool.submit(self._ask, key, prompt, batch)
                keys.append(key)
            findings = {key: future.result() for key, future in asked.items()}
        except BaseException:  # an interrupt: what is not under way is not begun
            batch.stopped.set()
            for future in asked.values():
                future.cancel()
            raise
        verdicts = [
            self._verdict(claim, passages, None if key is None else findings[key])
            for claim, passages, key in zip(claims, evidence, keys, strict=True)
        ]
        errors = Counter(verdict.error for verdict in verdicts if verdict.error)
        self._count(claims=len(claims), without_evidence=keys.count(None), failed=errors.total())
        log.info("judge %s so far: %s", self.name, self.totals)
        if errors:
            error, n = errors.most_common(1)[0]
            log.warning("judge %s: %d of %d claims failed; %d× %s", self.name, errors.total(), len(claims), n, error)
        return list(verdicts)

    def close(self) -> None:
        """Stop the workers and close the connections and the cache."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()
        if self._cache:
            self._cache.close()

    def _verdict(self, claim: Claim, passages: Sequence[Passage], finding: Finding | str | None) -> Verdict:
        shown = tuple(passages)
        if finding is None:
            return Verdict(claim, "insufficient", self.name, reason="no evidence was found")
        if isinstance(finding, str):
            return Verdict(claim, None, self.name, evidence=shown, error=finding)
        return Verdict(
            claim, finding.label, self.name, probability=finding.probability, evidence=shown, reason=finding.reason
        )

    def _ask(self, key: str, prompt: str, batch: _Batch) -> Finding | str:
        """A verdict, or why there is none. Never raises for what a server or a model did."""
        cached = self._cache.get(key) if self._cache else None
        if cached is not None:
            try:
                finding = read_verdict(cached)
            except BadReply:  # written by a version that read replies otherwise
                log.debug("a cached reply is no verdict; asking again")
            else:
                self._count(cached=1)
                return finding
        if len(prompt) > MAX_MESSAGE_CHARACTERS:
            return f"not asked: a prompt of {len(prompt)} characters, more than {MAX_MESSAGE_CHARACTERS}"
        if reason := batch.why_stopped():
            return reason
        try:
            body = self._post(prompt, batch)
        except CallFailed as failure:
            batch.failed(str(failure))
            return str(failure)
        batch.answered()
        try:
            decoded = decode(body)
        except BadReply as error:
            self._count(unreported=1)
            return str(error)
        self._count_tokens(decoded)
        try:
            text = read_text(decoded)
            finding = read_verdict(text)
        except BadReply as error:
            return str(error)
        if self._cache:
            self._cache.put(key, text)
        return finding

    def _post(self, prompt: str, batch: _Batch) -> bytes:
        structured = self._structured
        try:
            return self._send(prompt, batch, structured)
        except CallFailed as failure:
            if not structured or self._settings.structured == "always" or failure.status not in (400, 422):
                raise
            try:
                body = self._send(prompt, batch, structured=False)
            except CallFailed:
                raise failure from None  # the format was not what it minded
        with self._lock:
            first, self._structured = self._structured, False
        if first:
            log.warning("judge %s: the server takes no JSON schema; its replies are read as text", self.name)
        return body

    def _send(self, prompt: str, batch: _Batch, structured: bool) -> bytes:
        request = self._request(prompt)
        if structured:
            schema = {"name": "verdict", "strict": True, "schema": SCHEMA}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return self._client.post(request, batch.stopped, lambda: self._count(calls=1))

    def _request(self, prompt: str) -> dict[str, Any]:
        settings = self._settings
        request: dict[str, Any] = {
            "model": settings.model,
            "messages": [
                {"role": "system", "content": settings.instructions},
                {"role": "user", "content": prompt},
            ],
        }
        if settings.temperature is not None:
            request["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            request["max_tokens"] = settings.max_tokens
        if settings.params:
            request["extra_body"] = dict(settings.params)
        return request

    def _key(self, prompt: str) -> str:
        # The option and not what the server turned out to take: the next run must find the same key.
        schema = None if self._settings.structured == "never" else SCHEMA
        return cache_key({**self._request(prompt), "base_url": self._settings.base_url, "schema": schema})

    def _count(self, **more: int) -> None:
        with self._lock:
            totals = self._totals
            self._totals = replace(totals, **{name: getattr(totals, name) + n for name, n in more.items()})

    def _count_tokens(self, body: object) -> None:
        prompt, completion = read_usage(body)
        if prompt is None or completion is None:
            self._count(unreported=1)
        self._count(prompt_tokens=prompt or 0, completion_tokens=completion or 0)


class _Batch:
    """One call of `judge`: whether it was interrupted, and how many calls failed in a row."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._in_a_row = 0
        self._last = ""
        self._lock = threading.Lock()

    def failed(self, reason: str) -> None:
        with self._lock:
            self._in_a_row += 1
            self._last = reason

    def answered(self) -> None:
        with self._lock:
            self._in_a_row = 0

    def why_stopped(self) -> str | None:
        """Why the remaining claims are not asked: thousands of calls to a dead server would take hours to fail."""
        with self._lock:
            if self.stopped.is_set():
                return "not asked: the run was stopped"
            if self._in_a_row >= _GIVE_UP_AFTER:
                return f"not asked: {self._in_a_row} calls in a row failed, the last with: {self._last}"
        return None


def make(
    around: Surroundings,
    *,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    prompt: str = "default",
    structured: str = "auto",
    temperature: float | None = 0.0,
    max_tokens: int | None = 512,
    params: Mapping[str, Any] | None = None,
    timeout: float = 60.0,
    max_retries: int = 4,
    backoff: float = 0.5,
    concurrency: int = 8,
    cache: str = "auto",
    prompt_price: float | None = None,
    completion_price: float | None = None,
) -> OpenAIJudge:
    """Make the judge `openai`.

    Args:
        model, base_url: which model of which server, "https://api.openai.com/v1" for OpenAI's own; both are required.
        api_key_env: environment variable that holds the API key; None sends no key of yours to the server.
        prompt: "default", or a .txt file with a system prompt of your own (see `prompts/openai_default.txt`).
        structured: "auto" asks for a JSON schema, and for plain JSON once the server has refused that; "always",
            "never".
        temperature, max_tokens: None leaves them out of the request, for models that refuse them.
        params: further fields of the request's body ({"seed": 0, "max_completion_tokens": 2000}).
        timeout: seconds for one complete response.
        max_retries, backoff: retries after timeouts, lost connections, HTTP 408, 409, 425, 429 and 5xx; seconds before
            the first, doubled for each further one, ±25 %, never below the server's Retry-After, at most 60.
        concurrency: requests in flight at most.
        cache: folder of the cache; "auto" is `judges/` in stepgauge's cache folder, "off" is none. Only verdicts are
            kept, under a hash of server, model, prompt and parameters.
        prompt_price, completion_price: per million tokens, for `totals.cost`; give both.

    Raises:
        ValueError: an option that is missing or wrong, or the `openai` package is not installed.
    """
    del around
    for name, value, example in (
        ("model", model, "gpt-4o"),
        ("base_url", base_url, "http://localhost:8000/v1"),
    ):
        if not isinstance(value, str) or not value.strip():
            raise _wrong(name, value, f"this judge has no default; give one, such as {example!r}")
    assert model is not None  # for the type checker
    assert base_url is not None
    if not base_url.startswith(("http://", "https://")):
        raise _wrong("base_url", base_url, "expected an address that starts with http:// or https://")
    if structured not in STRUCTURED:
        raise _wrong("structured", structured, f"expected {', '.join(STRUCTURED)}")
    _check_number("temperature", temperature, optional=True)
    _check_number("max_tokens", max_tokens, least=1, whole=True, optional=True)
    _check_number("timeout", timeout, least=1e-3)
    _check_number("max_retries", max_retries, whole=True)
    _check_number("backoff", backoff)
    _check_number("concurrency", concurrency, least=1, whole=True)
    _check_number("prompt_price", prompt_price, optional=True)
    _check_number("completion_price", completion_price, optional=True)
    if (prompt_price is None) != (completion_price is None):
        raise _wrong("prompt_price, completion_price", (prompt_price, completion_price), "expected both or neither")
    if not isinstance(cache, str) or not cache:
        raise _wrong("cache", cache, "expected a folder, 'auto' or 'off'")
    settings = Settings(
        base_url=base_url,
        model=model,
        instructions=_instructions(prompt),
        structured=structured,
        temperature=temperature,
        max_tokens=max_tokens,
        params=_checked_params(params),
        prompt_price=prompt_price,
        completion_price=completion_price,
    )
    client = ChatClient(base_url, _api_key(api_key_env), Retrying(float(timeout), max_retries, float(backoff)))
    folder = cache_dir() / "judges" if cache == "auto" else Path(cache)
    return OpenAIJudge(settings, client, None if cache == "off" else ReplyCache(folder), concurrency)


def _wrong(name: str, value: object, what: str) -> ValueError:
    return ValueError(f"judge 'openai', option {name} {value!r:.80}: {what}")


def _check_number(name: str, value: object, *, least: float = 0, whole: bool = False, optional: bool = False) -> None:
    if value is None and optional:
        return
    kind = int if whole else int | float
    if not isinstance(value, kind) or isinstance(value, bool) or not least <= value < math.inf:
        sort = "a whole number" if whole else "a number"
        raise _wrong(name, value, f"expected {sort}, {least:g} or more{', or None' if optional else ''}")


def _instructions(prompt: str) -> str:
    read = read_prompt("openai", prompt, ())
    if not read.text:
        raise _wrong("prompt", prompt, "expected the text of a system prompt, without turns")
    return read.text


def _checked_params(params: object) -> Mapping[str, Any]:
    if params is None:
        return {}
    if not isinstance(params, Mapping) or not all(isinstance(key, str) for key in params):
        raise _wrong("params", params, "expected a mapping of request fields, such as {seed: 0}")
    if reserved := sorted({"model", "messages", "response_format", "stream", "n"} & set(params)):
        raise _wrong("params", params, f"{reserved[0]!r} is set by the judge")
    try:
        json.dumps(params)
    except (TypeError, ValueError) as error:
        raise _wrong("params", params, f"expected JSON values: {error}") from error
    return dict(params)


def _api_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not isinstance(variable, str) or not os.environ.get(variable):
        raise _wrong("api_key_env", variable, "expected the name of an environment variable that holds the key")
    return os.environ[variable]
