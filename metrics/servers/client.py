"""Sends one request to a server: retries, backoff, a time limit, and nothing hidden."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from ..optional_packages import needs
from . import loop
from .secrets import masker
from .stop import Stop

log = logging.getLogger(__name__)

_RETRIED = frozenset({408, 409, 425, 429})
_LONGEST_WAIT_S = 60.0
_MAX_RESPONSE_BYTES = 2_000_000
NO_KEY = "none"
# Asks the package for the response as it comes, not read and not parsed.
_AS_IT_COMES = {"X-Stainless-Raw-Response": "stream"}


class CallFailed(Exception):
    """A request that got no usable response; the text says what happened. `status`: HTTP status, or None."""

    def __init__(self, reason: str, status: int | None = None, *, retry: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.retry = retry
        self.wait = wait


@dataclass(frozen=True)
class Retrying:
    """How often and how long to try: seconds per attempt, retries after the first, seconds before the first retry."""

    timeout: float
    max_retries: int
    backoff: float


class Client:
    """A thread-safe client for `base_url`. It follows no redirect, so what is sent reaches that server or none.

    Args:
        who: is named where the package is missing.
        base_url: where paths begin.
        most_bytes: a longer response is refused.

    Raises:
        ValueError: the `openai` package is not installed.
    """

    def __init__(
        self,
        who: str,
        base_url: str,
        api_key: str | None,
        retrying: Retrying,
        *,
        most_bytes: int = _MAX_RESPONSE_BYTES,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise ValueError(needs(who, "openai", "openai")) from error
        self._openai = openai
        self._masked = masker(api_key)
        self._retrying = retrying
        self._most_bytes = most_bytes
        # Our pool bounds the requests in flight. Theirs must not: waiting there would count as the server's time.
        unbounded = type(openai.DEFAULT_CONNECTION_LIMITS)(max_connections=None)
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or NO_KEY,
            # Time is limited here, for a response as a whole: the package's limits are for each read.
            timeout=None,
            # Retries are counted and bounded here; the package would make them unseen.
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=None, limits=unbounded),
        )
        # Taken from the environment by the package; meant for OpenAI, and not for whatever base_url names.
        self._client.organization = None
        self._client.project = None

    def post(self, path: str, body: Mapping[str, Any], stopped: Stop, sent: Callable[[], None] = lambda: None) -> str:
        """The body of a successful response to JSON, without the API key. `path` begins at `base_url`.

        `sent` is called before each attempt. Raises CallFailed when the last attempt failed, when the failure is one
        that a retry cannot mend, or when `stopped` is set.
        """
        options: Any = {"headers": _AS_IT_COMES}
        return self._retried(
            lambda: self._client.post(path, cast_to=object, body=dict(body), options=options), stopped, sent
        )

    def get(self, path: str, stopped: Stop) -> str:
        """Like `post`, without a body to send."""
        options: Any = {"headers": _AS_IT_COMES}
        return self._retried(lambda: self._client.get(path, cast_to=object, options=options), stopped, lambda: None)

    def close(self) -> None:
        loop.start(self._client.close()).result()

    def _retried(self, send: Callable[[], Awaitable[Any]], stopped: Stop, sent: Callable[[], None]) -> str:
        for attempt in range(self._retrying.max_retries + 1):
            sent()
            try:
                return self._attempt(send, stopped)
            except CallFailed as failure:
                last = attempt == self._retrying.max_retries
                if last or not failure.retry:
                    tried = f" ({attempt + 1} attempts)" if attempt else ""
                    raise CallFailed(f"{failure}{tried}", failure.status) from failure
                pause = self._retrying.backoff * 2**attempt * random.uniform(0.75, 1.25)
                pause = min(max(pause, failure.wait), _LONGEST_WAIT_S)
                log.debug("attempt %d failed: %s; again in %.1f s", attempt + 1, failure, pause)
                if stopped.wait(pause):
                    raise CallFailed(f"stopped while waiting to retry: {failure}", failure.status) from failure
        raise AssertionError("unreachable")

    def _attempt(self, send: Callable[[], Awaitable[Any]], stopped: Stop) -> str:
        call = loop.start(self._exchange(send))
        with stopped.ends(call):
            try:
                return call.result()
            except CancelledError as error:
                raise CallFailed("stopped before there was a response") from error

    async def _exchange(self, send: Callable[[], Awaitable[Any]]) -> str:
        openai = self._openai
        try:
            async with asyncio.timeout(self._retrying.timeout):
                response = await send()
                try:
                    return await self._read(response)
                finally:
                    await response.close()
        except CallFailed:
            raise
        except TimeoutError as error:
            raise CallFailed(f"no complete response within {self._retrying.timeout:g} s", retry=True) from error
        except openai.APIConnectionError as error:
            raise self._lost(error.__cause__ or error) from error
        except openai.APIStatusError as error:
            status = error.status_code
            raise CallFailed(
                f"HTTP {status}: {self._safe(error.message)}",
                status,
                retry=status >= 500 or status in _RETRIED,
                wait=_retry_after(error.response.headers.get("retry-after")),
            ) from error
        except openai.OpenAIError as error:
            raise CallFailed(f"{type(error).__name__}: {self._safe(error)}") from error
        except (TypeError, ValueError) as error:  # the request cannot be written as JSON
            raise CallFailed(f"the request could not be sent: {self._safe(error)}") from error

    async def _read(self, response: Any) -> str:
        body = bytearray()
        try:
            async for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self._most_bytes:
                    raise CallFailed(f"the response is longer than {self._most_bytes} bytes")
        except CallFailed:
            raise
        except Exception as error:  # httpx's own errors: the package wraps them before the body only
            raise self._lost(error) from error
        # Bytes that are no text become what is no JSON.
        return self._masked(body.decode("utf-8", "backslashreplace"))

    def _lost(self, cause: BaseException) -> CallFailed:
        return CallFailed(f"connection failed: {type(cause).__name__}: {self._safe(cause)}", retry=True)

    def _safe(self, what: object) -> str:
        """One short line without the API key."""
        return " ".join(self._masked(str(what))[:2000].split())[:300]


def _retry_after(header: str | None) -> float:
    """Seconds that the server asks to wait; 0 where it does not say, or gives a date."""
    try:
        seconds = float(header) if header else 0.0
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
