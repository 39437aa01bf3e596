"""The input of a comparison: one `Run` per model, with a `Record` per scored chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..answers.option_list import without_option_list
from ..score import ChainScore


@dataclass(frozen=True)
class Record:
    """One scored chain of one model.

    Attributes:
        task: the task's name in the run; "" if it has none.
        question: what the model was asked.
        question_hash: hash of what is asked, options and all (`question_hash` below).
        score: steps, numbers, reasons for missing ones, provenance.
        accuracy: the run's own metrics of this chain by name; empty where it has none.
        doc_id: the document's id in its task, or None.
        subject: category within the task, or None.
        answer: the gold answers.
        model_answer: the model's extracted answer, if the run records it.
        truncated: whether a length limit cut the response off; None if the run does not say.
        where: file and row, for error messages.
    """

    task: str
    question: str
    question_hash: str
    score: ChainScore
    accuracy: Mapping[str, float] = field(default_factory=dict)
    doc_id: str | None = None
    subject: str | None = None
    answer: Sequence[str] = ()
    model_answer: str | None = None
    truncated: bool | None = None
    where: str = ""


@dataclass(frozen=True)
class Run:
    """The scored chains of one model, from one or several files.

    Attributes:
        name: the model's name in tables; unique among the runs compared.
        records: in the order of the files; repeats of a question are records of their own.
        source: the path that was given.
        notes: remarks on how the run was read (rows left out, a filter chosen, …).
    """

    name: str
    records: Sequence[Record]
    source: str = ""
    notes: Sequence[str] = ()


def cluster_of(question: str, digest: str, task: str | None, doc_id: str | None) -> str:
    """The key of a resampling cluster: chains with the same question text; without a text, of the same document."""
    return digest if question.strip() else f"{task}\0{doc_id}"


def question_hash(question: str, choices: Sequence[str] | None = None) -> str:
    """Hex digest of what is asked, white space collapsed: pairs chains of different runs.

    Args:
        choices: the options of a multiple-choice question. Where its text does not list them they are part of what is
            asked, in any order: the same stem with other options is another question.
    """
    asked: Any = " ".join(question.split())
    if choices and without_option_list(question, choices) == asked:
        asked = [asked, sorted({" ".join(choice.split()) for choice in choices})]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
