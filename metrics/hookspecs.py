"""The hooks a plugin may implement; each calls `register` once per thing it brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .chain import ChainMetric
    from .knowledge.base import ClaimExtractor, Judge, Retriever
    from .likelihood import LikelihoodBackend
    from .segment import Splitter

PROJECT = "stepgauge"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_splitters(register: Callable[[Splitter], None]) -> None:
    """Register ways to cut a response into steps."""


@hookspec
def register_likelihood_backends(register: Callable[[str, Callable[..., LikelihoodBackend]], None]) -> None:
    """Register `name, factory` of things that compute log-likelihoods of text spans."""


@hookspec
def register_claim_extractors(register: Callable[[str, Callable[..., ClaimExtractor]], None]) -> None:
    """Register `name, factory` of ways to find claims in steps; made as `factory(surroundings, **options)`."""


@hookspec
def register_retrievers(register: Callable[[str, Callable[..., Retriever]], None]) -> None:
    """Register `name, factory` of things that find evidence for a claim; made as `factory(surroundings, **options)`."""


@hookspec
def register_judges(register: Callable[[str, Callable[..., Judge]], None]) -> None:
    """Register `name, factory` of things that judge claims; made as `factory(surroundings, **options)`."""


@hookspec
def register_chain_metrics(register: Callable[[ChainMetric], None]) -> None:
    """Register numbers computed from one scored chain."""
