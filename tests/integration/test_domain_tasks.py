"""Each task of finance and law, in both frameworks, on local rows with the columns of the hub's data.

Two questions a task: one is answered right, one wrong, in the format that the prompt asks for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from agent_turns import model_that, says
from inspect_ai import eval as inspect_eval
from scripted_lm import ScriptedLM, evaluate

from stepgauge.adapters.lm_eval.paths import include_path
from stepgauge.tasks.inspect_tasks import financial, legal
from stepgauge.tasks.legal_questions import read_lsat

TABLE = [["", "2019", "2018"], ["net sales", "$ 110", "$ 100"], ["cost of sales", "70", "65"]]
REPORT = {"pre_text": ["sales by year follow ( in millions ) ."], "post_text": ["."], "table": TABLE, "gold_inds": []}


def chosen(category: str, first: str, second: str) -> list[dict[str, Any]]:
    """Two rows of MMLU-Pro, and one of another category."""
    row = {"options": ["Nothing", "All of it", "Half of it"], "answer": "B", "answer_index": 1, "cot_content": ""}
    rows = [{**row, "question": asked, "category": category} for asked in (first, second)]
    return [{**row, "question_id": number} for number, row in enumerate([*rows, {**rows[0], "category": "history"}])]


def agieval(facts: str, gold: int) -> dict[str, Any]:
    """A row of the hub's LSAT."""
    options = ["(A)Ann", "(B)Bo", "(C)Cy", "(D)Di", "(E)Ed"]
    query = f"{facts} Q: Who must come first? Answer Choices: {' '.join(options)}\nA: Among A through E, the answer is"
    return {"query": query, "choices": options, "gold": [gold]}


class Case(NamedTuple):
    """A task, its rows, and words of the question that is answered right and of the one that is answered wrong.

    Attributes:
        lm_eval: what the task in lm-eval needs for a local file.
        asked: how lm-eval's prompt says what the last line is to be.
    """

    rows: list[dict[str, Any]]
    inspect: Callable[..., Any]
    right: tuple[str, str]
    wrong: tuple[str, str]
    lm_eval: Mapping[str, Any]
    asked: str
    accuracy: str
    letters: Mapping[str, str] = {}
    """What the multiple-choice prompt of Inspect calls the answers."""


JSON = {"dataset_path": "json", "dataset_name": None}
MMLU_PRO = {**JSON, "fewshot_split": None, "num_fewshot": 0}
LETTERS = {"yes": "A", "no": "B"}
RULE = {"asked": "'Answer: X' (without quotes) where X is one of yes, no.", "accuracy": "strict-match"}


def rule(task: Callable[..., Any], facts: tuple[str, str], **more: Any) -> Case:
    """A task of LegalBench: its rows have `text` and, as on the hub, `answer` and `index`."""
    rows = [{"index": str(number), "answer": "Yes", "text": text, **more} for number, text in enumerate(facts)]
    return Case(rows, task, (facts[0], "yes"), (facts[1], "no"), JSON, letters=LETTERS, **RULE)


def mmlu_pro(category: str, task: Callable[..., Any]) -> Case:
    rows = chosen(category, f"What does {category} ask first?", f"What does {category} ask next?")
    right, wrong = ((row["question"], letter) for row, letter in zip(rows, "BA", strict=False))
    return Case(rows, task, right, wrong, MMLU_PRO, "the answer is (X)", "custom-extract")


