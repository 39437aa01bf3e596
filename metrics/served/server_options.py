"""The options of a server that runs the scoring LM, and one clear error for a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..addresses import without_login
from ..errors import ScorerError
from ..names import unknown_name
from ..servers.options import Connection

# Options of `Gauge` that say how weights are loaded; here the server has loaded them.
_THE_SERVERS = {"device": "auto", "dtype": "auto", "token_budget": "auto", "quantization": None}


@dataclass(frozen=True)
class ScorerServer(Connection):
    """See `Connection`. What is asked takes longer than a chat's reply, and costs the server less to have at hand.

    Attributes:
        model: the name under which the server runs the scorer, where it is another than the scorer's.
    """

    model: str | None = None
    timeout: float = 120.0
    concurrency: int = 16


def read_options(who: str, base_url: object, server: object, others: Mapping[str, Any]) -> ScorerServer:
    """The options of a server, from `Gauge(base_url=…, server={…})` and the options beside them.

    Raises ScorerError for the first that is wrong; `who` ("likelihood backend 'vllm'") begins it.
    """

    def wrong(name: str, value: object, what: str) -> ScorerError:
        return ScorerError(f"{who}, option {name} {without_login(value)!r:.80}: {what}")

    for name, default in _THE_SERVERS.items():
        if (value := others.get(name, default)) != default:
            raise wrong(name, value, "this is the server's to say; leave it out")
    if not isinstance(base_url, str) or not base_url.strip():
        raise wrong("base_url", base_url, "expected where the server is, such as 'http://localhost:8000'")
    given = {} if server is None else server
    if not isinstance(given, Mapping):
        raise wrong("server", server, "expected a mapping, such as {'api_key_env': 'SERVER_KEY', 'concurrency': 32}")
    known = [field.name for field in fields(ScorerServer) if field.name != "base_url"]
    for name in given:
        if name not in known:
            raise ScorerError(f"{who}, option server: {unknown_name('option', name, known)}")
    options = ScorerServer(base_url=base_url.strip(), **given)
    options.check_connection(wrong)
    if options.model is not None and not (isinstance(options.model, str) and options.model.strip()):
        raise wrong("server.model", options.model, "expected the name under which the server runs the scorer")
    return options


def refuse_server(who: str, base_url: object, server: object) -> None:
    """Raises ScorerError where options of a server are given to a backend that asks none."""
    for name, value in (("base_url", base_url), ("server", server)):
        if value is not None:
            raise ScorerError(
                f"{who} asks no server; {name}={without_login(value)!r:.80} is for the backends vllm and sglang"
            )
