"""The fitted scorer of `benchmarks.validity`: SmolLM2, trained on half of every set's questions, kept in the cache.

For each drawn question it is trained on the worked solution and on one of the models' chains. A question's half follows
from its hash; the gauge itself refuses to score questions that the scorer was trained on.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stepgauge.metrics import Trace
from stepgauge.metrics.fitting import CARD, FitSettings
from stepgauge.metrics.models.cache import cache_dir

from .chains import MATH, Chain, read

SCORER = "smollm2"
SPLITTER = "lines"
SEED = 0


@dataclass(frozen=True)
class FitSize:
    """How many chains of each set to train on, and how."""

    chains: dict[str, int]
    settings: FitSettings = field(default_factory=FitSettings)


def fit_settings(**changes: Any) -> FitSettings:
    """One epoch over the upper eight layers, which a CPU can do in reasonable time and memory."""
    return FitSettings(
        **{"scorer": SCORER, "splitter": SPLITTER, "epochs": 1, "layers": 8, "lr": 1e-4, "batch": 8, **changes}
    )


_LONGER = fit_settings(altered=0.3, evaluations=3, held_out=0.08, max_tokens=800, device="cpu")
FITS = {
    "reduced": FitSize(
        {"gsm8k": 60, "mrben math": 8, "mrben medicine": 8, MATH: 8},
        fit_settings(altered=0.25, evaluations=1, max_tokens=512, device="cpu"),
    ),
    "medium": FitSize({"gsm8k": 180, "mrben math": 21, "mrben medicine": 18, MATH: 21}, _LONGER),
    "long": FitSize({"gsm8k": 600, "mrben math": 70, "mrben medicine": 60, MATH: 70}, _LONGER),
    "full": FitSize(
        {"gsm8k": 10_000, "mrben math": 1_000, "mrben medicine": 1_000, MATH: 1_000},
        fit_settings(epochs=3, layers=None, lr=5e-5, batch=16, altered=0.5, evaluations=2),
    ),
}


def chains_to_fit(data: Path, counts: dict[str, int]) -> list[Trace]:
    """Chains of the training half, grouped by question, so that a worked solution comes with a model's chain."""
    out: list[Trace] = []
    for name, count in counts.items():
        questions: dict[str, list[Chain]] = {}
        for chain in read(data, [name]):
            if chain.fitted_half:
                questions.setdefault(chain.question, []).append(chain)
        drawn = random.Random(f"{SEED} {name}")
        order = sorted(questions)
        drawn.shuffle(order)
        found: list[Trace] = []
        for question in order:
            own = questions[question]
            worked = [chain for chain in own if chain.worked]
            others = [chain for chain in own if not chain.worked]
            found += [chain.trace for chain in (*worked, *drawn.sample(others, min(1, len(others))))]
            if len(found) >= count:
                break
        out += found[:count]
    return out


def fitted(data: Path, size: str, *, device: str = "cpu", progress: bool = False) -> Path:
    """The folder of the fitted scorer, trained if it is not in the cache; a stopped fit resumes."""
    from stepgauge.metrics.fitting.training import fit

    chosen = FITS[size]
    traces = chains_to_fit(data, chosen.chains)
    described = json.dumps([asdict(chosen.settings), sorted(trace.hash for trace in traces)], sort_keys=True)
    key = hashlib.sha256(described.encode()).hexdigest()[:12]
    out = cache_dir() / "fitted" / f"validity-{size}-{key}"
    if not (out / CARD).is_file():
        out.parent.mkdir(parents=True, exist_ok=True)
        fit(traces, out, replace(chosen.settings, device=device), progress=progress)
    return out


def tested(data: Path, sets: Sequence[str]) -> list[Chain]:
    """The chains of the test half."""
    return [chain for chain in read(data, sets) if not chain.fitted_half]
