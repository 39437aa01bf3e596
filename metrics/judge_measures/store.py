"""Measures of judges in `judge-measures/` of stepgauge's cache folder: a small JSON file for each judge and set.

A judge is who it is by its name, its options, its threshold among them, and what it says of itself: the digest of its
prompt, the models that a server reported. With another threshold or prompt it has not been measured.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..models.cache import cache_dir
from .measure import Measure

log = logging.getLogger(__name__)

FOLDER = "judge-measures"
_UNFIT = re.compile(r"[^\w.-]+")
_LARGEST = 1_000_000  # bytes of a measure's file; ours have a few thousand
_MOST = 50  # sets of one judge that are looked at


def judge_key(judge: str, about: Mapping[str, Any]) -> str:
    """Hex digest of a judge's name and what its verdicts depend on (`KnowledgeParts.judges_described`)."""
    said = json.dumps([judge, about], sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def keep(measure: Measure, about: Mapping[str, Any]) -> Path:
    """Keep a measure, in the place of an earlier one of this judge on this set; returns its file. Raises OSError."""
    folder = cache_dir() / FOLDER / judge_key(measure.judge, about)
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(measure.on.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    path = folder / f"{_UNFIT.sub('-', measure.on)[:60]}-{digest}.json"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    content = json.dumps(measure.to_dict(), indent=1, allow_nan=False, default=repr)
    part.write_text(content + "\n", encoding="utf-8", errors="surrogatepass")
    part.replace(path)
    return path


def better(measure: Measure, about: Mapping[str, Any]) -> Measure | None:
    """An earlier measure of this judge on the same claims that rests on more of them, and is to be kept; else None."""
    for earlier in kept(measure.judge, about):
        same = earlier.on == measure.on and earlier.made.get("data") == measure.made.get("data")
        if same and earlier.claims - earlier.unscored > measure.claims - measure.unscored:
            return earlier
    return None


def kept(judge: str, about: Mapping[str, Any]) -> list[Measure]:
    """What was measured of a judge, by set, the latest first; a file that cannot be read is passed over, and logged."""
    folder = cache_dir() / FOLDER / judge_key(judge, about)
    found: list[tuple[float, Measure]] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    except OSError:
        return []
    for path in paths[:_MOST]:
        try:
            stat = path.stat()
            if stat.st_size > _LARGEST:
                raise ValueError(f"{stat.st_size:,} bytes")
            measure = Measure.from_dict(json.loads(path.read_text(encoding="utf-8")))
            found.append((stat.st_mtime, measure))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            log.warning("%s: not a judge's measure, passed over: %s", path, error)
    return [measure for _, measure in sorted(found, key=lambda one: -one[0])]
