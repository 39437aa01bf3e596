"""Checks the interval of a KI that is corrected by people's labels, on simulated judges whose errors are known.

    python -m benchmarks.knowledge.corrected [--simulations 1000] [--chains 400]

Each simulation makes chains of 2 to 9 checkable steps, each chain with a share of right steps of its own (a beta
distribution of mean .70, so steps of one chain are alike), and a judge that calls a right step right with one
probability and a wrong one wrong with another; its own probability leans to the truth a little more than its label
does. The judge `clustered` errs on most steps of a sixth of the chains. n steps are drawn as `stepgauge label` draws
them and get their true label. Shown is how often the 95 % interval holds the true KI, the mean over all chains there
could be, and how wide it is: corrected, and as the judge says (`naive`).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from stepgauge.metrics.labelling.prediction_powered import corrected, population, uncorrected
from stepgauge.metrics.labelling.sample import allocate

TRUE = 0.70
_ALIKE = 5.0  # of the beta distribution: the smaller, the more alike the steps of a chain
LABELS = (50, 100, 300)


@dataclass(frozen=True)
class Simulated:
    """A judge: how often it calls a right step right, a wrong one wrong; on what share of chains it mostly errs."""

    name: str
    right: float
    wrong: float
    lost: float = 0.0


JUDGES = (
    Simulated("good", 0.95, 0.90),
    Simulated("middling", 0.90, 0.60),
    Simulated("poor", 0.70, 0.40),
    Simulated("clustered", 0.95, 0.85, 1 / 6),
    Simulated("nearly perfect", 0.995, 0.99),
)


@dataclass(frozen=True)
class Coverage:
    """Shares of simulations whose interval holds the true KI, and mean widths; corrected and naive."""

    covered: float
    width: float
    naive: float
    naive_width: float


def simulate(judge: Simulated, labels: int, simulations: int, *, chains: int = 400, seed: int = 0) -> Coverage:
    """Run the simulations of one judge and number of labels."""
    rng = np.random.default_rng([seed, labels, sum(map(ord, judge.name))])
    rows = []
    for _ in range(simulations):
        lengths = rng.integers(2, 10, chains)
        chain = np.repeat(np.arange(chains), lengths)
        own = rng.beta(TRUE * _ALIKE, (1 - TRUE) * _ALIKE, chains)
        truth = rng.random(len(chain)) < own[chain]
        lost = (rng.random(chains) < judge.lost)[chain]
        hit = rng.random(len(chain)) < np.where(lost, 0.1, np.where(truth, judge.right, judge.wrong))
        said = np.where(hit, truth, ~truth)
        score = np.clip(np.where(said, 0.75, 0.25) + rng.normal(0.08 * (2 * truth - 1), 0.15), 0, 1)
        weight = 1 / lengths[chain]
        label = np.full(len(chain), math.nan)
        parts = {name: np.flatnonzero(said == name) for name in (False, True)}
        sizes = {name: len(own) for name, own in parts.items()}
        wanted = allocate(sizes, {name: float(weight[own].sum()) for name, own in parts.items()}, labels)
        for name, own in parts.items():
            drawn = rng.choice(own, wanted[name], replace=False)
            label[drawn] = truth[drawn]
        data = population(weight.tolist(), score.tolist(), said.tolist(), chain.tolist(), label.tolist())
        found, naive = corrected(data).estimate, uncorrected(data, said.astype(float))
        rows.append([one.low <= TRUE <= one.high for one in (found, naive)])
        rows[-1] += [one.high - one.low for one in (found, naive)]
    covered, naive, width, naive_width = np.mean(rows, axis=0).tolist()
    return Coverage(covered, width, naive, naive_width)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, help="of each judge and number of labels")
    parser.add_argument("--chains", type=int, default=400)
    args = parser.parse_args(argv)
    table = Table("judge", "labels", "covered", "width", "naive covered", "naive width", box=box.MARKDOWN)
    for judge in JUDGES:
        for labels in LABELS:
            found = simulate(judge, labels, args.simulations, chains=args.chains)
            numbers = (found.covered, found.width, found.naive, found.naive_width)
            table.add_row(judge.name, str(labels), *(f"{value:.3f}" for value in numbers))
    print(f"{datetime.now(UTC):%Y-%m-%d}  {args.simulations} simulations each, {args.chains} chains, true KI {TRUE}")
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
