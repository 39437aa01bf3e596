"""Means over a scored file, per input file, task and model, as a printed table and as `summary.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ...metrics.abstention.metric import UNDETERMINED
from ...metrics.columns import shows_evidence, shows_reliance
from ...metrics.comparison.terminal_table import print_table
from ...metrics.conclusion import Conclusion
from ...metrics.engine.statistics import EngineStatistics
from ...metrics.infogain import BEFORE
from ...metrics.judge_measures.lines import Judges
from ...metrics.knowledge.arithmetic.judge import EQUATION
from ...metrics.knowledge.policy import POLICIES
from ...metrics.model_names import short_names
from ...metrics.printable import printable
from ...metrics.reliance.claims import claim_in, claim_lines
from ...metrics.score import ARITHMETIC_ONLY, judged_kinds
from ..scored import of_row
from .control_summary import ControlSummary
from .means import Mean, question_of, read_rows
from .out_folder import ENGINE, Counts
from .whole_file import write_whole

_CONCLUSIONS = 6  # groups whose conclusions are printed


@dataclass
class Group:
    """The chains of one file, task and model."""

    file: str
    task: str | None
    model: str | None
    chains: int = 0
    failed: int = 0
    accuracy: dict[str, Mean] = field(default_factory=dict)
    metrics: dict[str, Mean] = field(default_factory=dict)
    claim_kinds: set[str] = field(default_factory=set)
    reliance_claims: dict[str | None, None] = field(default_factory=dict)
    judges: Judges = field(default_factory=Judges)
    policies: dict[str, None] = field(default_factory=dict)
    conclusion: Conclusion = field(default_factory=Conclusion)

    def add(self, row: Mapping[str, Any]) -> None:
        self.chains += 1
        self.failed += row["failed"] is not None
        question = question_of(row)
        for name, value in row["accuracy"].items():
            self.accuracy.setdefault(name, Mean()).add(value, question)
        score = row["score"]
        for name, value in score["metrics"].items():
            self.metrics.setdefault(name, Mean()).add(value, question, score["missing"].get(name, "no reason given"))
        restored = of_row(row)
        self.claim_kinds |= judged_kinds(restored)
        self.policies[str(restored.provenance.get("policy"))] = None
        self.reliance_claims[claim_in(restored.provenance)] = None
        self.judges.add(restored)
        self.conclusion.add(restored, question=question, accuracy=next(iter(row["accuracy"].values()), None))

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "task": self.task,
            "model": self.model,
            "chains": self.chains,
            "failed": self.failed,
            "accuracy": {name: mean.to_dict() for name, mean in self.accuracy.items()},
            "metrics": {name: mean.to_dict() for name, mean in self.metrics.items()},
            "claim_kinds": sorted(self.claim_kinds),
            "judges": self.judges.lines(),
            "conclusion": self.conclusion.sentences(),
        }


def summarise(folder: Path) -> list[Group]:
    """The groups of a scored folder, in the order of their first rows."""
    groups: dict[tuple[Any, ...], Group] = {}
    for row in read_rows(folder):
        key = (row["key"]["file"], row["task"], row["model"])
        groups.setdefault(key, Group(*key)).add(row)
    return list(groups.values())


def write_summary(
    folder: Path, groups: Sequence[Group], counts: Counts, controls: Sequence[ControlSummary] = ()
) -> None:
    """Write `summary.json`: counts, and per group each number's mean, how many chains have it, and why others lack it.

    Args:
        controls: gains over controls, with intervals; written if there are any.
    """
    content = {
        "scored": counts.scored,
        "failed": counts.failed,
        "skipped": dict(counts.skipped),
        "passed_over": dict(counts.passed),
        "groups": [group.to_dict() for group in groups],
        **({"controls": [group.to_dict() for group in controls]} if controls else {}),
    }
    write_whole(folder / "summary.json", json.dumps(content, indent=2) + "\n")


def write_statistics(folder: Path, statistics: EngineStatistics) -> None:
    """Append a line to `engine.jsonl`: the likelihood engine's statistics since this start of the run."""
    with (folder / ENGINE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(statistics.to_dict(), allow_nan=False) + "\n")


