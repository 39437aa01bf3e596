"""Factories of the likelihood backends `vllm` and `sglang`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..likelihood import LikelihoodBackend
from .backend import ServedBackend
from .connecting import connect
from .dialect import Dialect
from .server_options import read_options
from .sglang import Sglang
from .vllm import Vllm

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (Vllm(), Sglang())}


def make(name: str, scorer: str, **options: Any) -> LikelihoodBackend:
    """The backend `name`. Raises ScorerError where an option is wrong, or the server not as asked for."""
    who, server, loading = _read(name, options)
    return ServedBackend(who, DIALECTS[name], scorer, server, **loading)


def check(name: str, scorer: str, **options: Any) -> None:
    """Raises ScorerError where `make` would; asks the server who it is, and nothing else."""
    who, server, loading = _read(name, options)
    connect(who, DIALECTS[name], scorer, server, **loading).client.close()


def _read(name: str, options: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    who = f"likelihood backend {name!r}"
    server = read_options(who, options.pop("base_url", None), options.pop("server", None), options)
    return who, server, {key: options[key] for key in ("revision", "trust_remote_code") if key in options}
