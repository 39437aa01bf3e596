"""Inspect tasks on medical questions: `stepgauge/medqa`, `medmcqa`, `pubmedqa` and `mmlu_pro_health`.

Each asks for a chain of thought with Inspect's own `multiple_choice` prompt and shows `choice()` accuracy beside the
reasoning scores. The data come from the hub, or from a local file (`-T path=rows.jsonl`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from inspect_ai import Task, task
from inspect_ai.dataset import Dataset, MemoryDataset, Sample, hf_dataset
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Scorer, choice
from inspect_ai.solver import multiple_choice

from ...adapters.inspect.options import OptionError
from ...adapters.inspect.scorers import reasoning
from ...adapters.inspect.viewer import viewer_config
from ...metrics.knowledge.components import Part
from ..jsonl import read_rows
from ..medical_questions import (
    DECISIONS,
    LETTERS,
    AbstractQuestion,
    Question,
    official_test_ids,
    read_abstract_question,
    read_question,
    unfolded,
)

MAX_TOKENS = 2048
Parts = Sequence[Part] | Part | None
Read = TypeVar("Read", Question, AbstractQuestion)

# Data set, configuration, split: those of the tasks in `lm_eval/medical`.
HUB: dict[str, tuple[str, str | None, str]] = {
    "medqa": ("GBaker/MedQA-USMLE-4-options-hf", None, "test"),
    "medmcqa": ("openlifescienceai/medmcqa", None, "validation"),
    "pubmedqa": ("qiaojin/PubMedQA", "pqa_labeled", "train"),
    **{
        f"mmlu_pro_{category}": ("TIGER-Lab/MMLU-Pro", None, "test")
        for category in ("business", "economics", "health", "law")
    },
}


@task
def medqa(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = None,
    judges: Parts = None,
) -> Task:
    """MedQA (Jin et al. 2020, arXiv 2009.13081): USMLE questions with four options; 1,273 test questions on the hub.

    Args:
        path: JSONL or JSON file of questions to use instead of the hub's; see `medical_questions.read_question` for
            the accepted rows.
        scorer: the scoring LM; None: no likelihoods, Knowledge Index only.
        corpus: indexed corpus (`stepgauge corpus build`) to judge sentences against; by default KI checks arithmetic.
        retriever, claims, judges: as in `stepgauge/reasoning`; with `corpus` by default `bm25`, `arithmetic,sentence`
            and `exact,lm`.

    Raises:
        ValueError: a row is not a question; names file, row and field.
    """
    return question_task("medqa", path, reasoning_scorer(scorer, corpus, retriever, claims, judges))


@task
def medmcqa(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = None,
    judges: Parts = None,
) -> Task:
    """MedMCQA (Pal et al. 2022, arXiv 2203.14371): entrance examinations, four options; the 4,183 validation questions,
    since the test set has no answers.

    Args:
        path, scorer, corpus, retriever, claims, judges: as in `medqa`.
    """
    return question_task("medmcqa", path, reasoning_scorer(scorer, corpus, retriever, claims, judges))


@task
def mmlu_pro_health(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = None,
    judges: Parts = None,
) -> Task:
    """MMLU-Pro (Wang et al. 2024, arXiv 2406.01574), category health: 818 questions with up to ten options.

    Args:
        path, scorer, corpus, retriever, claims, judges: as in `medqa`; rows of another category are left out.
    """
    return question_task("mmlu_pro_health", path, reasoning_scorer(scorer, corpus, retriever, claims, judges), "health")


@task
def pubmedqa(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = ("arithmetic", "sentence"),
    judges: Parts = ("exact", "lm"),
) -> Task:
    """PubMedQA (Jin et al. 2019, arXiv 1909.06146): yes, no or maybe in answer to a question about an abstract.

    The abstract is in the prompt, and its sections are the passages against which the chain's sentences are judged.
    From the 1,000 labelled questions the official test set (500) is used; from any other file all rows.

    Args:
        path: JSONL or JSON file; see `medical_questions.read_abstract_question` for the accepted rows.
        scorer: the scoring LM; None: no likelihoods, Knowledge Index only.
        corpus: an indexed corpus to judge sentences against instead of the abstract.
        retriever: by default `given` (the abstract), with `corpus` `bm25`.
        claims, judges: as in `stepgauge/reasoning`.
    """
    retriever = retriever or ("bm25" if corpus else "given")
    return choice_task(_pubmedqa_dataset(path), reasoning_scorer(scorer, corpus, retriever, claims, judges))


def question_task(name: str, path: str | None, score: Scorer, category: str = "") -> Task:
    samples = [question_sample(question) for question in _questions(name, path, read_question, category)]
    if not samples:
        which = f" of the category {category!r}" if category else ""
        raise OptionError(f"stepgauge/{name}: no question{which} in {path or HUB[name][0]}")
    return choice_task(MemoryDataset(samples, name=name, location=path), score)


def _pubmedqa_dataset(path: str | None) -> Dataset:
    questions = _questions("pubmedqa", path, read_abstract_question)
    chosen = official_test_ids({question.id: question.answer for question in questions})
    samples = [_abstract_sample(question) for question in questions if question.id in chosen]
    return MemoryDataset(samples, name="pubmedqa", location=path)


def choice_task(dataset: Dataset, score: Scorer) -> Task:
    return Task(
        dataset=dataset,
        solver=multiple_choice(cot=True),
        scorer=[choice(), score],
        config=GenerateConfig(max_tokens=MAX_TOKENS),
        viewer=viewer_config(),
    )


def _questions(
    name: str, path: str | None, read: Callable[[Mapping[str, Any], str], Read], category: str = ""
) -> list[Read]:
    """The rows of the file or of the hub, read with their location for error messages, without other categories."""
    if path is None:
        source, rows = HUB[name][0], hub_rows(*HUB[name])
    else:
        source, rows = path, read_rows(Path(path))
    return [
        read(row, f"{source}, row {number}")
        for number, row in enumerate(unfolded(rows), 1)
        if not category or row.get("category") in (None, "", category)
    ]


def hub_rows(source: str, configuration: str | None, split: str, revision: str | None = None) -> list[dict[str, Any]]:
    samples = hf_dataset(source, name=configuration, split=split, sample_fields=_as_it_is, revision=revision)
    return [(sample.metadata or {})["row"] for sample in samples]


def _as_it_is(row: dict[str, Any]) -> Sample:
    """Wraps a row so that it passes through `hf_dataset`, which downloads and caches but requires samples."""
    return Sample(input="", metadata={"row": row})


def question_sample(question: Question) -> Sample:
    return Sample(
        id=question.id,
        input=question.text,
        choices=list(question.options),
        target=question.answer,
        metadata={"category": question.category},
    )


def _abstract_sample(question: AbstractQuestion) -> Sample:
    return Sample(
        id=question.id,
        input=f"Abstract: {question.abstract}\n\nQuestion: {question.text}",
        choices=list(DECISIONS),
        target=LETTERS[DECISIONS.index(question.answer)],
        metadata={"passages": list(question.passages)},
    )


def reasoning_scorer(
    scorer: str | None, corpus: str | None, retriever: Part | None, claims: Parts, judges: Parts
) -> Scorer:
    options: dict[str, Any] = {"corpus": corpus, "retriever": retriever, "claims": claims, "judges": judges}
    if corpus is not None:
        usual = {"retriever": "bm25", "claims": ("arithmetic", "sentence"), "judges": ("exact", "lm")}
        options |= {name: value for name, value in usual.items() if options[name] is None}
    return reasoning(scorer=scorer, **{name: value for name, value in options.items() if value is not None})
