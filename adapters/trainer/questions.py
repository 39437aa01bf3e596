"""The held-out questions that a model in training answers, read from rows of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ...metrics import Trace
from ...metrics.answers.extraction import AnswerMatcher, extract_answer
from ...metrics.engine.greedy import Written
from ...metrics.segment import segment
from ...metrics.segment.sections import without_run_on
from ..formats.entries import Entry, Where, identifier, subject_of
from ..gold import gold_answers
from .answering import Prompt

ACCURACY = "accuracy"
TASK = "held-out questions"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        row: its place among those given, from 1.
        prompt: what the model is given in its place; None: the question.
        doc_id: its `id` or `doc_id`, else `row`.
    """

    row: int
    question: str
    answers: Sequence[str]
    choices: Sequence[str] | None
    prompt: Prompt | None
    doc_id: str | int
    subject: str | None

    def trace(self, response: str) -> Trace:
        """Raises ValueError for a gold answer that is none of the choices."""
        return Trace(
            self.question,
            response,
            self.answers,
            self.choices,
            model_answer=extract_answer(without_run_on(response)),
            id=str(self.doc_id),
        )

    def entry(self, answer: Written) -> Entry:
        """What the model wrote, as a row of a finished run."""
        trace = self.trace(answer.text)
        read = {} if trace.model_answer is None else {ACCURACY: trace.model_answer}
        return Entry(
            Where(TASK, self.row),
            trace,
            task=TASK,
            doc_id=self.doc_id,
            accuracy={ACCURACY: float(is_right(trace))},
            subject=self.subject,
            truncated=answer.truncated,
            read_answers=read,
        )


def read_questions(rows: Iterable[Mapping[str, Any]], n: int | None) -> list[Question]:
    """The first n rows, or all. Raises ValueError for a row without question or gold answer, or for no rows."""
    if n is not None:
        check_count("n", n)
    found = [_question(i, row) for i, row in enumerate(islice(rows, n), 1)]
    if not found:
        raise ValueError("questions: there is none")
    return found


def check_count(name: str, value: Any) -> None:
    """Raises ValueError for what is no whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} {value!r}: expected a whole number, 1 or more")


def is_right(trace: Trace) -> bool:
    """Whether a response is right: the answer that it announces last is a gold one.

    Of one that announces none: whether its last step states a gold one as a result.
    """
    matcher = AnswerMatcher(trace.answers, trace.question, trace.choices)
    if trace.model_answer is not None:
        return matcher.is_answer(trace.model_answer)
    (cut,) = segment([trace])
    return bool(cut.steps) and matcher.states(cut.steps[-1].text)


def _question(number: int, row: Mapping[str, Any]) -> Question:
    where = f"questions[{number - 1}]"
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: expected a mapping with question and answer, got {type(row).__name__}")
    question, value, prompt = row.get("question"), row.get("answer"), row.get("prompt")
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"{where}: expected text under 'question', got {question!r:.80}")
    if prompt is not None and not isinstance(prompt, str | list):
        raise ValueError(f"{where}: expected a text or a list of messages under 'prompt', got {prompt!r:.80}")
    options = row.get("choices")
    if isinstance(options, str | Mapping) or not isinstance(options, Iterable | None):
        raise ValueError(f"{where}: expected a list of options under 'choices', got {options!r:.80}")
    choices = None if options is None else list(options)
    values = value if isinstance(value, list | tuple) else [value]
    try:
        answers = gold_answers(values, choices)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if not answers:
        raise ValueError(f"{where}: no gold answer under 'answer'; the row has {', '.join(map(str, row))[:200]}")
    doc_id = next((found for name in ("id", "doc_id") if (found := identifier(row.get(name))) is not None), number)
    made = Question(number, question, answers, choices, prompt, doc_id, subject_of(row))
    try:
        made.trace("")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    return made
