"""Runs for tests of the report: real chains of two models with made numbers, and hostile text in every field."""

from __future__ import annotations

import json
import math
import random
import re
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stepgauge.metrics.comparison import Comparison, Record, Row, Run, TaskComparison, Verdict, question_hash
from stepgauge.metrics.knowledge import types as knowledge
from stepgauge.metrics.score import ChainScore, StepScore

BASE, TUNED = "Meta-Llama-3_1-8B", "Meta-Llama-3_1-8B-Instruct"
PROVENANCE = {
    "scorer": "tiny",
    "dtype": "float32",
    "template": "plain",
    "splitter": "sentences",
    "claims": ["arithmetic"],
}
EVIL = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "]]>--!><img src=x onerror=alert(3)>",
    '"><svg onload=alert(4)>',
    "javascript:alert(5)",
    "[link](javascript:alert(6))",
    "{{ 7*7 }}{% raw %}${alert(7)}",
    "a\u202eb\u2066c\u2069d\u200ee",
    "nul\x00 esc\x1b[31m lone \ud800 \udfff",
    "\u2028\u2029 line ends",
    "x" * 1_000_000,
)


@cache
def mmlu_pro(data: Path, model: str) -> list[dict[str, Any]]:
    path = data / "mmlupro-outputs" / f"model_outputs_{model}_5shots.zip"
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(archive.namelist()[0]))


