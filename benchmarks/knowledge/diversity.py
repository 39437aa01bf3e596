"""Measures the domain checker of the documentation on LegalBench's diversity_6: right and wrong steps, made by rule.

    python -m benchmarks.knowledge.diversity

Data ($STEPGAUGE_SHARED/data): 300 fact patterns, two plaintiffs who both sue two defendants, with the published
answers to both questions (`parties_are_diverse`, `aic_is_met`). For each, a chain of six kinds of steps is written by
rule from the facts, as this file reads them, and the published answers; a second chain has each step wrong: another
state, another sum, the other side of $75,000, the opposite answer. The checker (`tests/plugins/stepgauge_diversity`)
reads the question and judges through a gauge, as a plugin does. `caught` are wrong steps called contradicted, `flagged`
right ones. The steps are worded as the checker reads them: this measures its law and its sums, not its English.
"""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.support.labelled import shared_data
from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.knowledge.base import ClaimExtractor

PLUGIN = Path(__file__).parents[2] / "tests/plugins/stepgauge_diversity/src/stepgauge_diversity/__init__.py"
_SUIT = re.compile(r"both sue (\w+) for .*? for \$([\d,]+) and .*? for \$([\d,]+)\.")


def load_plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stepgauge_diversity", PLUGIN)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"no plugin at {PLUGIN}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def steps_of(row: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Kind, right step and wrong step."""
    plaintiff, state = re.findall(r"(\w+) is from ([\w ]+)\.", row["text"])[0]
    (defendant, first, second), _ = _SUIT.findall(row["text"])
    one, two = (int(money.replace(",", "")) for money in (first, second))
    yield "citizenship", f"{plaintiff} is from {state}.", f"{plaintiff} is from Guam."
    claims = f"{plaintiff}'s claims against {defendant}"
    yield "sum", f"{claims} add up to ${one + two:,}.", f"{claims} add up to ${one + two + 1000:,}."
    added = f"{claims} are ${one:,} + ${two:,} = "
    yield "derivation", f"{added}${one + two:,}.", f"{added}${max(one, two):,}."
    above, below = f"${one + two:,} exceeds $75,000.", f"${one + two:,} does not exceed $75,000."
    yield "limit", *((above, below) if one + two > 75_000 else (below, above))
    yes, no = "So there is complete diversity.", "So there is no complete diversity."
    yield "parties", *((yes, no) if row["parties_are_diverse"] == "True" else (no, yes))
    met, unmet = "The amount in controversy is met.", "The amount in controversy is not met."
    yield "amount", *((met, unmet) if row["aic_is_met"] == "True" else (unmet, met))


def labels(gauge: Gauge, question: str, steps: Sequence[str]) -> list[str]:
    (score,) = gauge.score([Trace(question, "\n".join(steps))])
    return [str(step.verdicts[0].label) if step.verdicts else "no claim" for step in score.steps]


def measure(rows: Sequence[dict[str, str]]) -> Counter[tuple[str, bool, str]]:
    """How often a kind of step, right or wrong, got a label."""
    plugin = load_plugin()
    counts: Counter[tuple[str, bool, str]] = Counter()
    extractor = ClaimExtractor(plugin.KIND, plugin.extract)
    with Gauge(None, claims=[extractor], judges=[plugin.DiversityJudge()], splitter="lines", progress=False) as gauge:
        for row in rows:
            made = list(steps_of(row))
            for right, steps in ((True, [one[1] for one in made]), (False, [one[2] for one in made])):
                for (kind, _, _), label in zip(made, labels(gauge, row["text"], steps), strict=True):
                    counts[kind, right, label] += 1
    return counts


def read_rows(data: Path) -> list[dict[str, str]]:
    with (data / "legalbench" / "diversity_6" / "test.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def main() -> int:
    try:
        counts = measure(read_rows(shared_data("legalbench")))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    table = Table("step", "right", "supported", "flagged", "wrong", "caught", "no claim", box=box.MARKDOWN)
    for kind in dict.fromkeys(kind for kind, _, _ in counts):
        totals = [
            sum(count for (k, r, _), count in counts.items() if (k, r) == (kind, right)) for right in (True, False)
        ]
        figures = (counts[kind, True, "supported"], counts[kind, True, "contradicted"])
        unread = counts[kind, True, "no claim"] + counts[kind, False, "no claim"]
        caught = counts[kind, False, "contradicted"]
        table.add_row(kind, str(totals[0]), *map(str, figures), str(totals[1]), str(caught), str(unread))
    print(f"{datetime.now(UTC):%Y-%m-%d}")
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
