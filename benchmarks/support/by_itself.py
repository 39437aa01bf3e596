"""Lets a model score chains that it wrote, with reliance: only then is reliance causal for that model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.adapters.formats.detect import find_sources
from stepgauge.adapters.formats.options import Settings, Wanted
from stepgauge.adapters.offline.out_folder import OutFolder
from stepgauge.adapters.offline.run import score_all
from stepgauge.adapters.runs import load_runs
from stepgauge.metrics import Gauge, ModelInMemory
from stepgauge.metrics.comparison import Run
from stepgauge.metrics.templates import PromptTemplate


def scored_by_itself(
    chains: Path,
    model: Path,
    out: Path,
    *,
    name: str,
    limit: int | None = None,
    template: PromptTemplate | str = "plain",
    device: str = "cpu",
) -> Run:
    """The scored chains as a run of this name.

    Args:
        chains: where they are, in any form that `stepgauge score` reads.
        model: the folder of the model that wrote them.
        out: folder for the scores; what is there is not scored again.
        limit: chains.
    """
    sources = find_sources([str(chains)], format=None, settings=Settings(), wanted=Wanted.parse([]))
    with OutFolder(out, {"model": str(model), "limit": limit}) as written:
        if not written.complete:
            loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype="float32")
            itself = ModelInMemory(loaded.to(device).eval(), AutoTokenizer.from_pretrained(model), source=str(model))
            with Gauge(itself, reliance=True, splitter="lines", template=template, progress=False) as gauge:
                score_all(sources, gauge, written, window=16, limit=limit)
    print(f"{name}, scored by itself: {written.counts}", flush=True)
    (run,) = load_runs([f"{name}={out}"])
    return run
