"""The input of a comparison: one `Run` per model, with a `Record` per response, scored or not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..answers.abstaining import Outcome
from ..answers.option_list import without_option_list
from ..score import ChainScore

# Stands in a record whose response no scorer has read.
UNSCORED = ChainScore(id=None, trace_hash="", steps=(), log_likelihoods=(), n_answer_tokens=None, metrics={})


@dataclass(frozen=True)
class Record:
    """One response of one model.

    Attributes:
        task: the task's name in the run; "" if it has none.
        question: what the model was asked.
        question_hash: hash of what is asked, options and all (`question_hash` below).
        score: steps, numbers, reasons for missing ones, provenance; `UNSCORED` where no scorer has read the response.
        accuracy: the run's own metrics of this response by name; empty where it has none.
        accuracy_shared: why `accuracy` is of all responses to the question together and not of this one; None: it is
            of this one.
        doc_id: the document's id in its task, or None.
        subject: category within the task, or None.
        answer: the gold answers.
        model_answer: the answer that stepgauge or the run read from the response, if any.
        read_answers: the answers that the run's own metrics saw, by the metric's name.
        truncated: whether a length limit cut the response off; None if the run does not say.
        unfinished: whether the response ends mid-sentence, as responses that were cut off do; None: not known.
        length: characters of the response; None: not known.
        stance: whether the response answers or abstains, or that this cannot be told; None: no response in the file.
        choices: the options of a multiple-choice question, where the file has them.
        should_abstain: whether the question should be left unanswered; None: the data do not say.
        where: file and row, for error messages.
    """

    task: str
    question: str
    question_hash: str
    score: ChainScore = UNSCORED
    accuracy: Mapping[str, float] = field(default_factory=dict)
    doc_id: str | None = None
    subject: str | None = None
    answer: Sequence[str] = ()
    model_answer: str | None = None
    truncated: bool | None = None
    where: str = ""
    accuracy_shared: str | None = None
    read_answers: Mapping[str, str] = field(default_factory=dict)
    unfinished: bool | None = None
    length: int | None = None
    stance: Outcome | None = None
    choices: Sequence[str] | None = None
    should_abstain: bool | None = None

    @property
    def scored(self) -> bool:
        """Whether a scorer has read the response, with whatever success."""
        return self.score is not UNSCORED

    def answer_under(self, metric: str | None) -> str | None:
        """The answer that this metric saw, or that was read from the response; None where there is none."""
        return self.read_answers.get(metric or "", self.model_answer) or None

    @property
    def cut_off(self) -> bool | None:
        """Whether a limit cut the response off: as the run says, else whether it ends mid-sentence; None: not known."""
        return self.unfinished if self.truncated is None else self.truncated


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