AMOUNT = "'Answer: X' (without quotes) where X is the answer alone, with its unit or scale."
CASES = {
    "finqa_cot_stepgauge": Case(
        [
            {
                **REPORT,
                "id": "A-1",
                "question": "by how much did net sales grow?",
                "answer": "10%",
                "final_result": "0.1",
            },
            {**REPORT, "id": "A-2", "question": "were sales above cost?", "answer": "yes", "final_result": "yes"},
        ],
        financial.finqa,
        ("by how much did net sales grow?", "10.0%"),
        ("were sales above cost?", "no"),
        {},
        AMOUNT,
        "stated-answer",
    ),
    "hearsay_cot_stepgauge": rule(legal.hearsay, ("Ann said that Bo ran.", "Cy wrote that Di ran."), slice="Standard"),
    "personal_jurisdiction_cot_stepgauge": rule(
        legal.personal_jurisdiction, ("Ann of Utah is sued in Utah.", "Bo of Iowa is sued in Iowa."), slice="Domicile"
    ),
    "diversity_6_cot_stepgauge": rule(
        legal.diversity,
        ("Ann is from Utah. Bo is from Iowa. Ann sues Bo for theft for $80,000.", "Cy is from Utah. Cy sues Di."),
        parties_are_diverse="True",
        aic_is_met="True",
    ),
    "lsat_lr_cot_stepgauge": Case(
        [agieval("Cy comes before all others.", 2), agieval("Nobody comes before Di.", 3)],
        legal.lsat,
        ("Cy comes before all others.", "C"),
        ("Nobody comes before Di.", "A"),
        JSON,
        "'Answer: X' (without quotes) where X is one of ABCDE.",
        "strict-match",
    ),
    "mmlu_pro_business_stepgauge": mmlu_pro("business", financial.mmlu_pro_business),
    "mmlu_pro_economics_stepgauge": mmlu_pro("economics", financial.mmlu_pro_economics),
    "mmlu_pro_law_stepgauge": mmlu_pro("law", legal.mmlu_pro_law),
}


def written(case: Case, folder: Path) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in case.rows))
    return str(path)


def ends(case: Case, answer: str) -> str:
    announced = f"the answer is ({answer})" if case.accuracy == "custom-extract" else f"\nAnswer: {answer}"
    return f"The change is 110 - 100 = 10. So {announced}"


@pytest.mark.usefixtures("shipped_tasks_once")
@pytest.mark.parametrize("name", CASES)
def test_lm_eval_runs_each_task_on_local_rows(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    own = {"task": name, **case.lm_eval, "dataset_kwargs": {"data_files": {"test": written(case, tmp_path)}}}
    cheap = {"metadata": {"stepgauge": {"scorer": None, "claims": ["arithmetic"], "judges": ["exact"]}}}
    (tmp_path / "local.yaml").write_text(json.dumps({"group": "local", "task": [{**own, **cheap}]}))
    model = ScriptedLM({words: [ends(case, answer)] for words, answer in (case.right, case.wrong)})
    results = evaluate(model, "local", include_path=[include_path(), str(tmp_path)])
    assert results["results"][name][f"exact_match,{case.accuracy}"] == 0.5
    assert results["results"][name]["ki,reasoning"] == 1
    samples = results["samples"][name]
    assert len({sample["doc_id"] for sample in samples}) == 2, "rows of another category are left out"
    for sample in samples:
        assert case.asked in sample["arguments"][0][0]


@pytest.mark.parametrize("name", CASES)
def test_inspect_runs_each_task_on_local_rows(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    turns = [
        says(f"The change is 110 - 100 = 10.\nANSWER: {case.letters.get(answer, answer)}")
        for _, answer in (case.right, case.wrong)
    ]
    task = case.inspect(path=written(case, tmp_path), scorer=None, judges=["exact"])
    [log] = inspect_eval(
        task, model=model_that(turns), log_dir=str(tmp_path), display="none", max_samples=1, max_connections=1
    )
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.samples is not None
    assert len(log.samples) == 2, "rows of another category are left out"
    for sample, (words, _) in zip(log.samples, (case.right, case.wrong), strict=True):
        asked = sample.messages[0].text
        assert words in asked
        assert "The last line of your response should be of the following format: 'ANSWER:" in asked
    scores = {score.name: score for score in log.results.scores}
    accuracy = scores.get("choice") or scores["stated_amount"]
    assert accuracy.metrics["accuracy"].value == 0.5


def test_agievals_own_rows_keep_their_passage_and_lose_the_options_letters() -> None:
    row = {"passage": "Cy comes first.", "question": "Who comes first?", "options": ["(A)Bo", "(B)Cy"], "label": "B"}
    read = read_lsat({**row, "answer": None, "other": None}, "row 1")
    assert (read.text, read.options, read.answer) == ("Cy comes first.\nWho comes first?", ("Bo", "Cy"), "B")
    with pytest.raises(ValueError, match="row 1, field 'passage': expected text"):
        read_lsat({**row, "passage": 5}, "row 1")
