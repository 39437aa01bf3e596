"""List what is loaded, and from which distribution."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from ...metrics.plugins import registry

EXAMPLES = (("stepgauge plugins", "what is loaded, and which plugins are left out and why"),)
PAGE = "docs/custom-tasks.md"

_KINDS = (
    ("splitters", "splitter"),
    ("backends", "likelihood backend"),
    ("extractors", "claim extractor"),
    ("retrievers", "retriever"),
    ("judges", "judge"),
    ("metrics", "chain metric"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace) -> int:
    del args
    known = registry()
    table = Table("kind", "name", "from", box=None, pad_edge=False)
    for kind, label in _KINDS:
        for name in getattr(known, kind):
            table.add_row(label, name, known.sources[kind, name])
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    console.print(table)
    for plugin in known.plugins:
        if plugin.error:
            console.print(f"left out: {plugin.name} of {plugin.distribution}: {plugin.error}", markup=False)
    return 0
