"""Tables and a picture over the finished seeds of `trap_seeds`."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from benchmarks.comparison.trap_seeds_summary import BY_ITSELF, MEASURES
from stepgauge.metrics.comparison.numbers import number

SUMMARY = "summary.json"
PICTURE = "trajectories.png"
_NONE = "–"
_DRAWN = ("accuracy", "supported_before_own_answer", "infogain_nats_before_answer", "early_answer_area_before_answer")

Seeds = Mapping[int, Mapping[str, Any]]


class Mean(NamedTuple):
    """Of n seeds, with the 95 % interval of Student's t over seeds; nan for fewer than two."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if not self.n:
            return _NONE
        between = "" if math.isnan(self.low) else f" [{_signed(self.low)}, {_signed(self.high)}]"
        return f"{_signed(self.mean)}{between}"


def mean_of(values: Iterable[float]) -> Mean:
    """What is missing must have been left out."""
    found = list(values)
    if not found:
        return Mean(math.nan, math.nan, math.nan, 0)
    mean = statistics.fmean(found)
    if len(found) < 2:
        return Mean(mean, math.nan, math.nan, len(found))
    half = float(student.ppf(0.975, len(found) - 1)) * statistics.stdev(found) / math.sqrt(len(found))
    return Mean(mean, mean - half, mean + half, len(found))


def finished(out: Path) -> dict[int, dict[str, Any]]:
    """The summaries by seed."""
    found = {int(path.parent.name.rpartition("-")[2]): path for path in out.glob(f"seed-*/{SUMMARY}")}
    return {seed: json.loads(found[seed].read_text(encoding="utf-8")) for seed in sorted(found)}


def show(out: Path) -> None:
    """Print the tables and draw the picture."""
    seeds = finished(out)
    console = Console(width=260)
    for title, table in tables(seeds):
        console.print(f"\n{title}\n")
        console.print(table)
    draw(seeds, out / PICTURE)


def tables(seeds: Seeds) -> Iterator[tuple[str, Table]]:
    """Titles and tables: levels and differences, verdicts, what rewards undo, every seed."""
    some = f"{len(seeds)} seeds" if len(seeds) != 1 else "1 seed"
    yield f"Mean over {some}, and mean difference from the base [95 % over seeds]:", _differences(seeds)
    yield "Verdicts against the base at the end, and the steps from which on things moved:", _verdicts(seeds)
    yield "Reward phases: the end against their own start, the end of `shortcut`:", _undone(seeds)
    yield "Each seed, base → end:", _each(seeds)


def _differences(seeds: Seeds) -> Table:
    phases = _phases(seeds)
    table = Table("", "base", *phases, box=box.MARKDOWN)
    for where, names in (("end", tuple(MEASURES)), ("by_itself", BY_ITSELF)):
        for name in names:
            rows = {phase: _rows(seeds, phase, where, name) for phase in phases}
            base = mean_of(row["base"] for row in rows[phases[0]])
            label = MEASURES.get(name, name) if where == "end" else f"{_short(name)}, scored by itself"
            cells = [_with_level(rows[phase], len(seeds)) for phase in phases]
            table.add_row(label, number(base.mean) if base.n else _NONE, *cells)
    return table


def _with_level(rows: Sequence[Mapping[str, Any]], of: int) -> str:
    level, difference = mean_of(row["tuned"] for row in rows), mean_of(row["difference"] for row in rows)
    if not level.n:
        return f"{_NONE} (0)"
    return f"{number(level.mean)}: {difference}{'' if level.n == of else f' ({level.n})'}"


def _verdicts(seeds: Seeds) -> Table:
    phases = _phases(seeds)
    table = Table("", *phases, box=box.MARKDOWN)
    found = {phase: Counter(_end(one[phase])["verdict"] for one in seeds.values()) for phase in phases}
    for verdict in dict.fromkeys(name for phase in phases for name in sorted(found[phase])):
        table.add_row(verdict, *(f"{found[phase][verdict]} of {len(seeds)}" for phase in phases))
    in_series = {phase: sum(one[phase]["trapped"] is not None for one in seeds.values()) for phase in phases}
    table.add_row("trap, corrected over the series", *(f"{in_series[phase]} of {len(seeds)}" for phase in phases))
    for key, label in (("accuracy_rose", "accuracy rose for good"), ("reasoning_fell", "reasoning fell for good")):
        cells = [_median([one[phase][key] for one in seeds.values()]) for phase in phases]
        table.add_row(f"{label}: in seeds, median step", *cells)
    return table


