"""How far results depend on the cut: the same chains, scored under several splitters, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ...metrics.printable import printable
from .means import read_rows

STEPS = "n_steps"
# In the order of the columns; those that no chain has are left out.
COLUMNS = ("infogain", "infogain_nats", "infogain_nats_before_answer", "ki", "ki_paper", "ki_coverage")
_LEAST = 3  # chains of which ranks are compared

Chain = tuple[str, ...]


@dataclass
class Cut:
    """One splitter's numbers: `{metric: {chain: value}}`."""

    values: dict[str, dict[Chain, float]] = field(default_factory=dict)
    chains: int = 0


def read_cut(folder: Path) -> Cut:
    """Of a scored folder. Raises OptionError where a row was damaged."""
    cut = Cut()
    for row in read_rows(folder):
        cut.chains += 1
        for name in (STEPS, *COLUMNS):
            value = row["score"]["metrics"].get(name)
            if value is not None and math.isfinite(value):
                cut.values.setdefault(name, {})[tuple(map(str, row["key"].values()))] = value
    return cut


def rank_correlation(one: Mapping[Chain, float], other: Mapping[Chain, float]) -> tuple[float, int]:
    """Spearman's over the chains that have both numbers, and how many those are; nan where there is none to be had."""
    both = [chain for chain in one if chain in other]
    left, right = [one[chain] for chain in both], [other[chain] for chain in both]
    if len(both) < _LEAST or len(set(left)) < 2 or len(set(right)) < 2:
        return math.nan, len(both)
    from scipy.stats import spearmanr  # it takes two seconds to import

    found: Any = spearmanr(left, right)
    return float(found.statistic), len(both)


def tables(folders: Mapping[str, Path]) -> list[Table]:
    """The means under each splitter, and how alike each two of them rank the chains."""
    cuts = {name: read_cut(folder) for name, folder in folders.items()}
    shown = [name for name in COLUMNS if any(name in cut.values for cut in cuts.values())]
    means = Table(box=None, pad_edge=False)
    for title in ("splitter", "chains", "steps a chain", *shown):
        means.add_column(title, justify="left" if title == "splitter" else "right")
    for name, cut in cuts.items():
        cells = [_mean(cut.values.get(metric, {})) for metric in (STEPS, *shown)]
        means.add_row(Text(printable(name)), f"{cut.chains:,}", *cells)
    ranks = Table(box=None, pad_edge=False)
    pairs = list(combinations(cuts, 2))
    ranks.add_column("rank correlation over chains (chains)")
    for one, other in pairs:
        ranks.add_column(Text(printable(f"{one}, {other}")), justify="right")
    for metric in shown:
        found = [
            rank_correlation(cuts[one].values.get(metric, {}), cuts[other].values.get(metric, {}))
            for one, other in pairs
        ]
        ranks.add_row(metric, *("–" if math.isnan(rho) else f"{rho:.2f} ({n:,})" for rho, n in found))
    return [means, ranks]


def _mean(values: Mapping[Chain, float]) -> str:
    return f"{math.fsum(values.values()) / len(values):.3f}" if values else "–"
