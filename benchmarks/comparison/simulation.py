"""How often `stepgauge compare` gives each verdict where the truth is known: runs drawn from a model of two runs.

    python -m benchmarks.comparison.simulation [--runs 2000] [--resamples 1999] [--questions 20 100 300 1000]

Each run has accuracy and the three deciding measures, with the tests, the correction, the intervals and the rule of the
command. In the base half of the answers are right and 95 % of the chains reason first; gains in nats are normal with a
correlation of .5 between the two runs of a question; of the steps 60 % are supported, by question between 0 and 100 %.
What matters is 0.2 standard deviations of the base's gains and 0.05 in a share. A loss is one in the gains alone.
The runs of a line share their resampling draws, as runs of one `--seed` do.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from stepgauge.metrics.comparison import Row, Settings, Verdict
from stepgauge.metrics.comparison.results import VerdictName
from stepgauge.metrics.comparison.statistics import Clustered, holm, intervals, permutation_ps, share_interval
from stepgauge.metrics.comparison.verdict import decide

Array = NDArray[np.float64]
SEED = 0
SHARES = ("accuracy", "reasons_first", "supported_before_own_answer")
GAIN = "infogain_nats_before_own_answer"
VERDICTS = [name for name in get_args(VerdictName) if name not in ("up", "down", "decorative")]


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is true of the tuned run: its rise in accuracy, and its change in gains in units of what matters."""

    name: str
    rise: float = 0.0
    change: float = 0.0


TRUTHS = (
    Truth("no effect"),
    Truth("loss of ½", change=-0.5),
    Truth("loss of 1", change=-1),
    Truth("loss of 2", change=-2),
    Truth("accuracy +.25, no loss", rise=0.25),
    Truth("accuracy +.25, loss of ½", rise=0.25, change=-0.5),
    Truth("accuracy +.25, loss of 1", rise=0.25, change=-1),
    Truth("accuracy +.25, loss of 2", rise=0.25, change=-2),
    Truth("accuracy +.25, gains +2", rise=0.25, change=2),
)


def drawn(rng: np.random.Generator, truth: Truth, n: int, settings: Settings) -> dict[str, tuple[Array, Array]]:
    """Base and tuned values of n questions, by measure."""
    skill = rng.normal(size=n)

    def right(share: float, agreement: float = 0.6) -> Array:
        """Right where a mixture of the question's skill and the run's own chance is high enough."""
        own = agreement * skill + np.sqrt(1 - agreement**2) * rng.normal(size=n)
        return (own < _normal_quantile(share)).astype(np.float64)

    common = rng.normal(size=n)
    before, after = (np.sqrt(0.5) * common + np.sqrt(0.5) * rng.normal(size=n) for _ in range(2))
    steps = rng.beta(3, 2, size=n)
    return {
        "accuracy": (right(0.5), right(0.5 + truth.rise)),
        GAIN: (before, after + truth.change * settings.smallest_gain),
        "reasons_first": (right(0.95), right(0.95)),
        "supported_before_own_answer": (rng.binomial(4, steps) / 4, rng.binomial(4, steps) / 4),
    }


def _normal_quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(share))


def verdicts(runs: Sequence[Mapping[str, tuple[Array, Array]]], settings: Settings) -> Iterator[Verdict]:
    """The verdict on each run, by the command's own functions; all runs are resampled in one go."""
    names = list(runs[0])
    data = {
        name: [Clustered(after - before, np.ones(len(before))) for before, after in (run[name] for run in runs)]
        for name in names
    }
    how = {"resamples": settings.resamples, "seed": settings.seed}
    ps = np.reshape(permutation_ps([one for name in names for one in data[name]], **how), (len(names), len(runs)))
    ends = {
        name: list(map(share_interval, data[name])) if name in SHARES else intervals(data[name], **how)
        for name in names
    }
    for i, run in enumerate(runs):
        corrected = holm(ps[:, i].tolist())
        rows = []
        for name, p, p_holm in zip(names, ps[:, i], corrected, strict=True):
            before, after = run[name]
            smallest = settings.smallest_share if name in SHARES else settings.smallest_gain * before.std(ddof=1)
            low, high = ends[name][i]
            rows.append(
                Row(
                    name,
                    name,
                    role="deciding",
                    n=len(before),
                    n_clusters=len(before),
                    base=float(before.mean()),
                    tuned=float(after.mean()),
                    difference=data[name][i].mean,
                    low=low,
                    high=high,
                    p=float(p),
                    p_holm=p_holm,
                    smallest=float(smallest),
                )
            )
        yield decide(rows[0], rows[1:], alpha=settings.alpha)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1999)
    parser.add_argument("--questions", type=int, nargs="+", default=[20, 100, 300, 1000])
    args = parser.parse_args()
    settings = Settings(resamples=args.resamples)
    table = Table("truth", "n", *VERDICTS, box=box.MARKDOWN)
    for truth in TRUTHS:
        for n in args.questions:
            rng = np.random.default_rng([SEED, n])
            runs = [drawn(rng, truth, n, settings) for _ in range(args.runs)]
            found = collections.Counter(verdict.name for verdict in verdicts(runs, settings))
            table.add_row(truth.name, f"{n:,}", *(f"{found[name] / args.runs:.1%}" for name in VERDICTS))
    print(f"{args.runs:,} runs a line, {args.resamples:,} resamples")
    Console(width=130).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
