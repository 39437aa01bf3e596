"""Measures how well retrievers find true evidence, how much of it their floors lose, and what they let through.

    python -m benchmarks.knowledge.evidence [--dense MODEL]

True evidence: claims with the passage that they are about. SciFact's claims and their sentences; conclusions of
PubMedQA and the abstracts that they were cut from; sentences of 600 answers of MedQuAD, each taken out of its answer,
among 1,500 answers. Foreign claims: sentences (extractor `sentence`) of Llama-3.1-8B-Instruct's chains on MMLU-Pro, in
subjects unrelated to medicine. The floors are those that the corpora were built with, which have seen neither.

A row says how often the claim's passage is among the five best without a floor, the mean reciprocal rank there, which
share of these passages the floor takes away, and for which share of the foreign claims any passage is left. `bm25s` is
that package with its own words and no floor; "overlap 0.35" is the floor that `bm25` had before. With `--dense MODEL`
the corpora also get vectors, in minutes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from benchmarks.support.labelled import shared_data
from stepgauge.metrics import Trace
from stepgauge.metrics.knowledge.base import Surroundings
from stepgauge.metrics.knowledge.claims.sentence import extract
from stepgauge.metrics.knowledge.types import Claim
from stepgauge.metrics.models.cache import cache_dir
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.encoders import DenseOptions
from stepgauge.metrics.retrieval.retrievers import Bm25Retriever, DenseRetriever, HybridRetriever
from stepgauge.metrics.segment import segment

SEED = 0
CHAINS = 250
K = 5
DOCUMENTS, ANSWERS = 1500, 600
ZIP = "model_outputs_Meta-Llama-3_1-8B-Instruct_5shots.zip"
FAR = ("law", "history", "math", "computer science", "economics", "philosophy")
_BETWEEN = re.compile(r"(?<=[.?!])\s+(?=[A-Z0-9])")

# Documents as (title, text), and claims with the numbers of their documents.
Set: TypeAlias = tuple[list[tuple[str, str]], list[tuple[str, set[int]]]]
# For each query the numbers of the documents found, best first.
Search: TypeAlias = Callable[[Sequence[str]], list[list[int]]]


def scifact(data: Path) -> Set:
    rows = []
    for half in ("train", "dev"):
        with (data / "scifact-rte" / f"{half}.tsv").open(encoding="utf-8", newline="") as file:
            rows += list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    numbers = {text: i for i, text in enumerate(dict.fromkeys(row["sentence1"] for row in rows))}
    about: dict[str, set[int]] = {}
    for row in rows:
        about.setdefault(row["sentence2"], set()).add(numbers[row["sentence1"]])
    return [("", text) for text in numbers], list(about.items())


def pubmedqa(data: Path) -> Set:
    rows = list(json.loads((data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8")).values())
    documents = [("", " ".join(row["CONTEXTS"])) for row in rows]
    return documents, [(row["LONG_ANSWER"], {i}) for i, row in enumerate(rows)]


def medquad(data: Path) -> Set:
    with gzip.open(data / "medquad" / "medquad.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    draw = random.Random(SEED)
    documents, claims = [], []
    for number, row in enumerate(draw.sample(rows, DOCUMENTS)):
        sentences = [one for one in _BETWEEN.split(row["answer"]) if one.strip()]
        usual = [i for i, one in enumerate(sentences) if 6 <= len(one.split()) <= 40]
        if len(sentences) >= 4 and usual and len(claims) < ANSWERS:
            claims.append((sentences.pop(draw.choice(usual)), {number}))
        documents.append((row["question"], " ".join(sentences)))
    return documents, claims


def foreign(data: Path, count: int) -> list[str]:
    """Up to `count` claims of each subject."""
    out = []
    with zipfile.ZipFile(data / "mmlupro-outputs" / ZIP) as archive, archive.open(archive.namelist()[0]) as file:
        rows = json.load(file)
    for category in FAR:
        own = [row for row in rows if row["category"] == category]
        drawn = random.Random(SEED).sample(own, min(CHAINS, len(own)))
        out += claims_of([Trace(row["question"], row["generated_text"] or "") for row in drawn], count)
    return out


def claims_of(traces: Sequence[Trace], count: int) -> list[str]:
    """Up to `count` distinct claims from the traces, drawn with a fixed seed."""
    cut = segment(traces, registry().splitters["auto"])
    found = extract(traces, [segmentation.steps for segmentation in cut])
    texts = list(dict.fromkeys(claim.text for of_trace in found for claim in of_trace))
    random.Random(SEED).shuffle(texts)
    return texts[:count]


def built(name: str, documents: Iterable[tuple[str, str]], dense: str | None) -> Path:
    """The corpus of the documents, in the cache folder; their ids are their numbers."""
    folder = cache_dir() / "corpora"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"evidence-{name}.jsonl"
    rows = ({"id": str(i), "title": title, "text": text} for i, (title, text) in enumerate(documents))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    dest = folder / f"evidence-{name}{'-dense' if dense else ''}"
    build_corpus(source, dest, dense=None if dense is None else DenseOptions(dense))
    return dest


def plain_bm25s(documents: Sequence[tuple[str, str]]) -> Search:
    """The package as its README uses it, over whole documents."""
    import bm25s

    model = bm25s.BM25()
    texts = [f"{title}\n{text}" for title, text in documents]
    model.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)

    def search(queries: Sequence[str]) -> list[list[int]]:
        out = []
        for query in queries:
            words = bm25s.tokenize([query], stopwords="en", show_progress=False)
            found, scores = model.retrieve(words, k=K, show_progress=False)
            out.append([int(i) for i, score in zip(found[0], scores[0], strict=True) if score > 0])
        return out

    return search


def searching(kind: type, corpus: Path, **options: object) -> Search:
    retriever = kind(Surroundings(likelihoods=lambda: None, corpus=str(corpus)), k=K, **options)  # type: ignore[arg-type]

    def search(queries: Sequence[str]) -> list[list[int]]:
        claims = [Claim(query, 0, 0, 1, "sentence", None) for query in queries]
        found = retriever.retrieve(claims, [Trace("", "")] * len(claims))
        return [[int(passage.id.partition("#")[0]) for passage in passages] for passages in found]

    return search


def row_of(claims: Sequence[tuple[str, set[int]]], far: Sequence[str], free: Search, floored: Search) -> list[str]:
    queries = [claim for claim, _ in claims]
    before, after = free(queries), floored(queries)
    ranks = [
        next((rank for rank, one in enumerate(found, 1) if one in own), None)
        for (_, own), found in zip(claims, before, strict=True)
    ]
    hits = [i for i, rank in enumerate(ranks) if rank]
    lost = sum(not claims[i][1] & set(after[i]) for i in hits) / len(hits)
    kept = sum(map(bool, floored(far))) / len(far)
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
    return [f"{len(hits) / len(ranks):.3f}", f"{mrr:.3f}", f"{lost:.1%}", f"{kept:.1%}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dense", metavar="MODEL", help="also `dense` and `hybrid`, with this encoder")
    parser.add_argument("--foreign", type=int, default=150, help="foreign claims per subject at most (default 150)")
    args = parser.parse_args()
    try:
        data = shared_data("medquad", "mmlupro-outputs", "pubmedqa", "scifact-rte")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    far = foreign(data, args.foreign)
    table = Table("corpus", "claims", "retriever", "R@5", "MRR@5", "lost", f"kept of {len(far)} foreign")
    for name, read in {"SciFact": scifact, "PubMedQA": pubmedqa, "MedQuAD": medquad}.items():
        documents, claims = read(data)
        corpus = built(name.lower(), documents, args.dense)
        plain, free = plain_bm25s(documents), searching(Bm25Retriever, corpus, evidence=0)
        rows = {
            "bm25s, no floor": (plain, plain),
            "bm25, overlap 0.35": (free, searching(Bm25Retriever, corpus, evidence=0, overlap=0.35)),
            "bm25": (free, searching(Bm25Retriever, corpus)),
        }
        if args.dense:
            rows["dense"] = searching(DenseRetriever, corpus, floor=-1), searching(DenseRetriever, corpus)
            rows["hybrid"] = searching(HybridRetriever, corpus, similarity=-1), searching(HybridRetriever, corpus)
        for retriever, (without, floored) in rows.items():
            table.add_row(name, str(len(claims)), retriever, *row_of(claims, far, without, floored))
    print(f"{datetime.now(UTC):%Y-%m-%d}  true evidence found and lost, foreign claims kept")
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
