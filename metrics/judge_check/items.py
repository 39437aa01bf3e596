"""Labelled claims and steps as the panel sees them, and what a judge's verdicts say of a step."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..knowledge.base import ClaimExtractor
from ..knowledge.claims.sentence import SENTENCE
from ..knowledge.policy import DEFAULT
from ..knowledge.types import NO_JUDGE, Claim, Verdict
from ..trace import Step, Trace

SEED = 0
_SURE: Mapping[str, float] = {"supported": 1.0, "insufficient": 0.5, "contradicted": 0.0}


@dataclass(frozen=True)
class Labelled:
    """A trace with its labelled steps.

    Attributes:
        steps, right: the labelled steps, and whether each is right.
        group: items of the same group (a document, a chain) are drawn together in a bootstrap, since they share text.
        truth: the label of each step in words, where there are more than right and wrong; empty: "right", "wrong".
        kind: of its claims, where each step is one.
    """

    trace: Trace
    steps: Sequence[Step]
    right: Sequence[bool]
    group: str
    truth: Sequence[str] = ()
    kind: str = SENTENCE

    @property
    def labels(self) -> Sequence[str]:
        """The true label of each step."""
        return self.truth or ["right" if one else "wrong" for one in self.right]


@dataclass(frozen=True)
class Said:
    """A judge's result for a step.

    Attributes:
        right: whether the step is right; None if the judge did not decide.
        score: higher for steps that are more likely right, or None.
        failed: claims that the judge should have decided but did not.
        label: of its worst claim, as the judge put it; "none" without one.
    """

    right: bool | None
    score: float | None
    failed: int
    label: str = "none"


def said_of(verdicts: Sequence[Verdict]) -> Said:
    """The result for a step from its claims, by the default policy; claims outside the judge's scope are ignored.

    A step is as good as its worst claim: its score is the lowest probability of its claims. Where the judge gives no
    probability at all, its label stands for one.
    """
    taken = [verdict for verdict in verdicts if verdict.judge != NO_JUDGE]
    called = DEFAULT.step(taken)
    scores = [verdict.probability for verdict in taken if verdict.probability is not None]
    decided = {"consistent": True, "inconsistent": False}.get(called)
    labels = [verdict.label for verdict in taken if verdict.label is not None]
    if not scores and decided is not None:
        scores = [_SURE[label] for label in labels]
    score = min(scores) if scores and called != "unscored" else None
    worst = next((label for label in ("contradicted", "insufficient", "supported") if label in labels), "none")
    return Said(decided, score, sum(verdict.label is None for verdict in taken), worst)


def drawn(items: Sequence[Labelled], groups: int | None) -> list[Labelled]:
    """The items of `groups` groups drawn with a fixed seed; None: all items."""
    names = list(dict.fromkeys(item.group for item in items))
    kept = set(names if groups is None else random.Random(SEED).sample(names, min(groups, len(names))))
    return [item for item in items if item.group in kept]


def digest_of(items: Sequence[Labelled]) -> str:
    """Tells sets of labelled claims apart: a hex digest of texts, labels and passages, in order."""
    digest = hashlib.sha256()
    for item in items:
        said = (item.trace.question, item.trace.response, item.labels, item.trace.meta.get("passages"), item.kind)
        digest.update(repr(said).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def whole_steps(items: Sequence[Labelled]) -> ClaimExtractor:
    """For claims that annotators chose: each step is used as a claim, of its item's kind, without extraction."""
    kinds = {id(item.trace): item.kind for item in items}

    def extract(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim]]:
        return [
            [Claim(s.text, i, s.start, s.end, kind, s.text if kind == SENTENCE else None) for i, s in enumerate(own)]
            for own, kind in zip(steps, (kinds.get(id(trace), SENTENCE) for trace in traces), strict=True)
        ]

    return ClaimExtractor("whole steps", extract)
