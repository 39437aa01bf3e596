"""What a score says about how it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .score import ChainScore
from .tokenization.spans import scalar_text
from .trace import Trace
from .versions import versions

_LONE_LETTER = re.compile(r"[(\[]?[A-Ja-j][)\].:]{0,2}")
OVERLAP_NOTE = "the question had a part in fitting the scorer, so the scorer's numbers say little about this chain"


def provenance(
    scorer: Mapping[str, Any] | None,
    trace: Trace,
    *,
    backend: str | None,
    template: str,
    variant: str,
    controls: Sequence[str],
    splitter: str | None,
    knowledge: Mapping[str, Any],
    policy: str,
    epsilon: float,
    target: str = "gold",
    reliance: Mapping[str, str] | None = None,
    regrown: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that a chain's numbers depend on beside the chain.

    Args:
        scorer: how the backend describes itself; None where none was loaded.
        splitter: the one that cut this chain; None where it failed.
        knowledge: claim extractors, judges and retriever, as they describe themselves.
        target: toward which answer the numbers were measured; named where it is not the gold one.
        reliance, regrown: what is said of them, where they were measured.
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
        **({} if target == "gold" else {"target": target}),
        **({} if reliance is None else {"reliance": dict(reliance)}),
        **({} if regrown is None else {"regrown": dict(regrown)}),
        "gold_answer": _measured(len(trace.distinct_answers)),
        "versions": versions(),
    }


def _measured(answers: int) -> str | None:
    if answers < 2:
        return "the one accepted answer" if answers else None
    return f"log-sum-exp over {answers} accepted answers"


def notes(trace: Trace) -> list[str]:
    """What a reader should know about how the texts were read."""
    texts = {"question": trace.question, "response": trace.response}
    found = [
        f"lone surrogates in the {name} were read as U+FFFD"
        for name, text in texts.items()
        if scalar_text(text) != text
    ]
    letters = [answer for answer in trace.distinct_answers if _LONE_LETTER.fullmatch(answer)]
    if trace.choices is None and letters and len(letters) == len(trace.distinct_answers):
        found.append(
            f"the gold answer is the lone letter {', '.join(letters)}, and no options are known: the likelihood of the "
            "letter was measured, not that of an option's text"
        )
    return found


def marked(score: ChainScore) -> ChainScore:
    """The score of a chain whose question the scorer was fitted on, saying so."""
    return replace(score, notes=[*score.notes, OVERLAP_NOTE], provenance={**score.provenance, "overlap": True})
