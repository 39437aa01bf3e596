"""The Knowledge Index: the share of a chain's checkable steps whose knowledge is right.

Paper: arXiv 2506.02126, section 3.4. There a step without a checkable claim counts as right; here it is left out, and
`ki_coverage` says how much of the chain `ki` speaks for. `ki_paper` gives the published rule. A step whose judge,
retriever or extractor failed leaves all three missing. A claim that no judge of the panel takes does not: nothing
failed, and it is as uncheckable as no claim. How verdicts count is the chain's policy (knowledge/policy.py).

A policy makes one number of three answers. `claims_supported`, `claims_contradicted` and `claims_not_covered` are the
three, as shares of the claims that need evidence and were judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from .chain import Chain, ChainMetric
from .errors import Missing
from .knowledge.policy import Outcome
from .knowledge.types import UNRESOLVED, Verdict


def ki(chain: Chain) -> float:
    """Consistent steps / checkable steps, 0 to 1. Raises Missing where no step is checkable, or one is undecided."""
    counts = _decided(chain)
    checkable = counts["consistent"] + counts["inconsistent"]
    if not checkable:
        raise Missing("no checkable step")
    return counts["consistent"] / checkable


def ki_coverage(chain: Chain) -> float:
    """Steps with a checkable claim / steps, 0 to 1. Raises Missing where there are no steps, or one is undecided.

    Under the policy `paper`, too, where `ki` counts the others as right.
    """
    total = _decided(chain).total()
    outcomes = [{chain.policy.outcome(verdict) for verdict in verdicts} for verdicts in chain.verdicts or ()]
    return sum(not found.isdisjoint(("consistent", "inconsistent")) for found in outcomes) / total


def ki_paper(chain: Chain) -> float:
    """KI as published: (consistent + uncheckable) / steps. Raises Missing as `ki_coverage`."""
    counts = _decided(chain)
    return (counts["consistent"] + counts["uncheckable"]) / counts.total()


def n_failed(chain: Chain) -> float:
    """Claims that a failed extractor, retriever or judge left open. Raises Missing where knowledge was not judged."""
    if chain.verdicts is None:
        raise Missing("knowledge was not judged")
    return sum(verdict.failed for verdicts in chain.verdicts for verdict in verdicts)


def answer_of(verdict: Verdict) -> str | None:
    """What evidence says of a claim: "supported", "contradicted", "not_covered"; None: not judged, or needs none."""
    if verdict.label is None or verdict.claim.query is None:
        return None
    return "not_covered" if not verdict.evidence or verdict.label == "insufficient" else verdict.label


def _share(answer: str) -> Callable[[Chain], float]:
    def share(chain: Chain) -> float:
        """Raises Missing where no claim that needs evidence was judged, or a judge, retriever or extractor failed."""
        if chain.verdicts is None:
            raise Missing("knowledge was not judged")
        verdicts = [verdict for of_step in chain.verdicts for verdict in of_step]
        if failed := sum(verdict.failed for verdict in verdicts):
            raise Missing(f"{failed} of {len(verdicts)} claims could not be judged: {_errors(chain)}")
        counts = Counter(answer_of(verdict) for verdict in verdicts)
        del counts[None]
        if not counts:
            raise Missing("no claim that needs evidence was judged")
        return counts[answer] / counts.total()

    return share


def claim_notes(verdicts: Sequence[Sequence[Verdict]]) -> list[str]:
    """How many of a chain's claims could not be understood by themselves, and how many rewritings were not taken."""
    claims = [verdict.claim for of_step in verdicts for verdict in of_step]
    unresolved = sum(claim.kind == UNRESOLVED for claim in claims)
    kept = sum(bool(claim.note) for claim in claims) - sum(bool(c.note) for c in claims if c.kind == UNRESOLVED)
    found = []
    if unresolved:
        found.append(f"{unresolved} of {len(claims)} claims are uncheckable: what they speak of could not be told")
    if kept:
        found.append(f"{kept} of {len(claims)} claims stand as their step has them: rewritten, they added something")
    return found


def _decided(chain: Chain) -> Counter[Outcome]:
    """How many steps came out how.

    Raises Missing where a failed judge, retriever or extractor leaves a step undecided: whatever that step would have
    come out as moves every share of the chain's steps.
    """
    if chain.verdicts is None:
        raise Missing("knowledge was not judged")
    if not chain.steps:
        raise Missing("no steps")
    outcomes: list[Outcome] = [chain.policy.step(verdicts) for verdicts in chain.verdicts]
    counts = Counter(outcomes)
    if undecided := counts["unscored"]:
        raise Missing(f"{undecided} of {counts.total()} steps could not be judged: {_errors(chain)}")
    return counts


def _errors(chain: Chain) -> str:
    """The most frequent errors of the chain's verdicts, with the judges' names."""
    counts = Counter(
        f"{verdict.judge}: {verdict.error}"
        for verdicts in chain.verdicts or ()
        for verdict in verdicts
        if verdict.failed
    )
    return "; ".join(f"{error} ({n}×)" if n > 1 else error for error, n in counts.most_common(3))


KI_METRICS: tuple[ChainMetric, ...] = (
    ChainMetric(
        "ki",
        ki,
        True,
        "share",
        "Knowledge Index: share of the checkable steps whose claims hold; the policy says which count: by default a "
        "claim that evidence was found for and does not support counts as wrong, one without evidence not at all.",
    ),
    ChainMetric(
        "ki_paper", ki_paper, True, "share", "ki as published: a step without a checkable claim counts as right."
    ),
    ChainMetric(
        "ki_coverage", ki_coverage, None, "share", "Share of the steps that have a checkable claim and so count in ki."
    ),
)
# Computed where a judge needs evidence: for equations alone they would always be missing.
EVIDENCE_METRICS: tuple[ChainMetric, ...] = (
    ChainMetric(
        "claims_supported",
        _share("supported"),
        True,
        "share",
        "Share of the claims judged by evidence that a passage supports.",
    ),
    ChainMetric(
        "claims_contradicted",
        _share("contradicted"),
        False,
        "share",
        "Share of the claims judged by evidence that a passage contradicts.",
    ),
    ChainMetric(
        "claims_not_covered",
        _share("not_covered"),
        None,
        "share",
        "Share of the claims judged by evidence that the corpus leaves open: nothing was found, or nothing decides it.",
    ),
)
FAILURE_METRICS: tuple[ChainMetric, ...] = (
    ChainMetric(
        "n_failed",
        n_failed,
        False,
        "claims",
        "Claims without a verdict because an extractor, retriever or judge failed.",
    ),
)
