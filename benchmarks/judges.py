"""Measures how well judges tell right claims from wrong ones, on labelled medical data.

    python -m benchmarks.judges [--limit 50] [--scorer smollm2] [--judge '{"name": "lm", "prompt": "chat"}' …]

Data ($STEPGAUGE_SHARED/data); the evidence is given, nothing is retrieved:

- `scifact dev`: a claim, a passage from a paper, and whether the passage entails the claim;
- `medec validation`: the wrong sentence of a clinical note and its correction; the evidence is the rest of the note.

Beside the judges stand chance (a seeded random number per claim) and lexical overlap (the share of the claim's words
that occur in the evidence; right from one half on). Nothing is tuned on these sets. Intervals are 95 % bootstrap
intervals over documents (a MEDEC pair is drawn together).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from stepgauge.metrics import Gauge
from stepgauge.metrics.knowledge.base import Judge, Surroundings
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.plugins import lookup, registry

SEED = 0
RESAMPLES = 1000
WORD = re.compile(r"[^\W_]+")
DEFAULT_JUDGES = ('{"name": "lm", "prompt": "plain"}', '{"name": "lm", "prompt": "chat"}')


@dataclass(frozen=True)
class Item:
    """A claim with its evidence, and whether the evidence (or the author of the correction) bears it out."""

    text: str
    evidence: str
    right: bool
    document: str

    @property
    def claim(self) -> Claim:
        return Claim(self.text, 0, 0, len(self.text), "sentence", self.text)

    @property
    def passages(self) -> list[Passage]:
        return [Passage(self.document, self.evidence)]


@dataclass(frozen=True)
class Opinion:
    """What a judge said of an item: a number that is higher for right claims, and whether it holds it for right."""

    score: float | None
    right: bool | None


def scifact_dev(data: Path) -> list[Item]:
    with (data / "scifact-rte" / "dev.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Item(row["sentence2"], row["sentence1"], row["entailment"] == "entailment", f"scifact {row['index']}")
        for row in rows
    ]


def medec_validation(data: Path) -> list[Item]:
    path = data / "medec" / "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Error Flag"] == "1"]
    items = []
    for row in rows:
        rest = [line for line in row["Sentences"].splitlines() if line.partition(" ")[0] != row["Error Sentence ID"]]
        evidence = " ".join(line.partition(" ")[2] for line in rest)
        items.append(Item(row["Error Sentence"], evidence, False, row["Text ID"]))
        items.append(Item(row["Corrected Sentence"], evidence, True, row["Text ID"]))
    return items


DATASETS: dict[str, Callable[[Path], list[Item]]] = {
    "scifact dev": scifact_dev,
    "medec validation": medec_validation,
}


def sample(items: Sequence[Item], documents: int | None) -> list[Item]:
    """The items of `documents` documents drawn with a fixed seed; all for None."""
    names = list(dict.fromkeys(item.document for item in items))
    drawn = set(names if documents is None else random.Random(SEED).sample(names, min(documents, len(names))))
    return [item for item in items if item.document in drawn]


def by_chance(items: Sequence[Item]) -> list[Opinion]:
    draw = random.Random(SEED)
    scores = [draw.random() for _ in items]
    return [Opinion(score, score >= 0.5) for score in scores]


def by_overlap(items: Sequence[Item]) -> list[Opinion]:
    out = []
    for item in items:
        claimed = set(WORD.findall(item.text.lower()))
        found = set(WORD.findall(item.evidence.lower()))
        share = len(claimed & found) / len(claimed)
        out.append(Opinion(share, share >= 0.5))
    return out


def by_judge(judge: Judge) -> Callable[[Sequence[Item]], list[Opinion]]:
    def opinions(items: Sequence[Item]) -> list[Opinion]:
        verdicts = judge.judge([item.claim for item in items], [item.passages for item in items])
        return [Opinion(None, None) if verdict is None else _opinion(verdict) for verdict in verdicts]

    return opinions


def _opinion(verdict: Verdict) -> Opinion:
    decided = verdict.label in ("supported", "contradicted")
    return Opinion(verdict.probability, verdict.label == "supported" if decided else None)


def auroc(scores: np.ndarray, right: np.ndarray) -> float:
    """Probability that a right item scores above a wrong one, ties counted half; nan where one kind is lacking."""
    positive, negative = scores[right], np.sort(scores[~right])
    if not len(positive) or not len(negative):
        return math.nan
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / (2 * len(negative)))


def interval(items: Sequence[Item], opinions: Sequence[Opinion]) -> tuple[float, float, float]:
    """AUROC over the items that have a score, with its 95 % bootstrap interval over documents."""
    kept = [(item, opinion.score) for item, opinion in zip(items, opinions, strict=True) if opinion.score is not None]
    scores = np.array([score for _, score in kept], dtype=float)
    right = np.array([item.right for item, _ in kept], dtype=bool)
    rows: dict[str, list[int]] = {}
    for i, (item, _) in enumerate(kept):
        rows.setdefault(item.document, []).append(i)
    groups = [np.array(indices) for indices in rows.values()]
    generator = np.random.default_rng(SEED)
    values = []
    for _ in range(RESAMPLES if groups else 0):
        drawn = np.concatenate([groups[i] for i in generator.integers(len(groups), size=len(groups))])
        values.append(auroc(scores[drawn], right[drawn]))
    values = [value for value in values if not math.isnan(value)]
    low, high = np.percentile(values, [2.5, 97.5]) if values else (math.nan, math.nan)
    return auroc(scores, right), float(low), float(high)


def balanced_accuracy(items: Sequence[Item], opinions: Sequence[Opinion]) -> float:
    """Mean of the shares of right and of wrong items that were recognized, over decided items."""
    decided = [(i.right, o.right) for i, o in zip(items, opinions, strict=True) if o.right is not None]
    shares = []
    for kind in (True, False):
        said = [told == kind for truth, told in decided if truth == kind]
        shares.append(sum(said) / len(said) if said else math.nan)
    return sum(shares) / 2


def labelled_table(data: Path, judges: Sequence[Judge], limit: int | None) -> Table:
    """One row per data set and judge."""
    table = Table("data", "judge", "claims", "AUROC", "95 %", "coverage", "balanced acc.", "s/claim", "failed")
    contenders: list[tuple[str, Callable[[Sequence[Item]], list[Opinion]]]] = [
        ("chance", by_chance),
        ("lexical overlap", by_overlap),
        *((judge.name, by_judge(judge)) for judge in judges),
    ]
    for name, read in DATASETS.items():
        items = sample(read(data), limit)
        for judge, ask in contenders:
            ask(items[:1])  # loads what must be loaded
            started = time.perf_counter()
            opinions = ask(items)
            seconds = (time.perf_counter() - started) / len(items)
            value, low, high = interval(items, opinions)
            table.add_row(
                name,
                judge,
                str(len(items)),
                f"{value:.3f}",
                f"{low:.3f}–{high:.3f}",
                f"{sum(o.right is not None for o in opinions) / len(items):.2f}",
                f"{balanced_accuracy(items, opinions):.3f}",
                f"{seconds:.3f}" if seconds >= 0.001 else "<0.001",
                str(sum(o.score is None and o.right is None for o in opinions)),
            )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="documents per data set (default: all)")
    parser.add_argument("--scorer", default="smollm2", help="the LM of the judge `lm`")
    parser.add_argument("--judge", action="append", help="JSON: a judge's name and options; may be given repeatedly")
    args = parser.parse_args()
    shared = os.environ.get("STEPGAUGE_SHARED")
    data = Path(shared or "") / "data"
    if not shared or not data.is_dir():
        print(f"no labelled data: STEPGAUGE_SHARED is {shared!r}, expected a folder holding data/", file=sys.stderr)
        return 2
    gauge = Gauge(args.scorer, progress=False)
    around = Surroundings(lambda: gauge.backend, scorer=args.scorer)
    judges: list[Judge] = []
    for given in args.judge or DEFAULT_JUDGES:
        options = json.loads(given)
        judges.append(lookup("judge", registry().judges, options.pop("name"))(around, **options))
    table = labelled_table(data, judges, args.limit)
    where = gauge.backend.describe()
    print(
        f"{datetime.now(timezone.utc):%Y-%m-%d}  {platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}; {where['scorer']} {where['dtype']} on {where['device']}"
    )
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
