"""Functions for the YAMLs in `lm_eval/medical`: document readers (`process_docs`) and filters that extract answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datasets import Dataset
from lm_eval.api.filter import Filter

from .medical_questions import official_test_ids, read_abstract_question, read_question, unfolded
from .stated_answers import stated_decision, stated_letter

INVALID = "[invalid]"  # lm-eval's word for a response without an answer


def multiple_choice(rows: Iterable[Mapping[str, Any]]) -> Dataset:
    """Documents `id, question, choices, answer` (a letter) `, gold` (that option's text).

    Raises ValueError naming the row and the field.
    """
    questions = [read_question(row, f"row {number}") for number, row in enumerate(rows, 1)]
    return Dataset.from_list(
        [
            {
                "id": question.id,
                "question": question.text,
                "choices": list(question.options),
                "answer": question.answer,
                "gold": question.gold,
            }
            for question in questions
        ]
    )


def mmlu_pro_health(rows: Iterable[Mapping[str, Any]]) -> Dataset:
    """MMLU-Pro's documents in the category health; see `mmlu_pro_category`."""
    return mmlu_pro_category(rows, "health")


def mmlu_pro_category(rows: Iterable[Mapping[str, Any]], category: str) -> Dataset:
    """MMLU-Pro's documents in a category, with the fields that lm-eval's `mmlu_pro` reads, and `gold`.

    Rows without a category are assumed to be in it.

    Raises:
        ValueError: no row is left, or a row is malformed; names the row and the field.
    """
    documents = []
    for number, row in enumerate(rows, 1):
        if row.get("category") not in (None, "", category):
            continue
        question = read_question(row, f"row {number}")
        documents.append(
            {
                "question_id": question.id,
                "question": question.text,
                "options": list(question.options),
                "answer": question.answer,
                "gold": question.gold,
                "cot_content": str(row.get("cot_content") or ""),
                "category": category,
            }
        )
    if not documents:
        raise ValueError(f"no row of the category {category!r}")
    return Dataset.from_list(documents)


def pubmedqa(rows: Iterable[Mapping[str, Any]]) -> Dataset:
    """Documents `id, question, abstract, passages, answer`: for PubMedQA's 1,000 labelled questions the official test
    set (500), for any other rows all of them.

    Raises ValueError naming the row and the field.
    """
    questions = [read_abstract_question(row, f"row {number}") for number, row in enumerate(unfolded(rows), 1)]
    chosen = official_test_ids({question.id: question.answer for question in questions})
    return Dataset.from_list(
        [
            {
                "id": question.id,
                "question": question.text,
                "abstract": question.abstract,
                "passages": list(question.passages),
                "answer": question.answer,
            }
            for question in questions
            if question.id in chosen
        ]
    )


class LetterFilter(Filter):
    """The letter of the option that a response announces (`stated_answers.stated_letter`), else "[invalid]"."""

    def apply(self, resps: Iterable[Sequence[Any]], docs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        return [
            [
                (stated_letter(response, doc.get("choices") or doc["options"]) if isinstance(response, str) else None)
                or INVALID
                for response in responses
            ]
            for responses, doc in zip(resps, docs, strict=True)
        ]


class DecisionFilter(Filter):
    """The "yes", "no" or "maybe" that a response announces (`stated_answers.stated_decision`), else "[invalid]"."""

    def apply(self, resps: Iterable[Sequence[Any]], docs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        del docs
        return [
            [(stated_decision(response) if isinstance(response, str) else None) or INVALID for response in responses]
            for responses in resps
        ]
