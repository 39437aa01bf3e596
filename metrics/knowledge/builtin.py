"""PLACEHOLDER by the lead so that imports work until the knowledge helper overwrites this file."""
from types import SimpleNamespace
from ..hookspecs import hookimpl
from .base import ClaimExtractor
@hookimpl
def register_claim_extractors(register):
    register(ClaimExtractor("arithmetic", lambda traces, steps: [[] for _ in traces]))
@hookimpl
def register_judges(register):
    register("exact", lambda: SimpleNamespace(name="exact", kinds=frozenset({"equation"}), needs_evidence=False, judge=lambda c, e: [None for _ in c]))
