"""Distributions made by hand: one module and the metadata that announces it as a plugin of stepgauge."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stepgauge.metrics.plugins import registry

WHOSE = "odd-plugin 3.1"
# Registers what a body calls OddJudge, OddRetriever, OddExtractor, OddBackend; PARTS are the options that ask for them.
REGISTERED = """
@hookimpl
def register_judges(register):
    register("judge", lambda around: OddJudge("judge"))

@hookimpl
def register_retrievers(register):
    register("retriever", lambda around: OddRetriever("retriever"))

@hookimpl
def register_claim_extractors(register):
    register("extractor", lambda around: OddExtractor("extractor"))

@hookimpl
def register_likelihood_backends(register):
    register("backend", OddBackend)
"""
PARTS = ("claims=extractor,arithmetic", "judges=exact,judge", "retriever=retriever")


def plugin_module(folder: Path, body: str, name: str = "odd") -> Path:
    """`{name}-plugin 3.1` in `folder`; returns the folder."""
    (folder / f"{name}_plugin.py").write_text("from stepgauge.metrics import ChainMetric, hookimpl\n" + body)
    info = folder / f"{name}_plugin-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text(f"[stepgauge]\n{name} = {name}_plugin\n")
    return folder


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The plugins in `folder` are this process's, too."""
    before, modules = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(folder))
    registry.cache_clear()
    try:
        yield
    finally:
        sys.path[:] = before
        for name in set(sys.modules) - modules:
            if name.endswith("_plugin"):
                del sys.modules[name]
        registry.cache_clear()
