"""The options of an OpenAI-compatible chat server, declared and checked in one place for every part that asks one."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from ...addresses import without_login
from ...servers.options import Connection, check_number
from ..base import Surroundings

STRUCTURED = ("auto", "always", "never")

Made = TypeVar("Made")


@dataclass(frozen=True)
class ServerOptions(Connection):
    """Everything a user may say of a server and of how it is asked; see `Connection`, too.

    Attributes:
        model: which model of the server; it and `base_url` ("https://api.openai.com/v1" for OpenAI's own) are required.
        structured: "auto" asks for a JSON schema, and for plain JSON once the server has refused that; "always",
            "never".
        temperature, max_tokens: None leaves them out of the request, for models that refuse them.
        params: further fields of the request's body ({"seed": 0, "max_completion_tokens": 2000}).
        cache: folder of the cache; "auto" is a folder in stepgauge's cache folder, "off" is none. Only usable replies
            are kept, under a hash of server, model, prompt and parameters.
        prompt_price, completion_price: per million tokens, for `totals.cost`; give both.
    """

    model: str | None = None
    structured: str = "auto"
    temperature: float | None = 0.0
    max_tokens: int | None = 512
    params: Mapping[str, Any] | None = None
    cache: str = "auto"
    prompt_price: float | None = None
    completion_price: float | None = None

    def given(self) -> list[str]:
        """The options that differ from their defaults."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]

    def check(self, who: str) -> None:
        """Raises ValueError for the first option that is missing or wrong; `who` ("judge 'openai'") begins it."""
        sort = who.partition(" '")[0]

        def wrong(name: str, value: object, what: str) -> ValueError:
            return ValueError(f"{who}, option {name} {without_login(value)!r:.80}: {what}")

        for name, example in (("model", "gpt-4o"), ("base_url", "http://localhost:8000/v1")):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise wrong(name, value, f"this {sort} has no default; give one, such as {example!r}")
        self.check_connection(wrong)
        if self.structured not in STRUCTURED:
            raise wrong("structured", self.structured, f"expected {', '.join(STRUCTURED)}")
        check_number(wrong, "temperature", self.temperature, optional=True)
        check_number(wrong, "max_tokens", self.max_tokens, least=1, whole=True, optional=True)
        prices = {name: getattr(self, name) for name in ("prompt_price", "completion_price")}
        for name, price in prices.items():
            check_number(wrong, name, price, optional=True)
        if len([price for price in prices.values() if price is None]) == 1:
            raise wrong(", ".join(prices), tuple(prices.values()), "expected both or neither")
        if not isinstance(self.cache, str) or not self.cache:
            raise wrong("cache", self.cache, "expected a folder, 'auto' or 'off'")
        if problem := _params_problem(self.params, sort):
            raise wrong("params", self.params, problem)


def _params_problem(params: object, sort: str) -> str | None:
    if params is None:
        return None
    if not isinstance(params, Mapping) or not all(isinstance(key, str) for key in params):
        return "expected a mapping of request fields, such as {seed: 0}"
    if reserved := sorted({"model", "messages", "response_format", "stream", "n"} & set(params)):
        return f"{reserved[0]!r} is set by the {sort}"
    try:
        json.dumps(params)
    except (TypeError, ValueError) as error:
        return f"expected JSON values: {error}"
    return None


def takes_server_options(make: Callable[..., Made]) -> Callable[..., Made]:
    """Turn `make(around, server, *, option)` into a factory `make(around, *, option, model, base_url, …)`.

    Its signature lists the fields of `ServerOptions` as keyword options beside its own, with their defaults.
    """
    server = fields(ServerOptions)

    @functools.wraps(make)
    def factory(around: Surroundings, **options: Any) -> Made:
        given = {field.name: options.pop(field.name) for field in server if field.name in options}
        return make(around, ServerOptions(**given), **options)

    own = [one for name, one in inspect.signature(make).parameters.items() if name != "server"]
    added = [inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default) for one in server]
    factory.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    return factory
