"""Fine-tuned models of `benchmarks.comparison.sft_trap`, each scored by itself: do their answers hang on their steps?

    python -m benchmarks.reliance.tuned TRAP… --out DIR [--limit 120]

TRAP is the folder of a finished run of `sft_trap`: a base model, one tuned on filler and answers (`shortcut`), one on
worked solutions (`worked`), and what each answered. Every model scores its own chains, with reliance; then `stepgauge
compare` sets each tuned one against the base. What is in DIR is not scored again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from stepgauge.metrics.comparison import Row, Run, compare_runs
from stepgauge.metrics.comparison.numbers import number
from stepgauge.metrics.models import resolve

from ..support.by_itself import scored_by_itself
from ..support.run_header import about_run, header

NAMES = ("base", "shortcut", "worked")
MEASURES = (
    "accuracy",
    "early_answer_area_before_answer",
    "post_hoc_share_before_answer",
    "necessary_share_before_answer",
    "true_thinking_before_answer",
    "reasons_first",
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reliance.tuned", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("traps", nargs="+", type=Path, metavar="TRAP")
    parser.add_argument("--out", type=Path, required=True, help="folder for the scores; a stopped run goes on there")
    parser.add_argument("--limit", type=int, help="chains of each model")
    args = parser.parse_args(argv)
    print(header(about_run()), flush=True)
    table = Table("run", "tuned", *MEASURES, "verdict", box=box.MARKDOWN)
    for trap in args.traps:
        runs = {name: _scored(trap, name, args.out / trap.name / name, args.limit) for name in NAMES}
        for name in NAMES[1:]:
            tuned = runs[name]
            if runs["base"] is None or tuned is None:
                continue
            compared = compare_runs(runs["base"], tuned)
            task = compared.overall or compared.tasks[0]
            rows = {row.measure: row for row in task.rows}
            cells = [_cell(rows.get(measure)) for measure in MEASURES]
            table.add_row(trap.name, f"{name} ({task.n_pairs})", *cells, task.verdict.name)
    Console(width=200).print(table)
    print("base → tuned, with the number of questions that have it where not all do; * moved (p below 0.05, Holm)")
    return 0


def _scored(trap: Path, name: str, out: Path, limit: int | None) -> Run | None:
    """The model's own chains as it scores them; None where the run has none."""
    folder = Path(resolve("smollm2")) if name == "base" else trap / "models" / name
    if not (trap / f"{name}.json").is_file() or not folder.is_dir():
        return None
    return scored_by_itself(trap / name, folder, out, name=name, limit=limit)


def _cell(row: Row | None) -> str:
    if row is None or not row.n:
        return "–"
    moved = "*" if row.p_holm < 0.05 and row.difference else ""
    short = f" ({row.n})" if row.missing else ""
    return f"{number(row.base)} → {number(row.tuned)}{moved}{short}"


if __name__ == "__main__":
    sys.exit(main())
