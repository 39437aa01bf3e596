"""A third-party plugin: how much a chain hedges, and a splitter for steps parted by semicolons."""

import re

from stepgauge.metrics.chain import Chain, ChainMetric
from stepgauge.metrics.errors import Missing
from stepgauge.metrics.hookspecs import hookimpl
from stepgauge.metrics.segment.base import Span, Splitter

HEDGE = re.compile(r"\b(?:maybe|perhaps|possibly|probably|might|seems?|i think|not sure)\b", re.IGNORECASE)


def hedging_share(chain: Chain) -> float:
    """Share of steps, 0 to 1, that hold a hedging word."""
    if not chain.steps:
        raise Missing("the chain has no steps")
    return sum(bool(HEDGE.search(step.text)) for step in chain.steps) / len(chain.steps)


def split_at_semicolons(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"[^;]+", text) if match.group().strip()]


@hookimpl
def register_chain_metrics(register):
    register(ChainMetric("hedging_share", hedging_share, False, "share", "steps that hold a hedging word"))


@hookimpl
def register_splitters(register):
    register(Splitter("semicolons", split_at_semicolons, "one step between semicolons"))
