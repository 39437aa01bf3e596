"""Shows how often the extractor `figures` and the judge `table` are right about figures read off real tables.

    python -m benchmarks.knowledge.figures [--list]

1. Steps labelled by hand.

`figure_steps.tsv` holds 60 steps, written over 14 tables of TAT-QA and labelled by one author of this project before
the judge saw them: supported, contradicted, or not covered by the table and its paragraphs. The tables come from
$STEPGAUGE_SHARED/data/tatqa. A step is contradicted if any of its claims is, else supported if any is, else not
covered.
The judge was then mended where it missed: on these steps its figures are no longer held back.

2. TAT-QA's questions for one figure of a table or text ("What is the amount of total sales in 2019?"), made statements
by rule ("The amount of total sales in 2019 is $1,496.5 million."), with the right answer and with a wrong one: the
first two different digits exchanged, or the first digit changed where there are none.

`--list` prints what is missed.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from benchmarks.support.tatqa import Measured, run
from stepgauge.metrics.gauge import Gauge
from stepgauge.metrics.knowledge.tables.amounts import amounts
from stepgauge.metrics.trace import Trace
from stepgauge.tasks.financial_questions import read_documents, tatqa_passages

LABELS = ("supported", "contradicted", "not covered")
_ASKED = re.compile(r"(?:What|How much) (?P<is>is|was|are|were) the (?P<what>.{5,200})\?")
STEPS = Path(__file__).with_name("figure_steps.tsv")


def by_hand(documents: dict[str, Any], gauge: Gauge) -> tuple[Counter[tuple[str, str]], list[str]]:
    """How often a label by hand met one found, and what was missed."""
    with STEPS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    traces = [
        Trace("", row["step"], id=str(i), meta={"passages": tatqa_passages(documents[row["table"]], row["table"])})
        for i, row in enumerate(rows)
    ]
    return judged(traces, [row["label"] for row in rows], gauge)


def statements(documents: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """TAT-QA's questions for one figure as statements: kind, statement, document."""
    for document in documents.values():
        for one in document["questions"]:
            asked = _ASKED.fullmatch(one["question"].strip())
            if one["answer_type"] != "span" or not asked or len(one["answer"]) != 1:
                continue
            answer = str(one["answer"][0]).strip()
            found = list(amounts(answer))
            if len(found) != 1 or found[0].written != answer:
                continue
            unit = f" {one['scale']}" if one["scale"] in ("thousand", "million", "billion") else ""
            unit = "%" if one["scale"] == "percent" and "%" not in answer else unit
            for kind, figure in (("right", answer), ("wrong", _wrong(answer))):
                yield (
                    kind,
                    f"The {asked['what']} {asked['is']} {figure}{unit if found[0].scale == 1 else ''}.",
                    document,
                )


def _wrong(figure: str) -> str:
    digits = [i for i, c in enumerate(figure) if c.isdigit()]
    out = list(figure)
    for i, k in pairwise(digits):
        if out[i] != out[k] and not (i == digits[0] and out[k] == "0"):
            out[i], out[k] = out[k], out[i]
            return "".join(out)
    out[digits[0]] = str(int(out[digits[0]]) % 9 + 1)
    return "".join(out)


def judged(
    traces: Sequence[Trace], expected: Sequence[str], gauge: Gauge
) -> tuple[Counter[tuple[str, str]], list[str]]:
    counts: Counter[tuple[str, str]] = Counter()
    misses = []
    for trace, label, score in zip(traces, expected, gauge.score(traces), strict=True):
        verdicts = [verdict for step in score.steps for verdict in step.verdicts]
        labels = [verdict.label for verdict in verdicts]
        found = next((label for label in ("contradicted", "supported") if label in labels), "not covered")
        counts[label, found] += 1
        if found != {"right": "supported", "wrong": "contradicted"}.get(label, label):
            reasons = "; ".join(verdict.reason or verdict.error or "" for verdict in verdicts) or "no claim"
            misses.append(f"- {label}, found {found}: {trace.response}\n  {reasons}")
    return counts, misses


def measure(file: Path) -> Measured:
    documents = {one["table"]["uid"]: one for one in read_documents(file)}
    gauge = Gauge(scorer=None, claims=["figures"], judges=["table"], retriever="given")
    counts, misses = by_hand(documents, gauge)
    rows = list(statements(documents))
    traces = [Trace("", text, meta={"passages": tatqa_passages(document, "")}) for _, text, document in rows]
    of_questions, more = judged(traces, [kind for kind, *_ in rows], gauge)
    table = Table("steps", "number", *LABELS, box=box.MARKDOWN)
    for label in LABELS:
        table.add_row(f"by hand: {label}", *_figures(counts, label))
    for kind in ("right", "wrong"):
        table.add_row(f"of questions: {kind} figure", *_figures(of_questions, kind))
    equal = f"by hand, equal: {sum(counts[label, label] for label in LABELS)} of {counts.total()}"
    return Measured(table, equal, [*misses, *more])


def _figures(counts: Counter[tuple[str, str]], row: str) -> list[str]:
    found = [counts[row, label] for label in LABELS]
    total = sum(found)
    return [str(total), *(f"{n} ({n / max(total, 1):.1%})" for n in found)]


if __name__ == "__main__":
    sys.exit(run(__doc__, None, measure))
