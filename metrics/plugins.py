"""Loads plugins and keeps what they register: splitters, backends, claim extractors, retrievers, judges, metrics.

Installed packages announce a plugin by an entry point in the group `stepgauge`. A broken one is reported with its
distribution's name and left out; the others load. STEPGAUGE_LOAD_PLUGINS restricts loading to a comma-separated list
of distribution or entry-point names; empty, it loads none but stepgauge's own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from . import builtin, hookspecs
from .chain import ChainMetric
from .errors import THIRD_PARTY, said
from .knowledge.base import ClaimExtractor, Judge, Retriever
from .likelihood import LikelihoodBackend
from .segment import Splitter

log = logging.getLogger(__name__)

LOAD_PLUGINS = "STEPGAUGE_LOAD_PLUGINS"
_OWN = "stepgauge"


@dataclass(frozen=True)
class PluginInfo:
    """A plugin: entry point name, its distribution with version, and why it was left out (None: it was not)."""

    name: str
    distribution: str
    error: str | None = None


@dataclass
class Registry:
    """Everything registered, by kind and name; `sources` says which plugin brought `(kind, name)`."""

    splitters: dict[str, Splitter] = field(default_factory=dict)
    backends: dict[str, Callable[..., LikelihoodBackend]] = field(default_factory=dict)
    extractors: dict[str, Callable[..., ClaimExtractor]] = field(default_factory=dict)
    retrievers: dict[str, Callable[..., Retriever]] = field(default_factory=dict)
    judges: dict[str, Callable[..., Judge]] = field(default_factory=dict)
    metrics: dict[str, ChainMetric] = field(default_factory=dict)
    plugins: list[PluginInfo] = field(default_factory=list)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def whose(self, kind: str, name: str) -> str:
        """ " of DISTRIBUTION", to be put behind the name of a third party's part; "" for our own."""
        source = self.sources.get((kind, name), _own_distribution())
        return "" if source == _own_distribution() else f" of {source}"


# Hook name, the Registry field it fills, and the type of what is registered where hooks take one named thing.
_HOOKS: Mapping[str, tuple[str, type | None]] = {
    "register_splitters": ("splitters", Splitter),
    "register_likelihood_backends": ("backends", None),
    "register_claim_extractors": ("extractors", None),
    "register_retrievers": ("retrievers", None),
    "register_judges": ("judges", None),
    "register_chain_metrics": ("metrics", ChainMetric),
}


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The process's registry; plugins are loaded on the first call."""
    return load_plugins(os.environ.get(LOAD_PLUGINS))


def load_plugins(only: str | None = None) -> Registry:
    """Load stepgauge's own parts and installed plugins into a new Registry.

    Args:
        only: comma-separated distribution or entry-point names to load; None loads all, "" none but our own.
    """
    out = Registry()
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    _add(out, manager, builtin, PluginInfo(builtin.__name__.rpartition("stepgauge.")[2], _own_distribution()))
    wanted = None if only is None else {name.strip() for name in only.split(",") if name.strip()}
    for point in sorted(entry_points(group=hookspecs.PROJECT), key=lambda point: point.name):
        info = PluginInfo(point.name, _distribution(point))
        if wanted is not None and not wanted & {point.name, point.dist.name if point.dist else ""}:
            continue
        try:
            module = point.load()
        except THIRD_PARTY as error:  # a plugin may raise anything; it is named, recorded and left out
            _reject(out, info, error)
            continue
        _add(out, manager, module, info)
    return out


def _add(out: Registry, manager: pluggy.PluginManager, module: Any, info: PluginInfo) -> None:
    """Run a plugin's hooks; what it registers is kept only if all of them succeed."""
    staged: dict[tuple[str, str], Any] = {}
    try:
        manager.register(module, name=info.name)
        manager.check_pending()
        for hook, (kind, expected) in _HOOKS.items():
            for impl in getattr(manager.hook, hook).get_hookimpls():
                if impl.plugin is module:
                    impl.function(_collector(out, staged, kind, expected))
    except THIRD_PARTY as error:  # as above: whatever the plugin's own code raises
        if manager.is_registered(module):
            manager.unregister(module)
        _reject(out, info, error)
        return
    for (kind, name), thing in staged.items():
        getattr(out, kind)[name] = thing
        out.sources[kind, name] = info.distribution
    out.plugins.append(info)


def _collector(
    out: Registry, staged: dict[tuple[str, str], Any], kind: str, expected: type | None
) -> Callable[..., None]:
    def keep(name: str, thing: Any) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"{kind}: a name must be non-empty text, got {name!r:.80}")
        if name in getattr(out, kind) or (kind, name) in staged:
            owner = out.sources.get((kind, name), "the same plugin")
            raise ValueError(f"{kind}: {name!r} is already registered by {owner}")
        staged[kind, name] = thing

    def register(thing: Any) -> None:
        assert expected is not None
        if not isinstance(thing, expected):
            raise TypeError(f"{kind}: expected a {expected.__name__}, got {type(thing).__name__}")
        keep(thing.name, thing)

    return keep if expected is None else register


def _reject(out: Registry, info: PluginInfo, error: BaseException) -> None:
    reason = said(error)
    log.warning("plugin %r of %s was left out: %s", info.name, info.distribution, reason)
    out.plugins.append(PluginInfo(info.name, info.distribution, reason))


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


@lru_cache(maxsize=1)
def _own_distribution() -> str:
    from .versions import package_version

    return f"{_OWN} {package_version(_OWN)}"
