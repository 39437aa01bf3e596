"""Scores recorded chains of two pairs of models on the same MMLU-Pro questions and compares tuned with base.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.replay OUT [--questions 300]

The pairs are Llama-3.1-8B with its Instruct version, and Mistral-7B-v0.1 with mathstral-7B, which was tuned from it for
mathematics. Half of the questions are from `health`, half from `math`, drawn with a fixed seed; `--questions 0` takes
all 818 + 1,351. The scorer is SmolLM2, which is none of the four. An interrupted run resumes where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import zipfile
from pathlib import Path
from typing import Any

from ..support.command import stepgauge

CATEGORIES = ("health", "math")
PAIRS = {"llama": ("Meta-Llama-3_1-8B", "Meta-Llama-3_1-8B-Instruct"), "mistral": ("Mistral-7B-v0.1", "mathstral-7B")}
SEED = 0


def file_of(model: str) -> Path:
    return Path(os.environ["STEPGAUGE_SHARED"]) / "data" / "mmlupro-outputs" / f"model_outputs_{model}_5shots.zip"


def rows_of(model: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file_of(model)) as archive:
        return json.loads(archive.read(archive.namelist()[0]))


def sample(total: int) -> list[int]:
    """Ids of questions in all four files, equally many from each category; all of them if `total` is 0."""
    in_all: set[tuple[str, int]] | None = None
    for model in [model for pair in PAIRS.values() for model in pair]:
        ids = {(row["category"], row["question_id"]) for row in rows_of(model) if row["category"] in CATEGORIES}
        in_all = ids if in_all is None else in_all & ids
    chosen: list[int] = []
    for category in CATEGORIES:
        ids_here = sorted(number for name, number in in_all or () if name == category)
        wanted = len(ids_here) if total == 0 else total // len(CATEGORIES)
        chosen += random.Random(SEED).sample(ids_here, wanted)
    return sorted(chosen)


def score(model: str, ids: list[int], out: Path) -> int:
    only = [part for number in ids for part in ("--where", f"question_id={number}")]
    return stepgauge("score", str(file_of(model)), "--out", str(out / model), *only)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=300, help="questions a pair; 0: all")
    args = parser.parse_args()
    ids = sample(args.questions)
    print(f"{len(ids)} questions of {' and '.join(CATEGORIES)}", flush=True)
    for base, tuned in PAIRS.values():
        for model in (base, tuned):
            if code := score(model, ids, args.out):
                return code
    for name, (base, tuned) in PAIRS.items():
        paths = [str(args.out / base), str(args.out / tuned)]
        code = stepgauge("compare", *paths, "--by", "subject", "--out", str(args.out / f"compare-{name}"))
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
