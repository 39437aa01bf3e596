"""Inspect tasks on legal questions: `stepgauge/hearsay`, `personal_jurisdiction`, `diversity`, `mmlu_pro_law`, `lsat`.

Each asks for a chain of thought with Inspect's own `multiple_choice` prompt and shows `choice()` accuracy beside the
reasoning scores. The data come from the hub, or from a local file (`-T path=test.tsv`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample

from ...adapters.inspect.options import OptionError
from ...metrics.knowledge.components import Part
from ..jsonl import read_rows
from ..legal_questions import ANSWERS, DIVERSITY, RuleQuestion, read_lsat, read_rule_question
from ..medical_questions import LETTERS
from .medical import Parts, choice_task, hub_rows, question_sample, question_task, reasoning_scorer

LEGALBENCH = "nguha/legalbench"
LSAT = "hails/agieval-lsat-{}"
CLAIMS = ("arithmetic", "citations", "sentence")
JUDGES = ("exact", "quote", "lm")


@task
def hearsay(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = CLAIMS,
    judges: Parts = JUDGES,
) -> Task:
    """LegalBench's hearsay (Guha et al. 2023, arXiv 2308.11462): is a piece of evidence hearsay? 94 questions.

    Rule 801(a) and (c) stand in the prompt; with the facts they are what the chain's claims are judged against.

    Args:
        path: TSV, JSONL or JSON file of rows to use instead of the hub's, see `legal_questions.read_rule_question`.
        scorer: the scoring LM; None: no likelihoods, Knowledge Index only.
        corpus: an indexed corpus to judge claims against instead of rule and facts.
        retriever: by default `given` (rule and facts), with `corpus` `provision`.
        claims, judges: as in `stepgauge/reasoning`.

    Raises:
        ValueError: a row is not a question; names file, row and field.
    """
    return _rule_task("hearsay", path, scorer, corpus, retriever, claims, judges)


@task
def personal_jurisdiction(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = CLAIMS,
    judges: Parts = JUDGES,
) -> Task:
    """LegalBench's personal_jurisdiction: has a court jurisdiction over a defendant? 50 questions, the rule given.

    Args:
        path, scorer, corpus, retriever, claims, judges: as in `hearsay`.
    """
    return _rule_task("personal_jurisdiction", path, scorer, corpus, retriever, claims, judges)


@task
def diversity(
    number: int = 6,
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = CLAIMS,
    judges: Parts = JUDGES,
) -> Task:
    """LegalBench's diversity_1 to diversity_6: is there diversity jurisdiction? 300 questions each, the rule given.

    Args:
        number: 1 to 6: one plaintiff, defendant and claim up to two of each.
        path, scorer, corpus, retriever, claims, judges: as in `hearsay`.
    """
    name = f"diversity_{number}"
    if name not in DIVERSITY:
        raise OptionError(f"stepgauge/diversity: number {number!r}: expected 1 to 6")
    return _rule_task(name, path, scorer, corpus, retriever, claims, judges)


@task
def mmlu_pro_law(
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = None,
    judges: Parts = None,
) -> Task:
    """MMLU-Pro (Wang et al. 2024, arXiv 2406.01574), category law: 1,101 questions with up to ten options.

    Args:
        path, scorer, corpus, retriever, claims, judges: as in `stepgauge/medqa`; rows of another category are left out.
    """
    score = reasoning_scorer(scorer, corpus, retriever, claims, judges)
    return question_task("mmlu_pro_law", path, score, "law")


@task
def lsat(
    section: Literal["ar", "lr", "rc"] = "lr",
    path: str | None = None,
    scorer: str | None = "smollm2",
    corpus: str | None = None,
    retriever: Part | None = None,
    claims: Parts = None,
    judges: Parts = None,
) -> Task:
    """The LSAT of AGIEval (Zhong et al. 2023, arXiv 2304.06364): five options.

    Args:
        section: analytical reasoning ("ar", 230 questions), logical reasoning ("lr", 510), reading ("rc", 269).
        path, scorer, corpus, retriever, claims, judges: as in `stepgauge/medqa`.
    """
    if section not in ("ar", "lr", "rc"):
        raise OptionError(f"stepgauge/lsat: section {section!r}: expected 'ar', 'lr' or 'rc'")
    source, rows = _rows(path, LSAT.format(section), None)
    samples = [question_sample(read_lsat(row, f"{source}, row {number}")) for number, row in enumerate(rows, 1)]
    dataset = MemoryDataset(samples, name=f"lsat_{section}", location=path)
    return choice_task(dataset, reasoning_scorer(scorer, corpus, retriever, claims, judges))


def _rule_task(
    name: str,
    path: str | None,
    scorer: str | None,
    corpus: str | None,
    retriever: Part | None,
    claims: Parts,
    judges: Parts,
) -> Task:
    source, rows = _rows(path, LEGALBENCH, name)
    read = partial(read_rule_question, task=name)
    samples = [_rule_sample(read(row, f"{source}, row {number}")) for number, row in enumerate(rows, 1)]
    retriever = retriever or ("provision" if corpus else "given")
    dataset = MemoryDataset(samples, name=name, location=path)
    return choice_task(dataset, reasoning_scorer(scorer, corpus, retriever, claims, judges))


def _rows(path: str | None, hub: str, configuration: str | None) -> tuple[str, list[Mapping[str, Any]]]:
    return (hub, list(hub_rows(hub, configuration, "test"))) if path is None else (path, list(read_rows(Path(path))))


def _rule_sample(question: RuleQuestion) -> Sample:
    return Sample(
        id=question.id,
        input=f"Rule:\n{question.stated_rule}\n\nFacts: {question.text}",
        choices=list(ANSWERS),
        target=LETTERS[ANSWERS.index(question.answer)],
        metadata={"passages": question.passages},
    )
