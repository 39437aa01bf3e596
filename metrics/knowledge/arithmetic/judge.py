"""The judge `exact`: decides equations by exact rational arithmetic. No model, no evidence, no guessing."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Claim, Passage, Verdict
from .equation import decide

EQUATION = "equation"


class ExactJudge:
    """Decides claims of kind "equation" whose text is one equation over numbers.

    The claim's text is parsed anew: nothing else travels from the extractor. Verdicts carry probability 1 or 0 where
    they are supported or contradicted, none otherwise. An equation that cannot be evaluated (division by zero, an
    exponent beyond the bounds) is insufficient, and the reason says why. Claims of other kinds, and equations with
    variables or functions in them, are passed on.
    """

    name = "exact"
    kinds: frozenset[str] | None = frozenset({EQUATION})
    needs_evidence = False
    computes = True

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:  # noqa: ARG002
        return [self._judge(claim) for claim in claims]

    def _judge(self, claim: Claim) -> Verdict | None:
        if claim.kind != EQUATION:
            return None
        outcome = decide(claim.text)
        if outcome is None:
            return None
        probability = {"supported": 1.0, "contradicted": 0.0}.get(outcome.label)
        return Verdict(claim, outcome.label, self.name, probability=probability, reason=outcome.reason)
