"""Functions for the YAMLs in `lm_eval/legal`: document readers (`process_docs`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from datasets import Dataset

from .legal_questions import DIVERSITY, read_lsat, read_rule_question
from .lm_eval_medical import mmlu_pro

Rows = Iterable[Mapping[str, Any]]


def _rule(task: str) -> Callable[[Rows], Dataset]:
    def process(rows: Rows) -> Dataset:
        """Documents `id, facts, asks, rule, question, passages, answer`. Raises ValueError naming row and field."""
        questions = [read_rule_question(row, f"row {number}", task) for number, row in enumerate(rows, 1)]
        return Dataset.from_list(
            [
                {
                    "id": one.id,
                    "facts": one.facts,
                    "asks": one.asks,
                    "rule": one.stated_rule,
                    "passages": one.passages,
                    "answer": one.answer,
                }
                for one in questions
            ]
        )

    return process


hearsay = _rule("hearsay")
personal_jurisdiction = _rule("personal_jurisdiction")
diversity_1, diversity_2, diversity_3, diversity_4, diversity_5, diversity_6 = (_rule(name) for name in DIVERSITY)


def lsat(rows: Rows) -> Dataset:
    """Documents `id, question, choices, answer` (a letter) `, gold`. Raises ValueError naming row and field."""
    questions = [read_lsat(row, f"row {number}") for number, row in enumerate(rows, 1)]
    return Dataset.from_list(
        [
            {
                "id": one.id,
                "question": one.text,
                "choices": list(one.options),
                "answer": one.answer,
                "gold": one.gold,
            }
            for one in questions
        ]
    )


def mmlu_pro_law(rows: Rows) -> Dataset:
    """MMLU-Pro's documents in the category law; see `lm_eval_medical.mmlu_pro`."""
    return mmlu_pro(rows, "law")
