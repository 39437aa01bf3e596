"""The evaluations of a training on disk: a folder for each, as `stepgauge score` writes it, read back when resumed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...metrics import Gauge
from ...metrics.comparison import Run
from ...metrics.versions import versions
from ..formats.entries import Entry
from ..formats.windows import Window
from ..offline.control_summary import summarise_controls
from ..offline.out_folder import OutFolder, last_window
from ..offline.run import rows_of, write
from ..offline.summary import Group, summarise, write_summary
from ..runs import load_runs

_FOLDER = "stepgauge"
_STEP = re.compile(r"step-(\d{6,})")


class Evaluations:
    """Those below `output_dir/stepgauge`, one a step: `step-000100`."""

    def __init__(self, output_dir: str | Path) -> None:
        self._folder = Path(output_dir) / _FOLDER

    def folder(self, step: int) -> Path:
        return self._folder / f"step-{step:06d}"

    def steps(self) -> list[int]:
        """The steps whose evaluation is on disk as a whole, in order."""
        found = (_STEP.fullmatch(path.name) for path in self._folder.glob("step-*"))
        return sorted(int(one[1]) for one in found if one and _whole(self._folder / one[0]))

    def read(self, step: int) -> Run:
        """Raises OptionError for one that cannot be read."""
        (run,) = load_runs([str(self.folder(step))])
        return run

    def write(self, step: int, gauge: Gauge, entries: Sequence[Entry], asked: Mapping[str, Any]) -> Group:
        """Score the answers and write them; returns their means.

        Raises what `rows_of` raises; nothing is on disk then.

        Args:
            asked: what the model was asked to do, for `run.json`.
        """
        folder = self.folder(step)
        rows = rows_of(gauge, entries, [])
        with OutFolder(folder, {"step": step, **asked, "versions": versions()}, restart=True) as out:
            write(out, 1, Window(list(entries), last=True), rows, gauge.evidence)
            (group,) = groups = summarise(folder)
            controls = list(dict.fromkeys(name for row in rows for name in row["score"]["controls"]))
            write_summary(folder, groups, out.counts, summarise_controls(folder, controls))
        return group

    def put_aside(self, kept: Collection[int]) -> Path | None:
        """Move what an earlier training left, all steps but those kept, out of the way; returns where to."""
        left = [
            path for path in self._folder.glob("step-*") if (n := _STEP.fullmatch(path.name)) and int(n[1]) not in kept
        ]
        if not left:
            return None
        number = 1
        while (aside := self._folder.with_name(f"{_FOLDER}.earlier-{number}")).exists():
            number += 1
        aside.mkdir()
        for path in left:
            path.rename(aside / path.name)
        return aside


def _whole(folder: Path) -> bool:
    window, _ = last_window(folder)
    return window is not None and window["last"]