def recorded(data: Path, n: int, *, models: Sequence[str] = (BASE, TUNED), passage: bool = False) -> list[Run]:
    """`n` MMLU-Pro questions, spread over all subjects, with the models' own chains and made likelihoods."""
    rows = mmlu_pro(data, models[0])
    step = max(1, len(rows) // n)
    chosen = [row["question_id"] for row in rows[::step][:n]]
    runs = []
    for at, model in enumerate(models):
        rng = random.Random(at)
        by_id = {row["question_id"]: row for row in mmlu_pro(data, model)}
        runs.append(Run(model, [_recorded(by_id[i], rng, 1 - 0.3 * at, passage) for i in chosen], f"out/{model}"))
    return runs


def _recorded(row: dict[str, Any], rng: random.Random, strength: float, passage: bool) -> Record:
    options = "\n".join(f"{letter}. {text}" for letter, text in zip("ABCDEFGHIJ", row["options"], strict=False))
    texts = [text for text in re.split(r"(?<=[.!?])\s+|\n+", row["generated_text"]) if text.strip()][:150]
    gold = row["options"]["ABCDEFGHIJ".index(row["answer"])]
    evidence = (
        [(f"{row['category']}-{rng.randrange(10**6)}", row["question"])] if passage and rng.random() < 0.6 else []
    )
    right = float(row["pred"] == row["answer"])
    score = chain(texts, rng, strength * (0.6 + right), gold=gold, evidence=evidence)
    return record(
        f"{row['question']}\n{options}",
        score,
        doc_id=str(row["question_id"]),
        subject=row["category"],
        answer=[gold],
        model_answer=row["pred"],
        accuracy={"correct": right},
    )


def chain(
    texts: Sequence[str],
    rng: random.Random,
    strength: float = 1.0,
    *,
    gold: str = "",
    evidence: Any = (),
    **metrics: Any,
) -> ChainScore:
    """A chain of these steps, with a random walk for the gold answer's log-likelihood and a verdict per equation."""
    at = rng.uniform(-14, -4)
    levels, steps = [at], []
    for i, text in enumerate(texts):
        gain = rng.gauss(strength / len(texts), 0.7)
        at = min(-0.05, at + gain)
        verdicts = []
        if "=" in text or (evidence and i % 3 == 0):
            claim = knowledge.Claim(text[:200], i, 0, len(text), "equation")
            label = rng.choices(["supported", "contradicted", "insufficient"], [8, 1, 1])[0]
            passages = [knowledge.Passage(name, words, "A title", 12.5) for name, words in evidence]
            verdicts.append(knowledge.Verdict(claim, label, "exact", rng.random(), passages, "48/2 = 24"))  # type: ignore[arg-type]
        last = i == len(texts) - 1
        steps.append(
            StepScore(
                text,
                0,
                len(text),
                "final_answer" if last else "reasoning",
                bool(gold) and gold in text,
                at,
                at - levels[-1],
                0.1,
                n_tokens=len(text) // 4,
                gold_probability=rng.random(),
                entropy_bits=rng.random() * 3,
                verdicts=verdicts,
            )
        )
        levels.append(at)
    judged = [verdict for step in steps for verdict in step.verdicts]
    numbers = {
        "infogain": (math.exp(-levels[0] / 3) - math.exp(-levels[-1] / 3)) / max(1, len(steps)),
        "infogain_nats": levels[-1] - levels[0],
        "infogain_nats_before_answer": levels[-1] - levels[0] - rng.random(),
        "entropy_drop_bits": rng.gauss(0, 1),
        "ki": sum(one.label == "supported" for one in judged) / len(judged) if judged else math.nan,
        "ki_coverage": sum(bool(step.verdicts) for step in steps) / max(1, len(steps)),
        **metrics,
    }
    missing = {name: "no checkable step" for name, value in numbers.items() if math.isnan(value)}
    return ChainScore("c", "h", steps, levels, 3, numbers, missing, [], dict(PROVENANCE))


def record(question: str, score: ChainScore, **fields: Any) -> Record:
    return Record(
        **{"task": "mmlu_pro", "question": question, "question_hash": _hash(question), "score": score, **fields}
    )


def _hash(question: str) -> str:
    return question_hash(question.encode(errors="replace").decode())


def comparison(base: Run, tuned: Run, tasks: Sequence[str] = ("mmlu_pro",)) -> Comparison:
    """A comparison whose numbers are set, not computed."""
    rows = [
        Row("accuracy", "accuracy (correct)", "share", "deciding", True, 500, 480, 0.441, 0.504, 0.063, 0.02, 0.11,
            0.1429, 0.0041, 0.0123),
        Row("infogain", "infogain", "PPL", "deciding", True, 498, 478, 1523.4, 12.31, -1511.1, -9000.0, 4.0,
            -0.9919, 0.61, 1.0, {"no gold answer": 2}),
        Row("infogain_nats", "infogain_nats", "nats", "deciding", True, 498, 478, 1.31, 0.82, -0.49, -0.7, -0.28,
            -0.374, 0.0002, 0.0008),
        Row("ki", "ki", "share", "deciding", True, 211, 200, 0.8, 0.81, 0.01, -0.03, 0.05, 0.0125, 0.44, 1.0),
        Row("ppl_0", "PPL_0", "PPL", "confounder", None, 498, 478, 12.3, 12.3, 0.0, 0.0, 0.0, 0.0),
        Row("truncated", "cut off", "share", "confounder", None, 0),
    ]  # fmt: skip
    verdict = Verdict(
        "trap",
        "Accuracy rose by 6.3 points (Holm p 0.012) while infogain_nats fell by 0.49 (Holm p 0.0008).",
        "up",
        "down",
    )
    unsure = Verdict(
        "underpowered", "Neither moved, and 500 questions could not show it.", "not significant", "not measured", 2300
    )
    parts = [
        TaskComparison(name, 500, 3, 0, rows, verdict if i == 0 else unsure, ["Chains got longer."])
        for i, name in enumerate(tasks)
    ]
    overall = TaskComparison(None, 500 * len(tasks), 3, 0, rows, verdict) if len(tasks) > 1 else None
    return Comparison(
        base.name, tuned.name, "correct", "tiny", {"question text": 500}, parts, overall,
        ["3 questions unpaired.", "infogain_nats does not decide."], {"alpha": 0.05, "power": 0.8, "seed": 0},
    )  # fmt: skip


def hostile() -> tuple[list[Run], list[Comparison]]:
    """Two runs in which every text that a report shows is hostile."""
    rng = random.Random(0)
    runs = []
    for side in ("A", "B"):
        records = []
        for i, evil in enumerate(EVIL):
            score = chain([evil, f"{evil} = 1", f"{side} {evil}"], rng, gold=evil[:40], evidence=[(evil, evil)])
            steps = [_poisoned(step, evil) for step in score.steps]
            score = ChainScore(**{**score.__dict__, "steps": steps, "missing": {"ki": evil}, "notes": [evil]})
            fields = {"task": EVIL[i % 6], "subject": evil, "doc_id": evil, "answer": [evil], "model_answer": evil}
            records.append(record(f"{i} {evil}", score, accuracy={EVIL[0]: float(i % 2)}, where=evil, **fields))
        runs.append(Run(f"{side} {EVIL[1]}{EVIL[8]}{EVIL[9]}", records, EVIL[3], [EVIL[0]]))
    made = comparison(*runs, tasks=[EVIL[0], EVIL[1]])
    rows = [Row(EVIL[4], EVIL[4], EVIL[0], missing={EVIL[2]: 3})]
    verdict = Verdict("trap", "".join(EVIL[:11]), "up", "down")
    parts = [TaskComparison(part.task, 1, 1, 1, rows, verdict, EVIL) for part in made.tasks]
    values = {**made.__dict__, "tasks": parts, "notes": EVIL, "scorer": EVIL[1], "paired_by": {EVIL[0]: 1}}
    return runs, [Comparison(**{**values, "accuracy_name": EVIL[0], "settings": {EVIL[0]: EVIL[1]}})]


def _poisoned(step: StepScore, evil: str) -> StepScore:
    claim = knowledge.Claim(evil, 0, 0, 1, evil)
    verdicts = [
        knowledge.Verdict(claim, "contradicted", evil, 0.5, [knowledge.Passage(evil, evil, evil)], evil),
        knowledge.Verdict(claim, None, evil, error=evil),
    ]
    return StepScore(**{**step.__dict__, "verdicts": verdicts})
