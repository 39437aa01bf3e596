"""Runs whose numbers are set by the test, for what stands on numbers and not on how they came about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from stepgauge.metrics.comparison import Record, Run, question_hash
from stepgauge.metrics.score import ChainScore, StepScore

PROVENANCE = {"scorer": "tiny", "source": "tiny", "revision": None, "dtype": "float32", "template": "plain"}


def chain(
    log_likelihoods: Sequence[float],
    *,
    n_answer: int = 1,
    texts: Sequence[str] | None = None,
    states: Iterable[int] = (),
    missing: str | None = None,
    **metrics: float,
) -> ChainScore:
    """A chain with these l_0 … l_t; `infogain` and `infogain_nats` follow from them, the rest is given."""
    n = len(log_likelihoods) - 1
    texts = texts or [f"Step {i + 1}." for i in range(n)]
    ppl = [math.exp(-value / n_answer) for value in log_likelihoods]
    steps = [
        StepScore(
            text=texts[i],
            start=0,
            end=len(texts[i]),
            states_answer=i in set(states),
            log_likelihood=log_likelihoods[i + 1],
            gain=log_likelihoods[i + 1] - log_likelihoods[i],
            ppl_gain=ppl[i] - ppl[i + 1],
            n_tokens=4,
        )
        for i in range(n)
    ]
    numbers = {
        "n_steps": float(n),
        "infogain": (ppl[0] - ppl[-1]) / n,
        "infogain_nats": log_likelihoods[-1] - log_likelihoods[0],
        "infogain_nats_without_final": log_likelihoods[-1] - log_likelihoods[0],
        "infogain_nats_before_answer": math.nan,
        "commit_step": float(n),
        "ki": math.nan,
        **metrics,
    }
    reasons = {name: missing or "not made" for name, value in numbers.items() if math.isnan(value)}
    return ChainScore("c", "h", steps, list(log_likelihoods), n_answer, numbers, reasons, [], dict(PROVENANCE))


def record(number: int, score: ChainScore, **fields: Any) -> Record:
    """A record of question `number`, unless `question` says otherwise."""
    question = fields.pop("question", f"Question {number}?")
    values = {"task": "task", "doc_id": str(number), **fields}
    values.setdefault("question_hash", question_hash(question))
    return Record(question=question, score=score, **values)


def run(name: str, records: Sequence[Record]) -> Run:
    return Run(name, records)


def drawn(name: str, rng: Any, n: int, *, gain: float, right: float, noise: float = 1.0, **fields: Any) -> Run:
    """A run of `n` questions with normal gains in nats around `gain`, each right with probability `right`."""
    records = []
    for i in range(n):
        score = chain([-6.0, -6.0 + rng.normal(gain / 2, noise / 2), -6.0 + rng.normal(gain, noise)])
        records.append(record(i, score, accuracy={"correct": float(rng.random() < right)}, **fields))
    return run(name, records)
