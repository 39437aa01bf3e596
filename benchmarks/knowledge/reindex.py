"""Measures what it costs to build a corpus again after one file of 2,000 has changed.

    python -m benchmarks.knowledge.reindex [--dense MODEL]

2,000 answers of MedQuAD of at most 100 words, a text file each, are built, built again as they are, and again after one
of them has got another sentence, after a file has been added, and after one has been deleted. All in one process, after
a build of ten other answers that loads all libraries; the encoder is loaded in each build that makes vectors.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.support.labelled import shared_data
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.encoders import DenseOptions

SEED, FILES, MOST_WORDS, WARM_UP = 0, 2000, 100, 10


def answers(data: Path) -> list[str]:
    """Different short answers, in random order."""
    with gzip.open(data / "medquad" / "medquad.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = dict.fromkeys(json.loads(line)["answer"] for line in file)
    short = [text for text in texts if 0 < len(text.split()) <= MOST_WORDS]
    return random.Random(SEED).sample(short, FILES + WARM_UP + 1)


def write(folder: Path, texts: list[str]) -> Path:
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number:04}.txt").write_text(text, encoding="utf-8")
    return folder


def measure(texts: list[str], dense: DenseOptions | None, scratch: Path) -> list[list[str]]:
    """A row for each build: what had changed, seconds, and what was kept and new."""
    added, *texts = texts
    build_corpus(write(scratch / "few", texts[:WARM_UP]), scratch / "warm-up", dense=dense, progress=False)
    source = write(scratch / "source", texts[WARM_UP:])
    with_more = texts[WARM_UP + FILES // 2] + " Ask your doctor about it."
    changes: dict[str, Callable[[], object]] = {
        "all is new": lambda: None,
        "nothing": lambda: None,
        "one file has another sentence": lambda: (source / f"{FILES // 2:04}.txt").write_text(with_more, "utf-8"),
        "one file is added": lambda: (source / "0000-added.txt").write_text(added, "utf-8"),
        "one file is deleted": (source / "0007.txt").unlink,
    }
    rows = []
    for name, change in changes.items():
        change()
        start, cpu = time.perf_counter(), time.process_time()
        built = build_corpus(source, scratch / "corpus", dense=dense, progress=False)
        seconds = [f"{time.perf_counter() - start:.1f}", f"{time.process_time() - cpu:.1f}"]
        counts, kept = built.manifest["counts"], built.kept
        figures = ["–", "–"]
        if built.built:
            figures = [f"{counts['documents'] - kept.get('documents', 0):,}", "–"]
            if dense is not None:
                figures[1] = f"{counts['chunks'] - kept.get('vectors', 0):,}"
        rows.append(["bm25" if dense is None else "bm25 and dense", name, *seconds, *figures])
    return rows


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dense", metavar="MODEL", help="also build with vectors of this model")
    args = parser.parse_args(argv)
    texts = answers(shared_data("medquad"))
    table = Table("index", "changed", "seconds", "CPU seconds", "documents read", "passages encoded")
    for dense in (None, *([] if args.dense is None else [DenseOptions(args.dense)])):
        with tempfile.TemporaryDirectory() as scratch:
            for row in measure(texts, dense, Path(scratch)):
                table.add_row(*row)
    console = Console(width=120)
    console.print(f"{datetime.now(UTC):%Y-%m-%d}, {FILES:,} files")
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
