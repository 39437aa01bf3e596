"""Policies: how a verdict on a claim counts for the step that makes the claim.

A policy is a choice about evidence, not about truth. Claims that need no evidence (an equation, which the judge `exact`
decides by itself) are treated alike by all: supported is consistent, contradicted is inconsistent, insufficient is
uncheckable. For claims that do (those with a `query`):

| verdict                                   | default      | strict       | lenient      |
|-------------------------------------------|--------------|--------------|--------------|
| supported by evidence                     | consistent   | consistent   | consistent   |
| contradicted, evidence was found          | inconsistent | inconsistent | inconsistent |
| insufficient, evidence was found          | inconsistent | inconsistent | uncheckable  |
| supported, no evidence (from memory)      | uncheckable  | inconsistent | uncheckable  |
| contradicted or insufficient, no evidence | uncheckable  | inconsistent | uncheckable  |

The policy `paper` counts verdicts as `default` does, and a step of which no claim could be checked as consistent: the
published rule (arXiv 2506.02126, section 3.4), under which `ki` is `ki_paper`.

"Evidence was found" means passages above the retriever's floor. Under every policy a claim whose judge, retriever or
extractor failed leaves the step unscored, and a claim that no judge of the panel takes is uncheckable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .types import Verdict

Outcome = Literal["consistent", "inconsistent", "uncheckable", "unscored"]


_WORDS: Mapping[Outcome, str] = {"inconsistent": "as wrong", "uncheckable": "not at all", "consistent": "as right"}


@dataclass(frozen=True)
class Policy:
    """How verdicts count.

    Attributes:
        name: stands in every result.
        unsupported: what a claim counts as when evidence was found but does not support it.
        without_evidence: what a claim that needs evidence counts as where none was found.
        unchecked_step: what a step counts as of which no claim is checkable, or that makes none.
    """

    name: str
    unsupported: Outcome
    without_evidence: Outcome
    unchecked_step: Outcome = "uncheckable"

    def in_words(self) -> str:
        """How the policy makes one number of supported, contradicted and not covered, for below a table."""
        unsupported, without = _WORDS[self.unsupported], _WORDS[self.without_evidence]
        found = unsupported if unsupported == without else f"{unsupported} if evidence was found, else {without}"
        unchecked = f"; a step with nothing to check {_WORDS[self.unchecked_step]}"
        steps = "" if self.unchecked_step == "uncheckable" else unchecked
        return f"policy {self.name}: what is not covered counts {found}{steps}"

    def outcome(self, verdict: Verdict) -> Outcome:
        """How one verdict counts for its claim."""
        if verdict.label is None:
            return "unscored" if verdict.failed else "uncheckable"
        needs_evidence = verdict.claim.query is not None
        if needs_evidence and not verdict.evidence:
            return self.without_evidence
        if verdict.label == "insufficient":
            return self.unsupported if needs_evidence else "uncheckable"
        return "consistent" if verdict.label == "supported" else "inconsistent"

    def step(self, verdicts: Sequence[Verdict]) -> Outcome:
        """How the verdicts on a step's claims count for the step: it is as good as its worst claim.

        "inconsistent" if any claim is; else "unscored" if a claim's judge failed; else "consistent" if any claim is;
        else what the policy makes of a step that nobody could check.
        """
        outcomes = {self.outcome(verdict) for verdict in verdicts}
        if "inconsistent" in outcomes:
            return "inconsistent"
        if "unscored" in outcomes:
            return "unscored"
        return "consistent" if "consistent" in outcomes else self.unchecked_step


DEFAULT = Policy("default", unsupported="inconsistent", without_evidence="uncheckable")
STRICT = Policy("strict", unsupported="inconsistent", without_evidence="inconsistent")
LENIENT = Policy("lenient", unsupported="uncheckable", without_evidence="uncheckable")
PAPER = Policy("paper", unsupported="inconsistent", without_evidence="uncheckable", unchecked_step="consistent")

POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in (DEFAULT, STRICT, LENIENT, PAPER)}
