"""What may be said of any server that is asked: where it is, its key, and how patiently it is asked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from ..addresses import without_login
from .client import Retrying

Wrong = Callable[[str, object, str], ValueError]


@dataclass(frozen=True)
class Connection:
    """The options that every server has.

    Attributes:
        base_url: where it is.
        api_key_env: environment variable that holds the API key; None sends no key of yours to the server.
        timeout: seconds for one complete response.
        max_retries, backoff: retries after timeouts, lost connections, HTTP 408, 409, 425, 429 and 5xx; seconds before
            the first, doubled for each further one, ±25 %, never below the server's Retry-After, at most 60.
        concurrency: requests in flight at most.
    """

    base_url: str | None = None
    api_key_env: str | None = None
    timeout: float = 60.0
    max_retries: int = 4
    backoff: float = 0.5
    concurrency: int = 8

    def check_connection(self, wrong: Wrong) -> None:
        """Raises what `wrong(name, value, what)` makes of the first option that is wrong."""
        address = str(self.base_url)
        if "@" in address:
            # Without "://", too: who forgets it has typed the password all the same.
            shown = without_login(address) if "://" in address else f"…@{address.rpartition('@')[2]}"
            raise wrong(
                "base_url", shown, "it holds a name or password, which would be stored with the scores; leave out what "
                "stands before the @, and put a key into an environment variable that api_key_env names",
            )  # fmt: skip
        if not address.startswith(("http://", "https://")):
            raise wrong("base_url", self.base_url, "expected an address that starts with http:// or https://")
        for name, least, whole in (
            ("timeout", 1e-3, False),
            ("max_retries", 0, True),
            ("backoff", 0, False),
            ("concurrency", 1, True),
        ):
            check_number(wrong, name, getattr(self, name), least=least, whole=whole)
        variable: object = self.api_key_env
        if variable is not None and not (isinstance(variable, str) and os.environ.get(variable)):
            raise wrong("api_key_env", variable, "expected the name of an environment variable that holds the key")

    def api_key(self) -> str | None:
        return None if self.api_key_env is None else os.environ[self.api_key_env]

    def retrying(self) -> Retrying:
        return Retrying(float(self.timeout), self.max_retries, float(self.backoff))


def check_number(
    wrong: Wrong, name: str, value: object, *, least: float = 0, whole: bool = False, optional: bool = False
) -> None:
    """Raises what `wrong` makes of a value that is no number of at least `least`."""
    if value is None and optional:
        return
    kind = int if whole else int | float
    if not isinstance(value, kind) or isinstance(value, bool) or not least <= value < math.inf:
        number = "a whole number" if whole else "a number"
        raise wrong(name, value, f"expected {number}, {least:g} or more{', or None' if optional else ''}")
