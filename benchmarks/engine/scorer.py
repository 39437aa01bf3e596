"""Loads the scoring LM for a benchmark of the likelihood engine, and prints what the benchmark runs on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from stepgauge.metrics.engine.huggingface import HuggingFaceBackend

from ..support.run_header import about_run, header


def load_scorer(name: str, device: str, dtype: str) -> HuggingFaceBackend:
    """The backend `hf` itself, without the door behind which `Gauge` keeps it."""
    return HuggingFaceBackend(name, device=device, dtype=dtype)


def announce(backend: HuggingFaceBackend, benchmark: str, arguments: list[str] | None) -> dict[str, Any]:
    """Print command, machine and scorer, and return them for a JSON file."""
    command = " ".join(["python -m", f"benchmarks.{benchmark}", *(sys.argv[1:] if arguments is None else arguments)])
    scorer = backend.describe()
    where, dtype, name = scorer["device"], scorer["dtype"], Path(scorer["scorer"]).name
    about = {"command": command, **about_run(where), "scorer": name, "dtype": dtype, "on": where}
    print(f"$ {command}\n{header(about)}\n{name} in {dtype} on {where}", flush=True)
    return about
