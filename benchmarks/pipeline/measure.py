"""Scores chains through one door with the backend `timed`, and prints what that took as a line of JSON.

    STEPGAUGE_SHARED=… python -m benchmarks.pipeline.measure DOOR MILLISECONDS CHAINS

DOOR is `gauge` (one call of `Gauge.score`) or `score` (the command `stepgauge score`, reading and writing included).
Imports and the first chains of all come before the clock starts. `cpu` is the CPU time of this process and of all that
it started, and that these started (each compares formulas in a process of its own), `digest` is of the scores.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stepgauge.adapters.cli import main as command
from stepgauge.adapters.formats.detect import find_sources
from stepgauge.adapters.formats.options import Settings, Wanted
from stepgauge.adapters.formats.windows import WINDOW, windows
from stepgauge.metrics import Gauge, Trace

from ..support.labelled import shared_data
from .timed import NAME, register_timed

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_LEFT_BEHIND_SECONDS = 2.0
CATEGORIES = ("category=health", "category=math")


def chains(limit: int) -> list[Trace]:
    """Responses of Llama-3.1-8B-Instruct to MMLU-Pro's health and mathematics questions, most of ten options."""
    sources = find_sources([str(_file())], format=None, settings=Settings(), wanted=Wanted.parse(list(CATEGORIES)))
    return [entry.trace for one in windows(sources, WINDOW, limit) for entry in one.entries]


def through_gauge(traces: list[Trace]) -> str:
    with Gauge("timed LM", backend=NAME, progress=False) as gauge:
        scores = gauge.score(traces)
    return _digest("\n".join(json.dumps(score.to_dict(), sort_keys=True) for score in scores).encode())


def through_command(limit: int) -> str:
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        options = ["--limit", str(limit), "--scorer", "timed LM", "--set", f"backend={NAME}"]
        for category in CATEGORIES:
            options += ["--where", category]
        if code := command(["score", str(_file()), *options, "--out", folder]):
            raise RuntimeError(f"stepgauge score ended with exit code {code}")
        return _digest((Path(folder) / "scores.jsonl").read_bytes())


def _file() -> Path:
    name = "model_outputs_Meta-Llama-3_1-8B-Instruct_5shots.zip"
    return shared_data("mmlupro-outputs") / "mmlupro-outputs" / name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _adopt() -> None:
    """Whoever loses its parent below this process becomes its child (Linux), so that its CPU time is counted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _reap() -> None:
    """Wait for what has been left behind, a moment: its CPU time counts from then on."""
    until = time.monotonic() + _LEFT_BEHIND_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def _busy() -> float:
    """CPU time of the whole machine since it started: user, nice, system, interrupts, steal."""
    line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    return sum(int(line[i]) for i in (1, 2, 3, 6, 7, 8)) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    door, milliseconds, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    _adopt()
    register_timed(0)
    run: Callable[[], str]
    if door == "gauge":
        traces = chains(count)
        through_gauge(traces[:2])

        def run() -> str:
            return through_gauge(traces)
    else:
        through_command(2)

        def run() -> str:
            return through_command(count)

    register_timed(milliseconds / 1000)
    cpu, busy, started = _cpu(), _busy(), time.perf_counter()
    digest = run()
    wall, busy = time.perf_counter() - started, _busy() - busy
    _reap()
    cpu = _cpu() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "others": max(0.0, busy - cpu), "digest": digest}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
