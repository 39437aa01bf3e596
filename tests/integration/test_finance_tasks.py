"""The finance tasks in both frameworks on TAT-QA's own file: what is right, where figures are looked up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from agent_turns import model_that, says
from inspect_ai import eval as inspect_eval
from scripted_lm import ScriptedLM, evaluate

from stepgauge.adapters.lm_eval.paths import include_path
from stepgauge.metrics import ChainScore
from stepgauge.tasks.financial_questions import read_documents, read_finqa, read_tatqa
from stepgauge.tasks.inspect_tasks.financial import finqa, tatqa

RIGHT = (
    "Other was $44.1 million in 2019 and $56.7 million in 2018.\nThe change in Other is 44.1 - 56.7 = -12.6.\n"
    "Answer: -12.6 million"
)
WRONG = (
    "Other was $44.1 million in 2019 and $65.7 million in 2018.\nThe change in Other is 44.1 - 65.7 = -21.6.\n"
    "Answer: -21.6 million"
)
ASKED = "What is the change in Other in 2019 from 2018?"


@pytest.fixture(scope="module")
def tatqa_file(shared_data: Path) -> Path:
    return shared_data / "tatqa" / "dev.json.gz"


@pytest.fixture(scope="module")
def small(tatqa_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file's first document, whose first question that is worked out is `ASKED`."""
    path = tmp_path_factory.mktemp("tatqa") / "small.json"
    first = read_documents(tatqa_file)[0]
    first["questions"] = [one for one in first["questions"] if one["question"] == ASKED]
    path.write_text(json.dumps([first]))
    return path


def labels(chain: ChainScore) -> list[tuple[str, str | None]]:
    return [(verdict.judge, verdict.label) for step in chain.steps for verdict in step.verdicts]


def test_all_of_tatqas_worked_out_questions_are_read(tatqa_file: Path) -> None:
    documents = read_documents(tatqa_file)
    questions = list(read_tatqa(documents, "dev"))
    wanted = [q for d in documents for q in d["questions"] if q["answer_type"] in ("arithmetic", "count")]
    assert [q.id for q in questions] == [q["uid"] for q in wanted]
    assert len(questions) == 750
    # An answer as the data set gives it, in any of the forms that responses use, is right.
    for question, row in zip(questions, wanted, strict=True):
        given = f"{row['answer']}{'%' if row['scale'] == 'percent' else ''}"
        assert question.is_right(f"Answer: {given}"), (question, given)
        assert question.is_right(f"The answer is {question.answer}."), question
        assert not question.is_right("Answer: 987654.25"), question
        assert not question.is_right("I do not know."), question


@pytest.mark.parametrize(("response", "right"), [(RIGHT, True), (WRONG, False)])
def test_lm_eval_looks_figures_up_in_the_table(small: Path, tmp_path: Path, response: str, right: bool) -> None:
    shipped = Path(include_path()) / "finance" / "tatqa_cot_stepgauge.yaml"
    (tmp_path / "own.yaml").write_text(
        f"include: {shipped}\ntask: tatqa_own\ndataset_kwargs: {{data_files: {{test: {small}}}}}\n"
        "metadata: {stepgauge: {scorer: null}}\n"
    )
    results = evaluate(ScriptedLM({"": [response]}), "tatqa_own", include_path=str(tmp_path))
    assert results["results"]["tatqa_own"]["exact_match,stated-answer"] == right
    samples = results["samples"]["tatqa_own"]
    prompt = samples[0]["arguments"][0][0]
    assert "| Fixed Price | $ 1,452.4 | $ 1,146.2 | $ 1,036.9 |" in prompt
    assert ASKED in prompt
    [reasoning] = [sample for sample in samples if sample["filter"] == "reasoning"]
    [chain] = [ChainScore.from_dict(one) for one in json.loads(reasoning["filtered_resps"][0])["chains"]]
    found = labels(chain)
    assert (("table", "contradicted") in found) is not right
    assert ("exact", "supported") in found, "the arithmetic holds in both"
    evidence = [passage.id for step in chain.steps for verdict in step.verdicts for passage in verdict.evidence]
    assert any("row 'Other', column '2018'" in name for name in evidence)


@pytest.mark.parametrize(("response", "right"), [(RIGHT, True), (WRONG, False)])
def test_inspect_looks_figures_up_in_the_table(small: Path, tmp_path: Path, response: str, right: bool) -> None:
    model = model_that([says(response)])
    [log] = inspect_eval(tatqa(path=str(small), scorer=None), model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.samples is not None
    scores = {score.name: score for score in log.results.scores}
    assert scores["stated_amount"].metrics["accuracy"].value == right
    [sample] = log.samples
    assert sample.scores is not None
    kept = json.dumps(sample.scores["reasoning"].metadata)
    assert ("not $65.7 million" in kept) is not right
    assert "row 'Other', column '2018'" in kept


FINQA = {
    "id": "ABC/2019/page_4.pdf-1",
    "pre_text": ["sales by year follow .", "."],
    "post_text": ["the rate was 21% in 2019 ."],
    "table": [["", "2019", "2018"], ["net sales", "$ 110", "$ 100"]],
    "qa": {"question": "what was the growth of net sales?", "answer": "10%", "exe_ans": 0.1},
}


def test_a_finqa_row_is_read_in_either_published_form() -> None:
    flat = {**{k: v for k, v in FINQA.items() if k != "qa"}, "question": FINQA["qa"]["question"]}
    for row in (FINQA, {**flat, "answer": "10%", "final_result": "0.1"}):
        question = read_finqa(row, "row 1")
        assert question.is_right("Answer: 10%")
        assert question.is_right("Answer: 10.0 percent")
        assert not question.is_right("Answer: 12%")
        assert question.passages[0]["id"] == "ABC/2019/page_4.pdf-1, table"
    [sample] = finqa_samples(FINQA)
    assert "| net sales | $ 110 | $ 100 |" in str(sample.input)


def finqa_samples(row: dict[str, Any]) -> list[Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps([row]))
        return list(finqa(path=str(path), scorer=None).dataset)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"table": "x"}, "row 1, field 'table'"),
        ({"qa": {"question": None}}, "row 1, field 'question'"),
        ({"qa": {"question": "q"}}, "expected an answer"),
    ],
)
def test_a_bad_row_is_named_with_its_field(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_finqa({**FINQA, **changes}, "row 1")


def test_a_file_that_is_no_tatqa_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('[{"rows": 1}]')
    with pytest.raises(ValueError, match=r"other\.json, document 1, field 'questions'"):
        tatqa(path=str(path), scorer=None)
