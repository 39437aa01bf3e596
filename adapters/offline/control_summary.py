"""Summarises the controls of a scored file: mean gain over each, with a paired interval, and the copy model's gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ...metrics.columns import CONTROL_COLUMNS
from ...metrics.comparison.compare import Settings
from ...metrics.comparison.record import cluster_of
from ...metrics.comparison.statistics import clustered, intervals
from ...metrics.comparison.terminal_table import print_table
from ...metrics.controls.gain_over import BEFORE, control_metrics
from ...metrics.model_names import short_names
from ...metrics.printable import printable
from .means import Mean, question_of, read_rows

_SHOWN_REASONS = 2


@dataclass
class PairedMean(Mean):
    """A mean of differences; questions of one text are resampled together."""

    clusters: dict[str, str] = field(default_factory=dict)  # of each question that has the number

    def add_chain(self, value: float | None, question: str, reason: str, cluster: str) -> None:
        self.add(value, question, reason)
        if value is not None:
            self.clusters[question] = cluster

    @cached_property
    def around(self) -> tuple[float, float] | None:
        """95 % bootstrap interval of the mean; None for fewer than two questions."""
        if len(set(self.clusters.values())) < 2:
            return None
        usual = Settings()  # resampled as `compare` does
        values = self.of_questions
        data = clustered(list(values.values()), [self.clusters[question] for question in values])
        return intervals([data], resamples=usual.resamples, seed=usual.seed)[0]

    def to_dict(self) -> dict[str, Any]:
        low, high = self.around or (None, None)
        return {**super().to_dict(), "low": low, "high": high}


@dataclass
class ControlSummary:
    """The gains for one file, task and model. `numbers` holds whole-chain and before-answer metrics by name."""

    file: str
    task: str | None
    model: str | None
    numbers: dict[str, PairedMean] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any], names: Sequence[str]) -> None:
        score = row["score"]
        cluster = cluster_of(row["question"], row["question_hash"], row["task"], row["doc_id"])
        for name in names:
            reason = score["missing"].get(name, "no reason given")
            mean = self.numbers.setdefault(name, PairedMean())
            mean.add_chain(score["metrics"].get(name), question_of(row), reason, cluster)

    def to_dict(self) -> dict[str, Any]:
        numbers = {name: mean.to_dict() for name, mean in self.numbers.items()}
        return {"file": self.file, "task": self.task, "model": self.model, "metrics": numbers}


def summarise_controls(folder: Path, controls: Sequence[str]) -> list[ControlSummary]:
    """One summary per file, task and model of a scored folder, in order of first rows; none without controls."""
    if not controls:
        return []
    names = [*CONTROL_COLUMNS, *(metric.name for metric in control_metrics(controls))]
    groups: dict[tuple[Any, ...], ControlSummary] = {}
    for row in read_rows(folder):
        key = (row["key"]["file"], row["task"], row["model"])
        groups.setdefault(key, ControlSummary(*key)).add(row, names)
    return list(groups.values())


def print_controls(console: Console, groups: Sequence[ControlSummary]) -> None:
    """Print a block per group: each gain with its interval, for the whole chain and before the answer; then what is
    missing."""
    short = short_names(group.model for group in groups if group.model)
    for group in groups:
        model = short[group.model] if group.model else None
        named = [printable(text) for text in (Path(group.file).name, group.task, model) if text]
        console.print()
        console.print(Text(f"controls: {', '.join(named)} (mean nats per chain, 95 % interval)"))
        rows = [
            [name, _cell(group.numbers[name]), _cell(group.numbers[name + BEFORE])]
            for name in group.numbers
            if not name.endswith(BEFORE)
        ]
        print_table(console, "", ["gain", "whole chain", "before the answer"], [(1,), (2,)], [("", rows)])
        for line in _missing(group):
            console.print(Text(f"  {line}"))


def _cell(mean: PairedMean) -> str:
    if mean.mean is None:
        return "–"
    bounds = "" if mean.around is None else f" [{mean.around[0]:+.3f}, {mean.around[1]:+.3f}]"
    return f"{mean.mean:+.3f}{bounds} n={mean.n:,}"


def _missing(group: ControlSummary) -> Iterator[str]:
    """Why numbers are missing; numbers missing for the same reasons share a line."""
    alike: dict[str, list[str]] = {}
    for name, mean in group.numbers.items():
        if mean.missing:
            shown = [f"{count:,} × {printable(reason)}" for reason, count in mean.missing.most_common(_SHOWN_REASONS)]
            more = len(mean.missing) - len(shown)
            text = "; ".join(shown) + (f"; and {more} other reasons" if more > 0 else "")
            alike.setdefault(f"missing: {text}", []).append(name)
    yield from (f"{', '.join(names)} {text}" for text, names in alike.items())
