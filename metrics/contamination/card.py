"""The card of a fitted scorer: what it was made from, and which questions it was trained on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FitError
from ..models.hub import hub_file
from ..trace import Trace

CARD = "stepgauge_fit.json"
_FORMAT = 1
_WEIGHTS = ("*.safetensors", "*.bin")


def read_card(source: str, revision: str | None = None) -> dict[str, Any] | None:
    """The card of a scorer, given by its folder or hub id; None for one that was not fitted.

    Raises FitError for an unreadable card, since the scorer's training questions are then unknown.
    """
    found = Path(source) / CARD if Path(source).is_dir() else hub_file(source, CARD, revision)
    if found is None or not Path(found).is_file():
        return None
    path = Path(found)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["format"] != _FORMAT:
            raise ValueError(f"format {card['format']!r}, expected {_FORMAT}")
        for name in ("question_hashes", "held_out_hashes"):
            if not isinstance(card[name], list):
                raise TypeError(f"field {name!r}: expected a list")
        str(card["id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FitError(
            f"{path}: not a card of a fitted scorer ({type(error).__name__}: {error}), so which questions it was "
            "fitted on is not known"
        ) from error
    return card


def seen_questions(card: Mapping[str, Any]) -> set[str]:
    """Hashes of all questions used in the fit: those trained on, and those held out for early stopping."""
    return {*card["question_hashes"], *card["held_out_hashes"]}


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the card as JSON, and a readable README.md."""
    (folder / CARD).write_text(json.dumps({"format": _FORMAT, **card}, indent=1, allow_nan=False), encoding="utf-8")
    (folder / "README.md").write_text(_readme(card), encoding="utf-8")


def weights_hash(folder: Path) -> str | None:
    """SHA-256 over the weight files of a folder, in name order; None if there are none."""
    files = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
    digest = hashlib.sha256()
    for path in files:
        digest.update(os.fsencode(path.name))
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest() if files else None


def data_hash(traces: Sequence[Trace]) -> str:
    """SHA-256 over the chains, independent of their order."""
    return hashlib.sha256("\n".join(sorted(trace.hash for trace in traces)).encode()).hexdigest()


def _readme(card: Mapping[str, Any]) -> str:
    before, after = card["metrics"]["before"], card["metrics"]["after"]
    base, data, settings = card["base"], card["data"], card["settings"]
    rows = "\n".join(f"| {name.replace('_', ' ')} | {before[name]:.4f} | {after[name]:.4f} |" for name in before)
    trained = "low-rank adapters" if settings["lora"] else "weights"
    left_out = "; ".join(f"{count} {reason}" for reason, count in data["left_out"].items()) or "none"
    return f"""---
library_name: transformers
base_model: {json.dumps(base["scorer"])}
tags: [stepgauge, reasoning-evaluation]
---

# A scoring LM fitted with stepgauge

It predicts the gold answer from every prefix of a chain of thought (arXiv 2411.11984), for `stepgauge` to measure
InfoGain with. It is no model to talk to.

- id: `{card["id"]}` (of its weights)
- base: `{base["scorer"]}`, revision `{base["revision"]}`, weights `{base["weights_sha256"]}`
- data: {data["chains"]:,} chains of {data["questions"]:,} questions, hash `{data["sha256"]}`; left out: {left_out}
- held out for early stopping: {data["held_out_questions"]:,} questions
- {settings["steps"]:,} updates of {settings["batch"]} chains, {trained}, seed {settings["seed"]}

Scores of the questions it has seen say little; stepgauge refuses them (their hashes are in `{CARD}`).

Held-out questions:

| nats | before | after |
|---|---|---|
{rows}
"""
