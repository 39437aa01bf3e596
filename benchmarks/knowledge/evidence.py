"""Measures how often BM25 finds evidence for claims on a corpus's topic, and for claims on other topics.

    python -m benchmarks.knowledge.evidence [--claims 500]

The corpus is MedQuAD. Claims are sentences of real chains (the extractor `sentence`): Llama-3.1-8B-Instruct on MMLU-Pro
(health, and subjects unrelated to medicine) and MR-Ben's medical solutions. A passage counts as evidence if its
`overlap` with the claim reaches a threshold; the table shows the share of claims with evidence for several thresholds.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.support.labelled import mrben_rows, shared_data
from stepgauge.metrics import Trace
from stepgauge.metrics.knowledge.claims.sentence import extract
from stepgauge.metrics.models.cache import cache_dir
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.retrieval.bm25_index import Bm25Index
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.corpus import Corpus
from stepgauge.metrics.retrieval.readers import Fields
from stepgauge.metrics.segment import segment

SEED = 0
CHAINS = 250
PASSAGES = 5
SHARES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
ZIP = "model_outputs_Meta-Llama-3_1-8B-Instruct_5shots.zip"
FAR = ("law", "history", "math", "computer science", "economics", "philosophy")


def medquad(data: Path) -> Corpus:
    """A corpus of all MedQuAD documents, indexed once in the cache folder."""
    dest = cache_dir() / "corpora" / "medquad"
    dest.parent.mkdir(parents=True, exist_ok=True)
    fields = Fields(id=":row", title="question", text="answer")
    build_corpus(data / "medquad" / "medquad.jsonl.gz", dest, fields=fields)
    return Corpus(dest)


def claims_of(traces: Sequence[Trace], count: int) -> list[str]:
    """Up to `count` distinct claims from the traces, drawn with a fixed seed."""
    cut = segment(traces, registry().splitters["auto"])
    found = extract(traces, [segmentation.steps for segmentation in cut])
    texts = list(dict.fromkeys(claim.text for of_trace in found for claim in of_trace))
    random.Random(SEED).shuffle(texts)
    return texts[:count]


def mmlu_pro(data: Path, category: str) -> list[Trace]:
    with zipfile.ZipFile(data / "mmlupro-outputs" / ZIP) as archive, archive.open(archive.namelist()[0]) as file:
        rows = [row for row in json.load(file) if row["category"] == category]
    drawn = random.Random(SEED).sample(rows, min(CHAINS, len(rows)))
    return [Trace(row["question"], row["generated_text"] or "") for row in drawn]


def mrben(data: Path) -> list[Trace]:
    return [Trace(row["Question"], "\n".join(row["Model_Solution_Steps"])) for row in mrben_rows(data)[:CHAINS]]


def best_overlaps(index: Bm25Index, claims: Sequence[str]) -> list[float]:
    """For each claim the largest share of its words found in one of its five best passages."""
    found = index.search(claims, PASSAGES)
    return [
        max(index.overlap(claim, [chunk for chunk, _ in of_claim]), default=0.0)
        for claim, of_claim in zip(claims, found, strict=True)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=500, help="claims per source at most (default 500)")
    args = parser.parse_args()
    try:
        data = shared_data("medquad", "mmlupro-outputs", "mrben")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    index = medquad(data).bm25()
    sources = {"MMLU-Pro health": mmlu_pro(data, "health"), "MR-Ben medicine": mrben(data)}
    sources |= {f"MMLU-Pro {name}": mmlu_pro(data, name) for name in FAR}
    table = Table("claims of", "claims", *(f"≥ {share}" for share in SHARES))
    for name, traces in sources.items():
        claims = claims_of(traces, args.claims)
        overlaps = best_overlaps(index, claims)
        found = [sum(overlap >= share for overlap in overlaps) / len(claims) for share in SHARES]
        table.add_row(name, str(len(claims)), *(f"{share:.0%}" for share in found))
    print(f"{datetime.now(UTC):%Y-%m-%d}  claims with evidence in MedQuAD, by overlap")
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
