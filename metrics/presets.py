"""Presets: options that belong together, under one name.

`paper` is the route of arXiv 2506.02126 (sections 3.2 and 3.4) for the Knowledge Index: a language model cuts the
response into steps, writes down the knowledge of each with a query, passages come from medical textbooks by MedCPT, and
a language model says whether the knowledge agrees with them; a step without knowledge counts as right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .addresses import without_login
from .names import lookup

ENDPOINT = ("base_url", "model")


def preset_options(
    name: str | None, endpoint: Mapping[str, Any] | None, given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a preset that the user has not given otherwise.

    Args:
        name: a preset; None: none.
        endpoint: the server that its language models run on: "base_url", "model", and what else may be said of a
            server (`knowledge/chat/server_options.py`).
        given, defaults: all options of the gauge. One that differs from its default was given, and stays.

    Raises:
        ValueError: an unknown preset, no endpoint, or an endpoint that nothing asks.
    """
    if name is None:
        if endpoint is not None:
            raise ValueError(
                f"endpoint {without_login(endpoint)!r:.80}: only a preset asks it; give preset='paper' with it"
            )
        return {}
    if not isinstance(name, str):
        raise ValueError(f"preset {name!r:.80}: expected a name, {', '.join(PRESETS)}")
    make = lookup("preset", PRESETS, name)
    if not isinstance(endpoint, Mapping) or not all(endpoint.get(key) for key in ENDPOINT):
        raise ValueError(
            f"preset {name!r}: endpoint {without_login(endpoint)!r:.80}: expected the server that its language "
            "model runs on, such as {'base_url': 'http://localhost:8000/v1', 'model': 'gpt-4o'}; "
            "nothing is sent anywhere else"
        )
    return {option: value for option, value in make(endpoint).items() if given[option] == defaults[option]}


def without_preset(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A gauge's options with those of its preset written out, as `preset_options` gives them."""
    given = {**defaults, **options}
    more = preset_options(given["preset"], given["endpoint"], given, defaults)
    return {**{name: value for name, value in options.items() if name not in ("preset", "endpoint")}, **more}


def _paper(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "splitter": {"name": "llm", **endpoint},
        "claims": [{"name": "llm", "max_claims": 1, **endpoint}],
        "judges": [{"name": "openai", "two_way": True, **endpoint}],
        "retriever": {"name": "dense", "floor": -1},  # the paper shows the judge whatever is nearest
        "policy": "paper",
    }


PRESETS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"paper": _paper}
