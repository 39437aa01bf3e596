"""What a score says about how it was made."""

from __future__ import annotations

from dataclasses import replace

from .score import ChainScore

OVERLAP_NOTE = "the question had a part in fitting the scorer, so the scorer's numbers say little about this chain"


def marked(score: ChainScore) -> ChainScore:
    """The score of such a chain, saying so."""
    return replace(score, notes=[*score.notes, OVERLAP_NOTE], provenance={**score.provenance, "overlap": True})
