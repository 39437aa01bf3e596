"""Reads real chains and claims with right/wrong labels (by people or, in PRMBench, by GPT-4o) from shared/data.

Each set is returned as traces with labelled steps, so that judges see it through the panel, like any chain. Evidence
that comes with the data is in `meta["passages"]`, where the retriever `given` finds it.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepgauge.metrics.knowledge.base import ClaimExtractor
from stepgauge.metrics.knowledge.claims.sentence import SENTENCE
from stepgauge.metrics.knowledge.types import Claim
from stepgauge.metrics.segment import Splitter, segment
from stepgauge.metrics.trace import Step, Trace

_LABELLED_STEP = re.compile(r"\W*step\s*(\d+)", re.IGNORECASE)
_SOLUTION = re.compile(r"\W*solution\b", re.IGNORECASE)
NO_ERROR = "N/A"


@dataclass(frozen=True)
class Labelled:
    """A trace with its labelled steps.

    Attributes:
        steps, right: the labelled steps, and whether each is right.
        group: items of the same group are drawn together in a bootstrap, since they share text.
    """

    trace: Trace
    steps: Sequence[Step]
    right: Sequence[bool]
    group: str


@dataclass(frozen=True)
class ScifactRow:
    passage: str
    claim: str
    entailed: bool


def shared_data(*names: str) -> Path:
    """The folder of real data. Raises FileNotFoundError if it, or one of the subfolders `names`, does not exist."""
    root = os.environ.get("STEPGAUGE_SHARED")
    for name in names or ("",):
        if not root or not (Path(root) / "data" / name).is_dir():
            raise FileNotFoundError(
                f"no real data: STEPGAUGE_SHARED is {root!r}, expected a folder holding {Path('data') / name}/"
            )
    return Path(str(root)) / "data"


def read_scifact(data: Path, half: str) -> list[ScifactRow]:
    """SciFact as text pairs; `half` is "train" or "dev"."""
    with (data / "scifact-rte" / f"{half}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [ScifactRow(row["sentence1"], row["sentence2"], row["entailment"] == "entailment") for row in rows]


def scifact_dev(data: Path) -> list[Labelled]:
    """A claim, a passage from a paper, and whether the passage entails the claim."""
    return [
        _claim(row.claim, row.passage, row.entailed, f"scifact dev {i}", row.passage)
        for i, row in enumerate(read_scifact(data, "dev"))
    ]


def medec_validation(data: Path) -> list[Labelled]:
    """The wrong sentence of a clinical note, and its correction; the evidence is the rest of the note."""
    path = data / "medec" / "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Error Flag"] == "1"]
    items = []
    for row in rows:
        rest = [line for line in row["Sentences"].splitlines() if line.partition(" ")[0] != row["Error Sentence ID"]]
        evidence = " ".join(line.partition(" ")[2] for line in rest)
        for name, right in (("Error Sentence", False), ("Corrected Sentence", True)):
            items.append(_claim(row[name], evidence, right, f"{row['Text ID']} {name}", row["Text ID"]))
    return items


def mrben_medicine(data: Path) -> list[Labelled]:
    """Steps of chains that annotators found wrong: the first wrong step and the steps before it, without the rest."""
    items = []
    for row in mrben_rows(data):
        first = row["Model_Solution_First_Error_Step"]
        steps = mrben_steps(row["Model_Solution_Steps"])
        if first == NO_ERROR or int(first) not in steps:
            continue
        trace, cut = given_steps(_question(row), steps.values(), f"{row['Question_UUID']} {row['Sampled_Model']}")
        numbered = list(zip(steps, cut, strict=True))
        kept = [(number, step) for number, step in numbered if number <= int(first)]
        right = [number < int(first) for number, _ in kept]
        items.append(Labelled(trace, [step for _, step in kept], right, str(trace.id)))
    return items


def prmbench_counterfactual(data: Path) -> list[Labelled]:
    """Steps of solutions in which GPT-4o planted errors that contradict known facts, labelled by the authors."""
    path = data / "prmbench" / "prm800k_test_p1_4o_counterfactual.jsonl"
    items = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        trace, steps = given_steps(row["modified_question"], row["modified_process"], row["idx"])
        right = [number not in row["error_steps"] for number in range(1, len(steps) + 1)]
        items.append(Labelled(trace, steps, right, row["idx"]))
    return items


def mrben_rows(data: Path) -> list[dict[str, Any]]:
    """All solutions to MR-Ben's medical questions."""
    questions = json.loads((data / "mrben" / "medicine.json").read_text(encoding="utf-8"))
    return [row for solutions in questions.values() for row in solutions]


def mrben_steps(lines: Sequence[str]) -> dict[int, str]:
    """The steps by the annotators' step number.

    MR-Ben's lists hold lines. "Step 3: …" begins step 3, which continues to the next such line; a line that begins with
    "Solution" after the last step begins one more. Lines before "Step 1" belong to no step.
    """
    steps: dict[int, list[str]] = {}
    number = 0
    for line in lines:
        if found := _LABELLED_STEP.match(line):
            number = int(found.group(1))
        elif number and _SOLUTION.match(line):
            number += 1
        if number:
            steps.setdefault(number, []).append(line)
    return {number: "\n".join(own) for number, own in steps.items()}


def given_steps(question: str, texts: Iterable[str], name: str) -> tuple[Trace, list[Step]]:
    """A trace built from given steps in order. Raises ValueError if one of them is empty."""
    response, spans = "", []
    for text in texts:
        spans.append((len(response), len(response) + len(text)))
        response += text + "\n"
    trace = Trace(question, response, id=name)
    steps = segment([trace], Splitter("given", lambda _: spans))[0].steps
    if len(steps) != len(spans):
        raise ValueError(f"chain {name!r}: an empty step, so that the labels cannot be told apart")
    return trace, steps


def _question(row: dict[str, Any]) -> str:
    return f"{row['Question']}\n{row['Options']}"


def _claim(text: str, evidence: str, right: bool, name: str, group: str) -> Labelled:
    """A sentence as a trace with one step, with its evidence."""
    trace = Trace("", text, id=name, meta={"passages": [{"id": group[:40], "text": evidence}]})
    return Labelled(trace, [Step(text, 0, len(text))], [right], group)


def _whole_steps(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim]]:
    del traces
    return [[Claim(s.text, i, s.start, s.end, SENTENCE, s.text) for i, s in enumerate(own)] for own in steps]


# For sets of single sentences that annotators chose as claims: each is used as a claim, without extraction.
WHOLE_STEPS = ClaimExtractor("whole steps", _whole_steps)

Reader = Callable[[Path], list[Labelled]]
