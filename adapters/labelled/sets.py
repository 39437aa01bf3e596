"""Public sets of labelled claims and steps, read from a folder that the user names. Nothing is fetched.

Evidence that comes with a set is in `meta["passages"]`, where the retriever `given` finds it.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...metrics.judge_check.items import Labelled
from ...metrics.names import unknown_name
from ...metrics.retrieval.words import words
from ...metrics.segment import Splitter, segment
from ...metrics.trace import Step, Trace
from ..formats.options import OptionError

NO_ERROR = "N/A"
_LABELLED_STEP = re.compile(r"\W*step\s*(\d+)", re.IGNORECASE)
_SOLUTION = re.compile(r"\W*solution\b", re.IGNORECASE)
_PASSAGES = 5  # clauses of a contract that a judge is shown
_CONTRACT = {"Entailment": "supported", "Contradiction": "contradicted", "NotMentioned": "not covered"}


@dataclass(frozen=True)
class LabelledSet:
    """A public set.

    Attributes:
        file: where it lies in the user's folder.
        read: reads that file.
        claims: the extractors that find its claims; empty: each step is a claim.
        source: where to get it.
    """

    file: str
    read: Callable[[Path], list[Labelled]]
    source: str
    claims: tuple[str, ...] = ()


def read_set(name: str, folder: Path) -> list[Labelled]:
    """The items of a public set. Raises OptionError where the name is not known, or its file not there or damaged."""
    if name not in SETS:
        raise OptionError(unknown_name("set", name, SETS))
    chosen = SETS[name]
    path = folder / chosen.file
    if not path.is_file():
        raise OptionError(f"{name}: no {chosen.file} in {folder}; get it from {chosen.source}")
    try:
        return chosen.read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error, EOFError) as error:
        raise OptionError(f"{path}: not {name} as {chosen.source} has it: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class ScifactRow:
    """A passage, a claim, and whether the passage entails the claim."""

    passage: str
    claim: str
    entailed: bool


def scifact_rows(path: Path) -> list[ScifactRow]:
    """SciFact as text pairs."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [ScifactRow(row["sentence1"], row["sentence2"], row["entailment"] == "entailment") for row in rows]


def scifact(path: Path) -> list[Labelled]:
    """A claim, a passage from a paper, and whether the passage entails the claim; a document is a passage."""
    return [
        _claim(row.claim, [(row.passage[:40], row.passage)], row.entailed, f"scifact {i}", row.passage)
        for i, row in enumerate(scifact_rows(path))
    ]


def medec(path: Path) -> list[Labelled]:
    """The wrong sentence of a clinical note, and its correction; the evidence is the rest of the note."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Error Flag"] == "1"]
    items = []
    for row in rows:
        rest = [line for line in row["Sentences"].splitlines() if line.partition(" ")[0] != row["Error Sentence ID"]]
        evidence = " ".join(line.partition(" ")[2] for line in rest)
        for name, right in (("Error Sentence", False), ("Corrected Sentence", True)):
            note = row["Text ID"]
            items.append(_claim(row[name], [(note[:40], evidence)], right, f"{note} {name}", note))
    return items


def contractnli(path: Path) -> list[Labelled]:
    """Seventeen hypotheses about each contract: supported, contradicted, not covered by it.

    The evidence are the clauses of the contract that share most words with the hypothesis, each word weighted by how
    few clauses have it: not the annotated ones, of which a hypothesis that is not covered has none.
    """
    with gzip.open(path, "rt", encoding="utf-8") as file:
        data = json.load(file)
    items = []
    for document in data["documents"]:
        text = document["text"]
        clauses = [text[start:end] for start, end in document["spans"] if text[start:end].strip()]
        group = f"contract {document['id']}"
        nearest = _Nearest(clauses)
        for name, annotation in document["annotation_sets"][0]["annotations"].items():
            hypothesis, truth = data["labels"][name]["hypothesis"], _CONTRACT[annotation["choice"]]
            passages = [(f"{group} clause {i + 1}", clauses[i]) for i in nearest.to(hypothesis, _PASSAGES)]
            right = truth == "supported"
            items.append(_claim(hypothesis, passages, right, f"{group} {name}", group, truth))
    return items


def mrben(path: Path) -> list[Labelled]:
    """Steps of chains that annotators found wrong: the first wrong step and the steps before it, without the rest."""
    items = []
    for row in mrben_rows(path):
        first = row["Model_Solution_First_Error_Step"]
        steps = mrben_steps(row["Model_Solution_Steps"])
        if first == NO_ERROR or int(first) not in steps:
            continue
        question = f"{row['Question']}\n{row['Options']}"
        trace, cut = given_steps(question, steps.values(), f"{row['Question_UUID']} {row['Sampled_Model']}")
        numbered = list(zip(steps, cut, strict=True))
        kept = [(number, step) for number, step in numbered if number <= int(first)]
        right = [number < int(first) for number, _ in kept]
        items.append(Labelled(trace, [step for _, step in kept], right, str(trace.id)))
    return items


def prmbench(path: Path) -> list[Labelled]:
    """Steps of solutions in which GPT-4o planted errors that contradict known facts, labelled by the authors."""
    items = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        trace, steps = given_steps(row["modified_question"], row["modified_process"], row["idx"])
        right = [number not in row["error_steps"] for number in range(1, len(steps) + 1)]
        items.append(Labelled(trace, steps, right, row["idx"]))
    return items


def mrben_rows(path: Path) -> list[dict[str, Any]]:
    """All solutions to the questions of one of MR-Ben's subjects."""
    questions = json.loads(path.read_text(encoding="utf-8"))
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


class _Nearest:
    """The clauses of one contract by the words that they share with a text."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._words = [set(words(text)) for text in texts]
        self._frequency = Counter(word for own in self._words for word in own)

    def to(self, text: str, n: int) -> list[int]:
        """The n nearest, in the order of the contract."""
        wanted = set(words(text))
        near = [sum(1 / self._frequency[word] for word in own & wanted) for own in self._words]
        best = sorted(range(len(near)), key=lambda i: (-near[i], i))[:n]
        return sorted(i for i in best if near[i])


def _claim(
    text: str, passages: Sequence[tuple[str, str]], right: bool, name: str, group: str, truth: str = ""
) -> Labelled:
    """A sentence as a trace with one step, with its evidence."""
    trace = Trace("", text, id=name, meta={"passages": [{"id": own, "text": one} for own, one in passages]})
    return Labelled(trace, [Step(text, 0, len(text))], [right], group, [truth] if truth else ())


SETS: Mapping[str, LabelledSet] = {
    "scifact": LabelledSet(
        "scifact-rte/dev.tsv", scifact, "RTE-scifact/dev.tsv of https://github.com/asaakyan/covidfact"
    ),
    "medec": LabelledSet(
        "medec/MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv",
        medec,
        "MEDEC-MS of https://github.com/abachaa/MEDEC",
    ),
    "contractnli": LabelledSet(
        "contractnli/dev.json.gz", contractnli, "dev.json, gzipped, of https://stanfordnlp.github.io/contract-nli"
    ),
    "mrben": LabelledSet(
        "mrben/medicine.json",
        mrben,
        "data/medicine.json of https://github.com/dvlab-research/Mr-Ben",
        ("sentence", "arithmetic"),
    ),
    "prmbench": LabelledSet(
        "prmbench/prm800k_test_p1_4o_counterfactual.jsonl",
        prmbench,
        "mr_eval/tasks/prmtest_classified/data of https://github.com/ssmisya/PRMBench",
        ("arithmetic",),
    ),
}
