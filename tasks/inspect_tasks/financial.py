"""Inspect tasks on finance: `stepgauge/tatqa`, `finqa`, `mmlu_pro_business` and `mmlu_pro_economics`.

TAT-QA and FinQA ask about a part of a report, a table with text, whose passages the chain's figures are looked up in.
The data come from the hub, or from a local file (`-T path=dev.json.gz`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate, prompt_template

from ...adapters.inspect.options import OptionError
from ...adapters.inspect.viewer import viewer_config
from ...metrics.answers.extraction import extract_answer
from ...metrics.knowledge.components import Part
from ..financial_questions import FinancialQuestion, read_documents, read_finqa, read_tatqa
from ..hub_files import FINQA, tatqa_file
from ..jsonl import read_rows
from .medical import Parts, hub_rows, question_task, reasoning_scorer

MAX_TOKENS = 1024
PROMPT = """Answer the question about the following part of a financial report. Think step by step, and show each \
calculation as an equation. The last line of your response should be of the following format: 'ANSWER: X' (without \
quotes) where X is the answer alone, with its unit or scale.

{prompt}

Let's think step by step."""


@task
def tatqa(
    path: str | None = None,
    scorer: str | None = "smollm2",
    retriever: Part | None = "given",
    claims: Parts = ("arithmetic", "figures"),
    judges: Parts = ("exact", "table"),
) -> Task:
    """TAT-QA (Zhu et al. 2021, arXiv 2105.07624): questions over a table and text of an annual report; those whose
    answer is worked out, 750 of the development split.

    Args:
        path: the published JSON, packed with gzip or not, to use instead of the hub's.
        scorer: the scoring LM; None: no likelihoods, Knowledge Index only.
        retriever, claims, judges: as in `stepgauge/reasoning`; by default figures are looked up in the table and text.

    Raises:
        ValueError: the file is no TAT-QA; names document and field.
    """
    file = tatqa_file() if path is None else Path(path)
    questions = read_tatqa(read_documents(file), file.name)
    return _report_task("tatqa", questions, path, reasoning_scorer(scorer, None, retriever, claims, judges))


@task
def finqa(
    path: str | None = None,
    scorer: str | None = "smollm2",
    retriever: Part | None = "given",
    claims: Parts = ("arithmetic", "figures"),
    judges: Parts = ("exact", "table"),
) -> Task:
    """FinQA (Chen et al. 2021, arXiv 2109.00122): numerical reasoning over a page of an earnings report; 1,147 test
    questions on the hub.

    Args:
        path: JSON or JSONL file of rows to use instead of the hub's; see `financial_questions.read_finqa`.
        scorer, retriever, claims, judges: as in `tatqa`.
    """
    rows = hub_rows(FINQA.name, None, FINQA.split, FINQA.revision) if path is None else read_rows(Path(path))
    source = path or FINQA.name
    questions = (read_finqa(row, f"{source}, row {number}") for number, row in enumerate(rows, 1))
    return _report_task("finqa", questions, path, reasoning_scorer(scorer, None, retriever, claims, judges))


@task
def mmlu_pro_business(path: str | None = None, scorer: str | None = "smollm2", judges: Parts = None) -> Task:
    """MMLU-Pro (Wang et al. 2024, arXiv 2406.01574), category business: 789 questions with up to ten options.

    Args:
        path: JSONL or JSON file of rows; those of another category are left out.
        scorer, judges: as in `stepgauge/reasoning`.
    """
    score = reasoning_scorer(scorer, None, None, None, judges)
    return question_task("mmlu_pro_business", path, score, "business")


@task
def mmlu_pro_economics(path: str | None = None, scorer: str | None = "smollm2", judges: Parts = None) -> Task:
    """MMLU-Pro, category economics: 844 questions; see `mmlu_pro_business`."""
    score = reasoning_scorer(scorer, None, None, None, judges)
    return question_task("mmlu_pro_economics", path, score, "economics")


@scorer(metrics=[accuracy(), stderr()])
def stated_amount() -> Scorer:
    """Right if the answer that the response announces is the sample's: the same amount in any usual form."""

    async def score(state: TaskState, target: Target) -> Score:
        question = FinancialQuestion.restored({**state.metadata["gold"], "passages": ()})
        response = state.output.completion
        right = question.is_right(response)
        return Score(value=CORRECT if right else INCORRECT, answer=extract_answer(response), explanation=target.text)

    return score


def _report_task(name: str, questions: Iterable[FinancialQuestion], path: str | None, score: Scorer) -> Task:
    samples = [_sample(question) for question in questions]
    if not samples:
        raise OptionError(f"stepgauge/{name}: no question in {path or 'the hub data'}")
    return Task(
        dataset=MemoryDataset(samples, name=name, location=path),
        solver=[prompt_template(PROMPT), generate()],
        scorer=[stated_amount(), score],
        config=GenerateConfig(max_tokens=MAX_TOKENS),
        viewer=viewer_config(),
    )


def _sample(question: FinancialQuestion) -> Sample:
    row = question.to_row()
    gold = {name: row[name] for name in ("id", "text", "answer", "values", "scale", "percent")}
    return Sample(
        id=question.id,
        input=f"{question.context}\n\nQuestion: {question.text}",
        target=question.answer,
        metadata={"passages": row["passages"], "gold": gold},
    )
