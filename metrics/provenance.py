"""What a score says about how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .score import ChainScore
from .tokenization.spans import scalar_text
from .trace import Trace
from .versions import versions

OVERLAP_NOTE = "the question had a part in fitting the scorer, so the scorer's numbers say little about this chain"


def provenance(
    scorer: Mapping[str, Any] | None,
    *,
    backend: str | None,
    template: str,
    variant: str,
    controls: Sequence[str],
    splitter: str | None,
    knowledge: Mapping[str, Any],
    policy: str,
    epsilon: float,
) -> dict[str, Any]:
    """Everything that a chain's numbers depend on beside the chain.

    Args:
        scorer: how the backend describes itself; None where none was loaded.
        splitter: the one that cut this chain; None where it failed.
        knowledge: claim extractors, judges and retriever, as they describe themselves.
    """
    return {
        **({"scorer": None} if scorer is None else scorer),
        "backend": backend,
        "template": template,
        "variant": variant,
        "controls": list(controls),
        "splitter": splitter,
        **knowledge,
        "policy": policy,
        "epsilon": epsilon,
        "versions": versions(),
    }


def notes(trace: Trace) -> list[str]:
    """What a reader should know about how the texts were read."""
    texts = {"question": trace.question, "response": trace.response}
    return [
        f"lone surrogates in the {name} were read as U+FFFD"
        for name, text in texts.items()
        if scalar_text(text) != text
    ]


def marked(score: ChainScore) -> ChainScore:
    """The score of a chain whose question the scorer was fitted on, saying so."""
    return replace(score, notes=[*score.notes, OVERLAP_NOTE], provenance={**score.provenance, "overlap": True})
