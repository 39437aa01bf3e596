"""Kills `stepgauge score` twice on real chains, resumes it, and compares its file with that of an uninterrupted run.

    STEPGAUGE_SHARED=… python -m benchmarks.offline.resume [--chains 300]

The chains are Mistral-7B-v0.1's on MMLU-Pro's math questions, scored with SmolLM2. The uninterrupted run runs in
parallel. Each kill is a SIGKILL in the middle of a window.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..support.command import COMMAND

ZIP = "model_outputs_Mistral-7B-v0.1_5shots.zip"


def start(data: Path, out: Path, chains: int, window: int) -> subprocess.Popen[str]:
    options = ["--where", "category=math", "--limit", str(chains), "--window", str(window), "--out", str(out)]
    command = [*COMMAND, "score", str(data / "mmlupro-outputs" / ZIP), *options]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def windows_done(out: Path) -> int:
    journal = out / "windows.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def kill_within(process: subprocess.Popen[str], out: Path, after: int) -> int:
    """Wait for `after` windows and half of the next, then kill; returns how many rows the file had by then."""
    began = time.monotonic()
    before = windows_done(out)
    while windows_done(out) < after:
        if process.poll() is not None:
            raise RuntimeError(f"the run ended by itself with exit code {process.returncode}")
        time.sleep(0.2)
    time.sleep((time.monotonic() - began) / max(1, after - before) / 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return (out / "scores.jsonl").read_bytes().count(b"\n")


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run ended with exit code {process.returncode}")
    return said.strip().splitlines()[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=300)
    parser.add_argument("--window", type=int, default=32)
    args = parser.parse_args()
    data = Path(os.environ["STEPGAUGE_SHARED"]) / "data"
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        uninterrupted = start(data, whole, args.chains, args.window)
        third = max(1, args.chains // args.window // 3)
        for after in (third, 2 * third):
            rows = kill_within(start(data, killed, args.chains, args.window), killed, after)
            print(f"killed after {windows_done(killed)} windows, with {rows} rows in the file", flush=True)
        print("resumed:      ", finish(start(data, killed, args.chains, args.window)), flush=True)
        print("uninterrupted:", finish(uninterrupted), flush=True)
        texts = [(path / "scores.jsonl").read_bytes() for path in (whole, killed)]
        keys = [json.dumps(json.loads(line)["key"]) for line in texts[1].splitlines()]
        for name, text in zip(("uninterrupted", "killed twice"), texts, strict=True):
            print(f"{name:14} {text.count(bytes([10])):4} rows, sha256 {hashlib.sha256(text).hexdigest()}")
        same = texts[0] == texts[1]
        print(f"doubled rows: {len(keys) - len(set(keys))}; files identical: {same}")
        return 0 if same and len(keys) == args.chains else 1


if __name__ == "__main__":
    sys.exit(main())
