"""The legal tasks of both frameworks: the rows they read, what they ask, and what they are judged against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from inspect_ai import eval as inspect_eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml
from scripted_lm import ScriptedLM, evaluate, rows

from stepgauge.adapters.lm_eval import StepTask, include_path
from stepgauge.metrics import ChainScore
from stepgauge.metrics.knowledge.law.citations import find_citations
from stepgauge.tasks.inspect_tasks.legal import diversity, hearsay, lsat, mmlu_pro_law, personal_jurisdiction
from stepgauge.tasks.jsonl import read_rows
from stepgauge.tasks.legal_questions import RULES, read_lsat, read_rule_question

LEGAL = Path(include_path()) / "legal"
TSV = "label\ttext\tslice\nNo\tTo prove that Ann ran, the fact that Ann ran.\tNon-assertive conduct\n"
CHAIN = (
    "Rule 801(c) says that hearsay is a statement that “a party offers in evidence to prove the falsity of the matter”."
    "\n"
    "Rule 801(a) needs an “oral assertion, written assertion, or nonverbal conduct”.\nAnswer: no"
)


@pytest.fixture
def tsv(tmp_path: Path) -> str:
    path = tmp_path / "test.tsv"
    path.write_text(TSV)
    return str(path)


def test_the_group_has_all_of_its_tasks_and_each_rule_is_found_by_its_citation() -> None:
    index = TaskManager(include_defaults=False, include_path=include_path()).task_index
    group = load_yaml(LEGAL / "stepgauge_legal.yaml")
    assert len(group["task"]) == 12
    assert {*group["task"], "stepgauge_legal"} <= set(index)
    for name, (passages, _) in RULES.items():
        assert f"{name}_cot_stepgauge" in index
        for passage in passages:
            cited = find_citations(passage["title"])
            assert not cited or passage["id"].startswith(cited[0].key)


@pytest.mark.parametrize("name", ["hearsay", "personal_jurisdiction", "diversity_6"])
def test_legalbenchs_own_files_are_read_in_full(name: str, shared_data: Path) -> None:
    path = shared_data / "legalbench" / name / "test.tsv"
    given = read_rows(path)
    questions = [read_rule_question(row, f"row {number}", name) for number, row in enumerate(given, 1)]
    assert len(questions) == len(path.read_text(encoding="utf-8").splitlines()) - 1
    assert [one.answer.capitalize() for one in questions] == [row["label"] for row in given]


def test_agievals_rows_are_read_without_their_options_and_cue() -> None:
    row = {
        "query": "Ann sits by Bo. Q: Who sits by Ann? Answer Choices: (A)Cy (B)Bo (C)Di (D)Ed (E)Flo\n"
        "A: Among A through E, the answer is",
        "choices": ["(A)Cy", "(B)Bo", "(C)Di", "(D)Ed", "(E)Flo"],
        "gold": [1],
    }
    read = read_lsat(row, "row 1")
    assert (read.text, read.options, read.answer) == (
        "Ann sits by Bo. Q: Who sits by Ann?",
        ("Cy", "Bo", "Di", "Ed", "Flo"),
        "B",
    )
    with pytest.raises(ValueError, match="row 2, field 'query'"):
        read_lsat({"query": 5}, "row 2")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x", "label": "perhaps"}, "row 4, field 'answer' or 'label': expected Yes or No"),
        ({"label": "Yes"}, "row 4: expected text in a field 'text'"),
        ({"text": "x"}, "row 4: expected text in a field 'answer' or 'label'"),
    ],
)
def test_a_row_that_is_no_question_is_refused_with_row_and_field(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_rule_question(row, "row 4", "hearsay")


def test_a_table_with_a_broken_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text(TSV + "Yes\tx\n")
    with pytest.raises(ValueError, match=r"rows\.tsv, row 2: expected 3 fields"):
        read_rows(path)


def test_every_inspect_task_reads_a_local_file(tsv: str, tmp_path: Path) -> None:
    cheap = {"scorer": None, "claims": ("arithmetic", "citations"), "judges": ("exact", "quote")}
    for task in (hearsay, personal_jurisdiction, diversity):
        (sample,) = task(path=tsv, **cheap).dataset
        assert (sample.target, sample.choices) == ("B", ["yes", "no"])
        assert sample.metadata["passages"][-1]["text"].startswith("To prove that Ann ran")
    path = tmp_path / "rows.jsonl"
    row = {"question": "Which court?", "options": ["A court", "No court"], "answer": "B", "category": "law"}
    path.write_text(json.dumps(row))
    for task in (mmlu_pro_law, lsat):
        (sample,) = task(path=str(path), scorer=None).dataset
        assert sample.target == "B"


def verdicts(score: ChainScore) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in score.steps:
        for one in step.verdicts:
            found.setdefault(one.claim.kind, []).append(str(one.label))
    return found


EXPECTED = {"quotation": ["contradicted", "supported"], "citation": ["supported", "supported"]}


@pytest.mark.slow
@pytest.mark.usefixtures("shipped_tasks_once")
def test_lm_eval_judges_quotations_against_the_rule(tsv: str, tiny_scorer: str) -> None:
    task = {
        "task": "hearsay_local",
        "class": StepTask,
        "stepgauge": {"base": "hearsay_cot_stepgauge", "claims": ["citations"], "judges": ["quote"]},
        "dataset_path": "csv",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": tsv}, "delimiter": "\t"},
        "test_split": "test",
        "metadata": {"stepgauge": {"scorer": tiny_scorer, "splitter": "lines"}},
    }
    results = evaluate(ScriptedLM({"To prove that Ann ran": [CHAIN]}), task)
    assert rows(results, "hearsay_local", "strict-match")["exact_match"] == 1
    assert rows(results, "hearsay_local", "flexible-extract")["exact_match"] == 1
    (sample,) = [one for one in results["samples"]["hearsay_local"] if one["filter"] == "reasoning"]
    score = ChainScore.from_dict(json.loads(sample["filtered_resps"][0])["chains"][0])
    assert verdicts(score) == EXPECTED


@pytest.mark.slow
def test_inspect_judges_quotations_against_the_rule(tsv: str, tmp_path: Path) -> None:
    output = ModelOutput.from_content("mockllm/model", CHAIN + "\nANSWER: B")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else Inspect fetches a tokenizer
    model = get_model("mockllm/model", custom_outputs=[output])
    task = hearsay(path=tsv, scorer=None, claims=("citations",), judges=("quote",))
    (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    scores = log.samples[0].scores
    assert scores["choice"].value == "C"
    assert scores["reasoning"].value["ki_coverage"] > 0
