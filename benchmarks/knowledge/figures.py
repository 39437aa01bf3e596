"""Shows how often the extractor `figures` and the judge `table` agree with a person about steps over real tables.

    python -m benchmarks.knowledge.figures

`figure_steps.tsv` holds 60 steps, written over 13 tables of TAT-QA and labelled by one author of this project before the
judge saw them: supported, contradicted, or not covered by the table and its paragraphs. The tables are read from
$STEPGAUGE_SHARED/data/tatqa. A step is contradicted if any of its claims is, else supported if any is, else not covered.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.support.labelled import shared_data
from benchmarks.support.run_header import about_run, header
from stepgauge.metrics.gauge import Gauge
from stepgauge.metrics.trace import Trace
from stepgauge.tasks.financial_questions import read_documents, tatqa_passages

LABELS = ("supported", "contradicted", "not covered")
STEPS = Path(__file__).with_name("figure_steps.tsv")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(argv)
    try:
        data = shared_data("tatqa")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    documents = {one["table"]["uid"]: one for one in read_documents(data / "tatqa" / "dev.json.gz")}
    with STEPS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    gauge = Gauge(scorer=None, claims=["figures"], judges=["table"], retriever="given")
    traces = [
        Trace("", row["step"], id=str(i), meta={"passages": tatqa_passages(documents[row["table"]], row["table"])})
        for i, row in enumerate(rows)
    ]
    counts: Counter[tuple[str, str]] = Counter()
    misses = []
    for row, score in zip(rows, gauge.score(traces), strict=True):
        verdicts = [verdict for step in score.steps for verdict in step.verdicts]
        labels = [verdict.label for verdict in verdicts]
        found = next((label for label in ("contradicted", "supported") if label in labels), "not covered")
        counts[row["label"], found] += 1
        if found != row["label"]:
            reasons = "; ".join(verdict.reason or verdict.error or "" for verdict in verdicts) or "no claim"
            misses.append(f"- {row['label']}, found {found}: {row['step']}\n  {reasons}")
    table = Table("by hand", *LABELS, box=box.MARKDOWN)
    for label in LABELS:
        table.add_row(label, *(str(counts[label, found]) for found in LABELS))
    print(header(about_run()))
    Console(width=120).print(table)
    print(f"equal: {sum(counts[label, label] for label in LABELS)} of {len(rows)}")
    print("\n".join(misses))
    return 0


if __name__ == "__main__":
    sys.exit(main())
