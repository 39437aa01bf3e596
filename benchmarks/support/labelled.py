"""Real chains and claims with right/wrong labels (by people or, in PRMBench, by GPT-4o), read from shared/data.

The readers are those of `stepgauge judge-check`; here they are given the folder of all data.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stepgauge.adapters.labelled import sets
from stepgauge.adapters.labelled.sets import (
    NO_ERROR,
    SETS,
    ScifactRow,
    given_steps,
    mrben_steps,
    scifact_rows,
)
from stepgauge.metrics.judge_check.items import Labelled

__all__ = [
    "NO_ERROR",
    "Labelled",
    "Reader",
    "ScifactRow",
    "given_steps",
    "medec_validation",
    "mrben_medicine",
    "mrben_rows",
    "mrben_steps",
    "prmbench_counterfactual",
    "read_scifact",
    "scifact_dev",
    "shared_data",
]

Reader = Callable[[Path], list[Labelled]]


def shared_data(*names: str) -> Path:
    """The folder of real data. Raises FileNotFoundError if it, or one of the subfolders `names`, does not exist."""
    root = os.environ.get("STEPGAUGE_SHARED")
    for name in names or ("",):
        if not root or not (Path(root) / "data" / name).is_dir():
            raise FileNotFoundError(
                f"no real data: STEPGAUGE_SHARED is {root!r}, expected a folder holding {Path('data') / name}/"
            )
    return Path(str(root)) / "data"


def read_scifact(data: Path, half: str) -> list[ScifactRow]:
    """SciFact as text pairs; `half` is "train" or "dev"."""
    return scifact_rows(data / "scifact-rte" / f"{half}.tsv")


def mrben_rows(data: Path) -> list[dict[str, Any]]:
    """All solutions to MR-Ben's medical questions."""
    return sets.mrben_rows(data / SETS["mrben"].file)


def _reader(name: str) -> Reader:
    return lambda data: SETS[name].read(data / SETS[name].file)


scifact_dev, medec_validation = _reader("scifact"), _reader("medec")
mrben_medicine, prmbench_counterfactual = _reader("mrben"), _reader("prmbench")
