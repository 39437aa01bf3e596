"""The columns that every door shows by default, written out: what users see must not change unseen.

And the tables they stand in, read back: a column is shown only where its name and a number are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pytest

GAINS = ("infogain_nats_before_answer", "infogain_nats", "infogain")
REASONING = (*GAINS, "ki", "ki_coverage")
# In Inspect's panel, where only short names have room beside each other.
IN_PANEL = ("ki", "infogain", "ki_coverage", "infogain_nats", "infogain_nats_before_answer")
# Behind them where a judge of the panel needs evidence.
EVIDENCE_IN_PANEL = ("claims_supported", "claims_contradicted", "claims_not_covered")
# What a real model's chains may lack: they give the answer in their first step, or compute nothing.
MAY_BE_MISSING = ("infogain_nats_before_answer", "ki")
NUMBER = r"[-−+]?\d[\d.,]*(?:e[-−+]?\d+)?"


def near(name: str, value: float) -> Any:
    """What equals `value` where the same chain was scored in another batch: 1e-3.

    `infogain` is a difference of perplexities, which float32 moves by a share of themselves (.0015 at 167 is 1e-5
    nats): there it is also a ten-thousandth.
    """
    perplexity = name in ("infogain", "infogain_before_answer")
    return pytest.approx(value, abs=1e-3, rel=1e-4 if perplexity else None, nan_ok=True)


def assert_numbers(found: Mapping[str, float], names: Iterable[str], or_missing: Collection[str] = ()) -> None:
    """Each name is there, with a finite number; those `or_missing` may show nan."""
    for name in names:
        assert name in found, (name, found)
        assert math.isfinite(found[name]) or name in or_missing, (name, found)


def lm_eval_table(printed: str) -> dict[str, dict[str, dict[str, float]]]:
    """`{task: {pipeline: {metric: value}}}` of the tables of tasks and groups that lm-eval printed."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    task = ""
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 11 or cells[7] == "Value" or cells[7].strip("-:") == "":
            continue
        task = cells[1].lstrip("- ") or task
        found.setdefault(task, {}).setdefault(cells[3], {})[cells[5]] = float(cells[7])
    return found


def inspect_panel(printed: str) -> list[tuple[str, dict[str, float]]]:
    """Name and `{metric: value}` of each score in Inspect's panels, in the order they stand there."""
    found: list[tuple[str, dict[str, float]]] = []
    row: list[tuple[int, dict[str, float]]] = []  # where each score of the row begins, and its numbers
    value = rf"(\w+) +({NUMBER}|nan)"
    for line in printed.splitlines():
        text = line.strip("│").rstrip()
        if re.fullmatch(rf"\s*{value}(\s+{value})*", text):
            for cell in re.finditer(value, text):
                numbers = [of_score for start, of_score in row if start <= cell.start()]
                if numbers:
                    numbers[-1][cell[1]] = float(cell[2].replace(",", ""))
        elif re.fullmatch(r"\s*[A-Za-z_]\w*(\s\s+[A-Za-z_]\w*)*", text):
            row = [(name.start(), {}) for name in re.finditer(r"\w+", text)]
            found += [(name, numbers) for name, (_, numbers) in zip(re.findall(r"\w+", text), row, strict=True)]
        else:
            row = []
    return [(name, numbers) for name, numbers in found if numbers]


def assert_panel(printed: str, log: Any, names: Sequence[str]) -> None:
    """Inspect's panel shows these columns in this order, each with the numbers that its `EvalLog` holds."""
    held = {column.name: column for column in log.results.scores}
    panel = inspect_panel(printed)
    assert [name for name, _ in panel] == list(names)
    for name, found in panel:
        expected = {metric.name: metric.value for metric in held[name].metrics.values()}
        assert found == pytest.approx(expected, abs=6e-4, nan_ok=True), name


def score_table(printed: str) -> list[dict[str, float]]:
    """`{column: value}` of each row that `stepgauge score` printed; a dash is nan.

    "before answer" stands below the name of the number whose form it is; both end in the same place.
    """
    lines = printed.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("input, task, model"))
    above = {name.end(): name[0] for name in re.finditer(r"\S+", lines[at - 1])}
    names = [
        f"{above[title.end()]}_before_answer" if title[0] == "before answer" else title[0]
        for title in re.finditer(r"\S+(?: \S+)*", lines[at])
    ][1:]
    cells = rf"(?:\s+(?:{NUMBER}|–))" + f"{{{len(names)}}}"
    found = []
    for line in lines[at + 1 :]:
        if row := re.search(rf"\S({cells})\s*$", line):
            numbers = (math.nan if cell == "–" else float(cell.replace(",", "")) for cell in row[1].split())
            found.append(dict(zip(names, numbers, strict=True)))
    return found
