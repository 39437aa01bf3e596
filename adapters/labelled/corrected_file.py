"""`corrected_ki.json` beside `scores.jsonl`: the Knowledge Index of these scores, corrected by people's labels.

`stepgauge label` writes it, and whatever reads the scores says so in a line. It names the scores by their digest: of
others it says nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...metrics.comparison.numbers import plural
from ...metrics.judge_measures.measure import Estimate
from ...metrics.labelling.estimate import Share
from ...metrics.printable import printable

FILE = "corrected_ki.json"
_LARGEST = 1_000_000  # bytes; ours have a few hundred a model
_MOST = 20  # models
_NAME = 80
_UNREAD = "is not what `stepgauge label` writes, and was passed over"


def with_corrected(scores: Path, model: str, ki: Share, *, marks: bool) -> str:
    """What the file beside `scores` is to hold: the KI of a model, with those of other models of the same scores.

    Args:
        model: "" where the scores are of one alone.
        marks: whether the labels are a report's marks, which are no random sample.
    """
    digest = _digest(scores)
    kept = _read(scores.with_name(FILE))
    others = kept["of"] if kept is not None and kept["scores"] == digest else {}
    found = {
        "labels": ki.corrected.labels,
        "corrected": ki.corrected.estimate.three(),
        "judged": ki.judged.three(),
        "marks": marks,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    return json.dumps({"scores": digest, "of": {**others, model: found}}, indent=1, allow_nan=False) + "\n"


def corrected_lines(scores: Path) -> list[str]:
    """`KI corrected by 100 labelled steps: .71 [.66, .76]; as judged .80 [.75, .85]`, for each model; [] without."""
    path = scores.with_name(FILE)
    if not path.is_file():
        return []
    kept = _read(path)
    if kept is None:
        return [f"{path}: {_UNREAD}"]
    if kept["scores"] != _digest(scores):
        return [f"{path}: labels of scores that were here before; `stepgauge label` corrects these"]
    try:
        return [_line(str(model), one) for model, one in list(kept["of"].items())[:_MOST]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return [f"{path}: {_UNREAD}"]


def _line(model: str, one: Mapping[str, Any]) -> str:
    corrected, judged = (Estimate.of(one[name]) for name in ("corrected", "judged"))
    whose = f" of {printable(model)[:_NAME]}" if model else ""
    marks = ", marks of a report and no random sample" if one["marks"] else ""
    labels = plural(int(one["labels"]), "labelled step")
    return f"KI{whose} corrected by {labels}{marks}: {corrected}; as judged {judged}"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("of"), dict) and "scores" in kept else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