def _undone(seeds: Seeds) -> Table:
    phases = [phase for phase in _phases(seeds) if "against_start" in next(iter(seeds.values()))[phase]]
    table = Table("", *phases, box=box.MARKDOWN)
    for name, label in MEASURES.items():
        rows = {phase: [_row(one[phase]["against_start"], name) for one in seeds.values()] for phase in phases}
        cells = [_with_level([row for row in rows[phase] if row], len(seeds)) for phase in phases]
        table.add_row(label, *cells)
    counts = [Counter(one[phase]["against_start"]["verdict"] for one in seeds.values()) for phase in phases]
    table.add_row("verdicts", *(", ".join(f"{name} {n}" for name, n in count.most_common()) for count in counts))
    return table


def _each(seeds: Seeds) -> Table:
    shown = [name for name in MEASURES if name != "reasons_first"]
    steps = ("accuracy rose", "reasoning fell")
    table = Table("seed", "phase", *(MEASURES[name] for name in shown), "verdict", *steps, box=box.MARKDOWN)
    for seed, one in seeds.items():
        for phase, about in one.items():
            cells = []
            for name in shown:
                row = _row(_end(about), name)
                cells.append(f"{number(row['base'])} → {number(row['tuned'])}" if row else _NONE)
            when = [_NONE if about[key] is None else f"{about[key]:g}" for key in ("accuracy_rose", "reasoning_fell")]
            table.add_row(str(seed), phase, *cells, _end(about)["verdict"], *when)
    return table


def draw(seeds: Seeds, path: Path) -> None:
    """Mean trajectories over seeds, with 95 % bands."""
    import altair as alt

    points = list(_points(seeds))
    panels = []
    for name in _DRAWN:
        base = alt.Chart(alt.Data(values=[point for point in points if point["measure"] == name])).encode(
            x=alt.X("step:Q", title="step"),
            color=alt.Color("phase:N", title=None, sort=_phases(seeds), legend=alt.Legend(orient="bottom")),
        )
        band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
        line = base.mark_line(point=True).encode(y=alt.Y("mean:Q", title=None))
        panels.append((band + line).properties(width=230, height=220, title=MEASURES[name]))
    some = f"{len(seeds)} seeds" if len(seeds) != 1 else "one seed"
    title = f"Mean of {some} with 95 % intervals; rewards begin where the shortcut ends"
    alt.hconcat(*panels).properties(title=title).save(str(path), scale_factor=1.5)


def _points(seeds: Seeds) -> Iterator[dict[str, Any]]:
    first = next(iter(seeds.values()))
    after = max(one["step"] for one in first["shortcut"]["checkpoints"])
    for phase, about in first.items():
        follows = "against_start" in about
        for name in _DRAWN:
            if not follows:
                rows = _rows(seeds, phase, "end", name)
                yield from _point(phase, name, 0, [row["base"] for row in rows])
            for i, checkpoint in enumerate(about["checkpoints"]):
                found = [row for one in seeds.values() if (row := _row(one[phase]["checkpoints"][i], name))]
                step = checkpoint["step"] + (after if follows else 0)
                yield from _point(phase, name, step, [row["tuned"] for row in found])


def _point(phase: str, name: str, step: float, values: Sequence[float]) -> Iterator[dict[str, Any]]:
    mean = mean_of(values)
    if mean.n:
        low, high = (mean.mean, mean.mean) if math.isnan(mean.low) else (mean.low, mean.high)
        yield {"phase": phase, "measure": name, "step": step, "mean": mean.mean, "low": low, "high": high}


def _phases(seeds: Seeds) -> list[str]:
    return list(next(iter(seeds.values())))


def _end(about: Mapping[str, Any]) -> Mapping[str, Any]:
    return about["checkpoints"][-1]


def _rows(seeds: Seeds, phase: str, where: str, name: str) -> list[Mapping[str, Any]]:
    """A measure in each seed that has it."""
    found = (_row(_end(one[phase]) if where == "end" else {"rows": one[phase][where]}, name) for one in seeds.values())
    return [row for row in found if row]


def _row(about: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return about["rows"].get(name)


def _median(steps: Sequence[float | None]) -> str:
    """In how many seeds it came about, and the median step in these."""
    found = [step for step in steps if step is not None]
    return f"{len(found)} of {len(steps)}" + (f", {statistics.median(found):g}" if found else "")


def _short(name: str) -> str:
    return name.removesuffix("_before_answer").replace("_", " ")


def _signed(value: float) -> str:
    return number(value, sign=True)
