"""Measures `stepgauge compare` on many questions: wall and CPU seconds and the most memory of the command.

    python -m benchmarks.comparison.compare_speed [--questions 1000 10000 50000]

The runs are the pair that comes with the package, repeated: each copy has questions of its own and numbers moved by
noise, and what is missing in the pair is missing here, so that measures have unequally many questions.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..support.command import COMMAND

_NOISE = 0.1  # nats, PPL or steps
_MOVED = (
    "infogain",
    "infogain_before_answer",
    "infogain_nats",
    "infogain_nats_before_answer",
    "infogain_nats_without_final",
)


def write_run(side: str, questions: int, path: Path) -> None:
    """A run of so many questions from one `side` of the shipped pair, `base` or `tuned`."""
    packed = (files("stepgauge.tasks") / "samples" / "trap" / f"{side}.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(packed).decode().splitlines()]
    rng = random.Random(side)
    with path.open("w", encoding="utf-8") as file:
        for number in range(questions):
            json.dump(_moved(rows[number % len(rows)], number, rng), file)
            file.write("\n")


def _moved(row: dict[str, Any], number: int, rng: random.Random) -> dict[str, Any]:
    score = row["score"]
    metrics = {
        name: value + rng.gauss(0, _NOISE) if name in _MOVED and value is not None else value
        for name, value in score["metrics"].items()
    }
    levels = [level + rng.gauss(0, _NOISE) for level in score["log_likelihoods"]]
    return {
        **row,
        "id": f"copy/{number}",
        "doc_id": number,
        "question": f"{row['question']} ({number})",
        "question_hash": f"{number:016x}",
        "score": {**score, "metrics": metrics, "log_likelihoods": levels},
    }


def measure(questions: int, folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and MiB of one comparison, in a process of its own."""
    paths = {side: folder / f"{side}.jsonl" for side in ("base", "tuned")}
    for side, path in paths.items():
        write_run(side, questions, path)
    command = [*COMMAND, "compare", *(f"{side}={path}" for side, path in paths.items())]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 2**20


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    args = parser.parse_args(argv)
    print("| questions | wall, s | CPU, s | memory, MiB |\n|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for questions in args.questions:
            wall, cpu, memory = measure(questions, Path(folder))
            print(f"| {questions:,} | {wall:.1f} | {cpu:.1f} | {memory:,.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
