"""Measures the memory that `stepgauge score` needs for a synthetic lm-eval samples file of any size.

    python -m benchmarks.offline.memory [--gigabytes 2]

The file holds each document twice, once per filter, with a few-shot prompt of 30 kB. The likelihood backend is that of
`tests/plugins/stepgauge_cheap`, which costs nothing, so that only the rest is measured. Linux only: memory is read from
/proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from ..support.command import COMMAND

PLUGIN = Path(__file__).parents[2] / "tests" / "plugins" / "stepgauge_cheap"
DATE = "2026-01-01T00-00-00.000000"
PROMPT = 30_000
FILTERS = ("strict-match", "flexible-extract")


def row(i: int, name: str, shots: str) -> dict[str, Any]:
    a, b = random.Random(i).sample(range(10, 999), 2)
    question = f"A shop has {a} pears in the morning and gets {b} more at noon. How many has it then?"
    response = f"It starts with {a} pears.\nAt noon {b} are added.\n{a} + {b} = {a + b}\nThe answer is {a + b}."
    return {
        "doc_id": i,
        "doc": {"question": question, "answer": str(a + b)},
        "target": str(a + b),
        "arguments": {"gen_args_0": {"arg_0": f"{shots}Q: {question}\nA:", "arg_1": {"until": ["Q:"]}}},
        "resps": [[response]],
        "filtered_resps": [str(a + b)],
        "filter": name,
        "metrics": ["exact_match"],
        "exact_match": 1.0,
    }


def write_run(folder: Path, size: int) -> tuple[Path, int]:
    """Write a samples file of about `size` bytes with its results file; returns its path and number of chains."""
    config = {"task": "pears", "doc_to_text": "Q: {{question}}\nA:", "doc_to_target": "answer", "repeats": 1}
    results = {"results": {}, "configs": {"pears": config}, "model_name": "synthetic"}
    (folder / f"results_{DATE}.json").write_text(json.dumps(results))
    words = random.Random(0).choices(("pear", "plum", "shop", "morning", "basket", "count", "left"), k=PROMPT // 5)
    shots = " ".join(words)[:PROMPT] + "\n\n"
    chains = size // len(FILTERS) // (len(json.dumps(row(0, FILTERS[0], shots))) + 1)
    samples = folder / f"samples_pears_{DATE}.jsonl"
    with samples.open("w", encoding="utf-8") as file:
        for name in FILTERS:
            for i in range(chains):
                file.write(json.dumps(row(i, name, shots)) + "\n")
    return samples, chains


def resident(pid: int) -> tuple[float, float]:
    """(resident MiB now, peak resident MiB so far)."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: line.split()[1] for line in status if line.startswith(("VmRSS", "VmHWM"))}
    return int(found.get("VmRSS", 0)) / 1024, int(found.get("VmHWM", 0)) / 1024


def written(out: Path) -> int:
    """Chains on disk, from the last whole line of the journal."""
    journal = out / "windows.jsonl"
    if not journal.exists():
        return 0
    with journal.open("rb") as file:
        file.seek(max(0, journal.stat().st_size - 4096))
        lines = file.read().split(b"\n")[:-1]
    return json.loads(lines[-1])["counts"]["scored"] if lines and lines[-1].startswith(b"{") else 0


def watch(process: subprocess.Popen[str], out: Path, chains: int) -> list[tuple[int, float, float, float]]:
    """(chains, MiB, peak MiB, seconds) after each tenth of the chains and at the end."""
    began = time.monotonic()
    found: list[tuple[int, float, float, float]] = []
    now = (0.0, 0.0)
    while process.poll() is None:
        done = written(out)
        now = resident(process.pid) if Path(f"/proc/{process.pid}/status").exists() else now
        if now[0] and done > (found[-1][0] if found else 0) and done >= len(found) * chains / 10:
            found.append((done, *now, time.monotonic() - began))
        time.sleep(0.5)
        if now[0]:
            last = (done, *now, time.monotonic() - began)
    return [*found, last]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples, chains = write_run(folder, int(args.gigabytes * 2**30))
        print(f"{samples.stat().st_size / 2**30:.2f} GiB, {chains:,} chains under {len(FILTERS)} filters", flush=True)
        out = folder / "out"
        command = [*COMMAND, "score", str(samples), "--set", "backend=cheap", "--out", str(out)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])}
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(command, env=env, text=True, stdout=said, stderr=subprocess.STDOUT)
            table = Table("chains", "MiB now", "MiB at most", "seconds", box=None)
            for done, now, most, seconds in watch(process, out, chains):
                table.add_row(f"{done:,}", f"{now:.0f}", f"{most:.0f}", f"{seconds:.0f}")
            Console(width=100).print(table)
            _show_end(said)
        print(f"scores.jsonl: {(out / 'scores.jsonl').stat().st_size / 2**20:.0f} MiB")
        return process.returncode


def _show_end(said: IO[str]) -> None:
    said.seek(0)
    print("".join(said.readlines()[-8:]))


if __name__ == "__main__":
    sys.exit(main())
