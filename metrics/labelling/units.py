"""The steps of scored chains that a Knowledge Index counts, of which a person labels the checkable ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..comparison.record import Record, cluster_of
from ..judge_check.items import said_of
from ..knowledge.policy import DEFAULT, POLICIES, Policy
from ..knowledge.types import NO_JUDGE, Verdict


@dataclass(frozen=True)
class Unit:
    """A step of a chain that counts, with its claims that do: none where nothing is checkable and the policy says so.

    Attributes:
        key: of the step: of the chain's hash and the step's number, from 1.
        question: what the chain answers; chains of one question are one cluster.
        record, step: where it stands.
        verdicts: on the claims that make it consistent or inconsistent, each with its number in the step, from 1.
        stratum: the judge and the label of the verdict that decides.
        consistent: what the judge makes of the step.
        said: the share of its claims that are right, as the policy counts what the judge said of them.
        score: the judge's probability that it is right; 1 or 0 without one.
        weight: the step's part in its question's KI: 1 / (chains of the question × steps of the chain that count).
    """

    key: str
    question: str
    record: Record
    step: int
    verdicts: Sequence[tuple[int, Verdict]]
    stratum: tuple[str, str]
    consistent: bool
    said: float
    score: float
    weight: float

    @property
    def settled(self) -> bool:
        """Whether the policy counts it as right without a claim, so that there is nothing to label."""
        return not self.verdicts

    def claim_key(self, number: int) -> str:
        """Of the step's claim with this number."""
        return f"{self.key}.{number}"


def units_of(records: Iterable[Record]) -> tuple[list[Unit], Counter[str]]:
    """All steps that count, of the chains that have a KI, and why chains have none.

    Of equal chains (the same question, the same response) each has its steps, under the same keys.
    """
    by_question: dict[str, list[tuple[Record, list[Unit]]]] = {}
    lost: Counter[str] = Counter()
    for record in records:
        policy = _policy(record.score.provenance)
        outcomes = [policy.step(step.verdicts) for step in record.score.steps]
        if "unscored" in outcomes:
            lost["a judge, a retriever or an extractor failed"] += 1
            continue
        counting = [i for i, one in enumerate(outcomes) if one in ("consistent", "inconsistent")]
        if not counting:
            lost["no checkable step"] += 1
            continue
        question = cluster_of(record.question, record.question_hash, record.task, record.doc_id)
        own = [_unit(record, question, i, policy, 1 / len(counting)) for i in counting]
        by_question.setdefault(question, []).append((record, own))
    units = []
    for chains in by_question.values():
        for _, own in chains:
            units += [Unit(**{**vars(one), "weight": one.weight / len(chains)}) for one in own]
    return units, lost


def _policy(provenance: Mapping[str, object]) -> Policy:
    return POLICIES.get(str(provenance.get("policy")), DEFAULT)


def _unit(record: Record, question: str, index: int, policy: Policy, weight: float) -> Unit:
    verdicts = record.score.steps[index].verdicts
    outcomes = [policy.outcome(verdict) for verdict in verdicts]
    counted = [i for i, one in enumerate(outcomes) if one in ("consistent", "inconsistent")]
    consistent = all(outcomes[i] == "consistent" for i in counted)
    deciding = next((verdicts[i] for i in counted if consistent or outcomes[i] == "inconsistent"), None)
    found = said_of([verdicts[i] for i in counted]).score
    score = float(consistent) if found is None else min(1.0, max(0.0, found))
    key = f"{record.score.trace_hash[:16]}.{index + 1}"
    return Unit(
        key,
        question,
        record,
        index,
        [(i + 1, verdicts[i]) for i in counted],
        (NO_JUDGE, "none") if deciding is None else (deciding.judge, deciding.label or "none"),
        consistent,
        sum(outcomes[i] == "consistent" for i in counted) / len(counted) if counted else float(consistent),
        score,
        weight,
    )
