"""Functions for the YAMLs in `lm_eval/finance`: readers of TAT-QA and FinQA, and the filter for amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset
from lm_eval.api.filter import Filter

from ..metrics.answers.extraction import extract_answer
from .financial_questions import FinancialQuestion, read_documents, read_finqa, read_tatqa
from .hub_files import FINQA, tatqa_file
from .jsonl import read_rows
from .lm_eval_medical import INVALID, mmlu_pro


def tatqa(data_files: str | Mapping[str, str] | None = None, **_: Any) -> dict[str, Dataset]:
    """TAT-QA's questions whose answer is worked out, from the published JSON.

    Args:
        data_files: that file here (gzip or not), as in `dataset_kwargs: {data_files: {test: …}}`; None: the hub's
            development split.

    Raises:
        ValueError: the file is no TAT-QA; names document and field.
    """
    path = _path(data_files) or tatqa_file()
    return {"test": _documents(read_tatqa(read_documents(path), path.name))}


def finqa(data_files: str | Mapping[str, str] | None = None, **_: Any) -> dict[str, Dataset]:
    """FinQA's test set, or the rows of a file of its JSON; see `tatqa`."""
    path = _path(data_files)
    if path is None:
        rows: Iterable[Any] = load_dataset(FINQA.name, revision=FINQA.revision, split=FINQA.split)
    else:
        rows = read_rows(path)
    source = path.name if path is not None else FINQA.name
    questions = (read_finqa(dict(row), f"{source}, row {number}") for number, row in enumerate(rows, 1))
    return {"test": _documents(questions)}


def mmlu_pro_business(rows: Iterable[Mapping[str, Any]]) -> Dataset:
    """MMLU-Pro's documents in the category business; see `lm_eval_medical.mmlu_pro`."""
    return mmlu_pro(rows, "business")


def mmlu_pro_economics(rows: Iterable[Mapping[str, Any]]) -> Dataset:
    """MMLU-Pro's documents in the category economics; see `lm_eval_medical.mmlu_pro`."""
    return mmlu_pro(rows, "economics")


class AmountFilter(Filter):
    """The gold answer where a response announces it, in any form ("$94 million", "-94"); else what it announces."""

    def apply(self, resps: Iterable[Sequence[Any]], docs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        return [
            [_stated(response, FinancialQuestion.restored(doc)) for response in responses]
            for responses, doc in zip(resps, docs, strict=True)
        ]


def _stated(response: Any, question: FinancialQuestion) -> str:
    if not isinstance(response, str):
        return INVALID
    return question.answer if question.is_right(response) else (extract_answer(response) or INVALID)


def _documents(questions: Iterable[FinancialQuestion]) -> Dataset:
    rows = [{**question.to_row(), "context": question.context} for question in questions]
    if not rows:
        raise ValueError("no question whose answer is worked out")
    return Dataset.from_list(rows)


def _path(data_files: str | Mapping[str, str] | None) -> Path | None:
    if data_files is None:
        return None
    return Path(data_files if isinstance(data_files, str) else next(iter(data_files.values())))