def print_summary(console: Console, groups: Sequence[Group], metrics: Sequence[str]) -> None:
    """Print one row per group. If a mean does not cover all chains, the number it covers is shown below it."""
    short = short_names(group.model for group in groups if group.model)
    rows = [["\n".join(_names(group, short)), *_cells(group, metrics)] for group in groups]
    headers = [
        "input, task, model",
        "chains",
        "accuracy",
        *(name.replace(BEFORE, "\nbefore answer") for name in metrics),
    ]
    parts = [[1, 2]]
    for column, name in enumerate(metrics, 3):
        if name == "ki_coverage" and "ki" in metrics[: column - 3][-1:]:  # to be read together
            parts[-1].append(column)
        else:
            parts.append([column])
    print_table(console, "", headers, parts, [("", rows)], fold=False)
    if "ki" in metrics and set().union(*(group.claim_kinds for group in groups)) == {EQUATION}:
        console.print(f"ki: {ARITHMETIC_ONLY}", markup=False)
    if "ki" in metrics and shows_evidence(metrics):
        for policy in dict.fromkeys(name for group in groups for name in group.policies if name in POLICIES):
            console.print(f"ki: {POLICIES[policy].in_words()}", markup=False)
    if "ki" in metrics:
        judges = Judges()
        for group in groups:
            judges.update(group.judges)
        for line in judges.lines():
            console.print(line, markup=False)
    if shows_reliance(metrics):
        for line in claim_lines(claim for group in groups for claim in group.reliance_claims):
            console.print(line, markup=False)


def _cells(group: Group, metrics: Sequence[str]) -> list[str]:
    first = next(iter(group.accuracy.items()), None)
    accuracy = "–" if first is None else f"{_cell(first[1], group.chains)}\n{printable(first[0])}"
    return [
        f"{group.chains:,}",
        accuracy + _abstention(group),
        *(_cell(group.metrics.get(name), group.chains) for name in metrics),
    ]


def _abstention(group: Group) -> str:
    """Lines beside accuracy: how many responses abstain, and of how many that cannot be told; "" where none does."""
    mean = group.metrics.get("abstained")
    if mean is None:
        return ""
    undetermined = sum(count for why, count in mean.missing.items() if why.startswith(UNDETERMINED))
    lines = [f"{mean.mean:.0%} abstained"] if mean.mean else []
    lines += [f"{undetermined:,} undetermined"] if undetermined else []
    return "".join(f"\n{line}" for line in lines)


def _cell(mean: Mean | None, chains: int) -> str:
    if mean is None or mean.mean is None:
        return "–"
    return f"{mean.mean:.3f}" + (f"\nn={mean.n:,}" if mean.n != chains else "")


def print_conclusions(console: Console, groups: Sequence[Group]) -> None:
    """Print what each group says; with several, below its name."""
    short = short_names(group.model for group in groups if group.model)
    for group in groups[:_CONCLUSIONS]:
        console.print()
        if len(groups) > 1:
            console.print(", ".join(_names(group, short)), markup=False, style="bold")
        console.print(" ".join(group.conclusion.sentences()), markup=False)
    if len(groups) > _CONCLUSIONS:
        console.print(f"\n{len(groups) - _CONCLUSIONS} more in summary.json", markup=False)
    console.print()


def _names(group: Group, short: Mapping[str, str]) -> list[str]:
    model = short[group.model] if group.model else None
    return [printable(text) for text in (Path(group.file).name, group.task, model) if text]


def print_counts(console: Console, counts: Counts) -> None:
    """Print the last lines of a run: the counts, and why rows were skipped or left out."""
    for reasons, said in ((counts.passed, "passed over"), (counts.skipped, "skipped")):
        for reason, count in reasons.most_common():
            console.print(f"{count:,} rows {said}: {printable(reason)}", markup=False)
    console.print(str(counts), markup=False)
