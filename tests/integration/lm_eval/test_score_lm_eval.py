"""`stepgauge score` on lm-eval's files: real runs, written by lm-eval itself, against the scores of the live run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from lm_eval.loggers import EvaluationTracker
from scoring import rows, score, write_jsonl
from scripted_lm import ScriptedLM, documents, evaluate

from stepgauge.adapters.cli import main
from stepgauge.adapters.lm_eval import StepTask
from stepgauge.metrics import ChainScore

pytestmark = pytest.mark.usefixtures("shipped_tasks_once")
SUMS = [
    {"question": "Anna has 3 apples and buys 4 more. How many has she?", "answer": "She has 3 + 4 = 7.\n#### 7"},
    {"question": "Ben has 9 pears and eats 5. How many are left?", "answer": "He has 9 - 5 = 4 left.\n#### 4"},
    {"question": "Cleo reads 2 books a day for 3 days. How many is that?", "answer": "2 * 3 = 6.\n#### 6"},
]
SCRIPT = {
    "Anna": ["She has 3 apples.\n3 + 4 = 7\nThe answer is 7.", "3 + 4 = 8\nThe answer is 8."],
    "Ben": ["He eats 5 of 9.\nThat leaves 9 - 5 = 4.\nThe answer is 4."],
    "Cleo": ["2 * 3 = 6, so the answer is 6."],
}
# One of Anna's repeats has no KI, Ben's have a wrong one: a mean over chains is not one over documents.
REPEATS = {**SCRIPT, "Anna": [SCRIPT["Anna"][0], "Eight.\nThe answer is 8."], "Ben": ["9 - 5 = 3\nThe answer is 4."]}
CHOICES = [
    {"question": "Which metal is liquid at room temperature?", "options": ["iron", "mercury", "gold"], "gold": 1},
    {"question": "Which planet is the largest?", "options": ["Mars", "Venus", "Jupiter"], "gold": 2},
]
CHOICE_SCRIPT = {
    "metal": ["Iron melts at 1538 degrees.\nMercury melts below zero.\nThe answer is (B)."],
    "planet": ["Jupiter is a gas giant.\nThe answer is (C)."],
}


def first_number(doc: dict[str, Any]) -> str:
    """A task's own function, which lm-eval writes into the results file as source text."""
    return "Puzzle: " + doc["question"] + "\nAnswer:"


def config(task: str, docs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "task": task,
        "custom_dataset": documents(docs),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nLet's think step by step.\nAnswer:",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["Question:"]},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "filter_list": [
            {
                "name": name,
                "filter": [
                    {"function": "regex", "regex_pattern": pattern, "group_select": -1},
                    {"function": "take_first"},
                ],
            }
            for name, pattern in (("strict", r"answer is (\d+)"), ("flexible", r"(\d+)"))
        ],
        **more,
    }


def finished(tmp_path: Path, lm: ScriptedLM, task: Any, **options: Any) -> tuple[Path, dict[str, Any]]:
    """A real run with its files as lm-eval writes them; returns the samples file and the results."""
    tracker = EvaluationTracker(output_path=str(tmp_path / "run"))
    results = evaluate(lm, task, log_samples=True, evaluation_tracker=tracker, **options)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for name, of_task in samples.items():
        tracker.save_results_samples(task_name=name, samples=of_task)
    (path,) = (tmp_path / "run").rglob("samples_*.jsonl")
    return path, results


def live_chains(samples: Path) -> list[ChainScore]:
    of_docs = [row["filtered_resps"] for row in rows(samples.parent, samples.name) if row["filter"] == "reasoning"]
    records = [json.loads(text) for of_doc in of_docs for text in of_doc]
    return [ChainScore.from_dict(chain) for record in records for chain in record["chains"]]


CASES = {
    "few-shot, several repeats": (config("sums", SUMS, repeats=2, num_fewshot=1, fewshot_split="test"), REPEATS),
    "options of the task": (
        config(
            "liquid",
            CHOICES,
            doc_to_text="{{question}}\n{% for o in options %}({{'ABC'[loop.index0]}}) {{o}}\n{% endfor %}Answer:",
            doc_to_choice="{{options}}",
            doc_to_target="gold",
        ),
        CHOICE_SCRIPT,
    ),
    "our own templates": (
        config(
            "planets",
            CHOICES,
            doc_to_target="{{options[gold]}}",
            stepgauge={"question": "{{question}} Say why.", "gold": "{{options[gold]}}", "choices": "options"},
        ),
        CHOICE_SCRIPT,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_scores_of_a_finished_run_equal_those_of_the_live_run(tmp_path, case, tiny_scorer):
    task, script = CASES[case]
    scorer = {"scorer": tiny_scorer, "device": "cpu", "dtype": "float32"}
    live_task = {**task, "class": StepTask, "stepgauge": {**task.get("stepgauge", {}), **scorer}}
    samples, results = finished(tmp_path, ScriptedLM(script), live_task)
    options = [part for name, value in scorer.items() for part in ("--set", f"{name}={value}")]
    assert score(samples, "--out", tmp_path / "out", *options, cheap=False) == 0
    again = [ChainScore.from_dict(row["score"]) for row in rows(tmp_path / "out")]
    live = live_chains(samples)
    assert len(again) == len(live) == len(task["custom_dataset"]()["test"]) * task.get("repeats", 1)
    for one, other in zip(again, live, strict=True):
        assert (one.id, one.trace_hash) == (other.id, other.trace_hash)
        assert one.missing == other.missing
        for name, value in other.metrics.items():
            assert one.metrics[name] == pytest.approx(value, abs=1e-3, nan_ok=True), name
        assert not math.isnan(one.metrics["infogain"])
    # The means, too: lm-eval averages a document's repeats first, and so does the summary.
    (group,) = json.loads((tmp_path / "out" / "summary.json").read_text())["groups"]
    (table,) = results["results"].values()
    means = {name: group["metrics"][name]["mean"] for name in group["metrics"] if f"{name},reasoning" in table}
    assert {"infogain_nats", "ki"} <= set(means)
    for name, mean in means.items():
        expected = table[f"{name},reasoning"]
        assert (math.nan if mean is None else mean) == pytest.approx(expected, abs=1e-3, nan_ok=True), name


def test_chain_is_scored_once_whatever_filters_it_stands_under(tmp_path, capsys):
    task = {**config("sums", SUMS), "class": StepTask, "stepgauge": {"scorer": None}}
    samples, _ = finished(tmp_path, ScriptedLM(SCRIPT), task)
    assert score(samples, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "3 scored, 0 skipped, 0 failed" in said
    assert "3 rows passed over: the same chain under another filter" in said
    assert "3 rows passed over: scores of the pipeline 'reasoning'" in said
    first = rows(tmp_path / "out")
    assert [(row["task"], row["doc_id"], row["id"]) for row in first] == [("sums", i, f"sums/{i}") for i in range(3)]
    assert [row["answer"] for row in first] == [["7"], ["4"], ["6"]]
    assert first[0]["question"] == f"Question: {SUMS[0]['question']}"


def test_filter_chooses_whose_metrics_are_the_accuracy(tmp_path):
    docs = [{**row, "answer": row["answer"].rpartition(" ")[2]} for row in SUMS]
    samples, _ = finished(tmp_path, ScriptedLM({**SCRIPT, "Ben": ["9 - 5 = 4"]}), config("sums", docs))
    found = {}
    for name in ("strict", "flexible"):
        assert score(samples, "--out", tmp_path / name, "--filter", name) == 0
        found[name] = [row["accuracy"] for row in rows(tmp_path / name)]
    assert found["strict"] == [{"exact_match": 1.0}, {"exact_match": 0.0}, {"exact_match": 1.0}]
    assert found["flexible"] == [{"exact_match": 1.0}] * 3
    assert score(samples, "--out", tmp_path / "none", "--filter", "fexible") == 0
    assert rows(tmp_path / "none", "skipped.jsonl")[0]["reason"] == (
        "no row of filter 'fexible'; the file has strict, flexible"
    )


@pytest.mark.parametrize("function", [first_number, lambda doc: first_number(doc)], ids=["def", "lambda"])
def test_function_of_a_task_that_nobody_registered_is_not_run_and_the_prompt_is_read_instead(tmp_path, function):
    few_shot = {"num_fewshot": 1, "fewshot_split": "test", "description": "Solve.\n\n"}
    task = config("puzzles", SUMS, doc_to_text=function, **few_shot)
    samples, results = finished(tmp_path, ScriptedLM(SCRIPT), task)
    assert "first_number(" in results["configs"]["puzzles"]["doc_to_text"]
    assert score(samples, "--out", tmp_path / "out") == 0
    written = rows(tmp_path / "out")
    assert [row["question"] for row in written] == [f"Puzzle: {row['question']}" for row in SUMS]
    assert [row["answer"] for row in written] == [["7"], ["4"], ["6"]]
    assert "the question was read from the prompt" in written[0]["score"]["notes"][0]


def test_template_that_speaks_of_a_lambda_is_a_template(tmp_path):
    task = config("puzzles", SUMS, doc_to_text="Say it with lambda calculus: {{question}}")
    samples, _ = finished(tmp_path, ScriptedLM(SCRIPT), task)
    score(samples, "--out", tmp_path / "out")
    assert rows(tmp_path / "out")[0]["question"] == f"Say it with lambda calculus: {SUMS[0]['question']}"


def test_function_of_a_registered_task_is_looked_up_there(tmp_path):
    doc = {
        "question": "What is 1 + 1?",
        "options": ["1", "2", "3"],
        "answer": "B",
        "answer_index": 1,
        "category": "math",
        "cot_content": "A: Let's think step by step. 1 + 1 = 2. The answer is (B).",
    }
    data = documents([doc])()["test"]
    task = {"task": "mmlu_pro_math", "class": StepTask, "num_fewshot": 0, "stepgauge": {"scorer": None}}
    task["custom_dataset"] = lambda **_: {"test": data, "validation": data}
    samples, results = finished(tmp_path, ScriptedLM({"": ["1 + 1 = 2\nThe answer is (B)."]}), task)
    assert "function" in results["configs"]["mmlu_pro_math"]["doc_to_text"]
    assert score(samples, "--out", tmp_path / "out") == 0
    (written,) = rows(tmp_path / "out")
    (live,) = live_chains(samples)
    assert written["trace_hash"] == live.trace_hash
    assert written["answer"] == ["2"]
    assert written["subject"] == "math"
    assert written["score"]["notes"] == []


def test_results_file_counts_as_input_since_it_says_how_documents_are_read(tmp_path, capsys):
    samples, _ = finished(tmp_path, ScriptedLM(SCRIPT), config("sums", SUMS))
    score(samples, "--out", tmp_path / "out")
    (results,) = samples.parent.glob("results_*.json")
    results.write_text(results.read_text().replace("Question: {{question}}", "Riddle: {{question}}"))
    assert score(samples, "--out", tmp_path / "out") == 2
    assert "inputs[0].results[0]" in capsys.readouterr().err


def test_samples_without_their_results_file_are_read_from_prompt_and_target(tmp_path, caplog):
    task = config("nobody_knows", CHOICES, doc_to_text="Pick.\n\nQ: {{question}}\nA:", doc_to_target="gold")
    samples, _ = finished(tmp_path, ScriptedLM(CHOICE_SCRIPT), task)
    for results in samples.parent.glob("results_*.json"):
        results.unlink()
    assert score(samples, "--out", tmp_path / "out") == 0
    assert "no results file" in caplog.text
    written = rows(tmp_path / "out")
    assert [row["question"] for row in written] == [f"Q: {row['question']}" for row in CHOICES]
    assert [row["answer"] for row in written] == [["mercury"], ["Jupiter"]]
    assert any("read from the row's `target`" in note for note in written[0]["score"]["notes"])


def test_templates_given_on_the_command_line_go_before_the_tasks_own(tmp_path, capsys):
    samples, _ = finished(tmp_path, ScriptedLM(CHOICE_SCRIPT), config("liquid", CHOICES, doc_to_target="nothing"))
    given = {"question": "{{question | upper}}", "gold": "{{options[gold]}}", "choices": "options"}
    args = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    assert score(samples, "--out", tmp_path / "out", *args) == 0
    written = rows(tmp_path / "out")
    assert [row["question"] for row in written] == [row["question"].upper() for row in CHOICES]
    assert [row["answer"] for row in written] == [["mercury"], ["Jupiter"]]
    assert written[0]["score"]["metrics"]["entropy_drop_bits"] is not None
    capsys.readouterr()
    assert score(samples, "--out", tmp_path / "bad", "--set", "gold={{optoins[gold]}}") == 2
    assert "--set gold=" in (error := capsys.readouterr().err)
    assert "the document has question, options, gold" in error


def test_template_of_a_results_file_cannot_reach_out_of_its_sandbox(tmp_path):
    samples, _ = finished(tmp_path, ScriptedLM(SCRIPT), config("sums", SUMS))
    (results,) = samples.parent.glob("results_*.json")
    content = json.loads(results.read_text())
    target = tmp_path / "written"
    escape = "cycler.__init__.__globals__.os.system('touch " + str(target) + "')"
    content["configs"]["sums"]["doc_to_text"] = "{{ " + escape + " }}"
    content["configs"]["sums"]["stepgauge"] = {"gold": "{{ " + escape + " }}"}
    results.write_text(json.dumps(content))
    assert score(samples, "--out", tmp_path / "out") == 0
    assert not target.exists()
    written = rows(tmp_path / "out")
    assert "SecurityError" in written[0]["score"]["notes"][0]
    assert "SecurityError" in written[0]["score"]["missing"]["infogain"]


OLD = {
    "doc_id": 0,
    "doc": {"question": "2 + 2?", "answer": "4"},
    "target": "4",
    "arguments": [["Q: 2 + 2?\nA:", {"until": ["Q:"]}]],
    "resps": [["2 + 2 = 4."]],
    "filtered_resps": ["4"],
    "exact_match": 1.0,
}


@pytest.mark.parametrize(
    ("lines", "chains", "kinds"),
    [
        ([OLD, {**OLD, "doc_id": 1}, OLD, {**OLD, "doc_id": 1}], 2, []),  # older versions name no filter
        ([{**OLD, "resps": [["2 + 2 = 4.", "2 + 2 = 5."]]}], 2, []),
        ([{**OLD, "resps": [["r"], ["-1.0"]], "arguments": [["Q: 2 + 2?", {}], ["Q", "continuation"]]}], 1, []),
        ([{**OLD, "resps": [["-1.0"]], "arguments": [["Q", "continuation"]]}], 0, ["the model wrote no chain"]),
        ([{**OLD, "resps": 3}], 0, ["field 'resps' is no list"]),
        ([{**OLD, "resps": [[None]]}], 0, ["the response is no text"]),
        ([OLD, {"doc_id": 5}], 1, ["not a sample of lm-eval"]),
        ([{**OLD, "arguments": [[[{"role": "user", "content": "Q: 2 + 2?"}], {}]]}], 1, []),
        ([{**OLD, "arguments": 7}], 0, ["no question"]),
    ],
)
def test_rows_of_other_shapes_are_read_or_skipped_with_a_reason(tmp_path, lines, chains, kinds):
    samples = write_jsonl(tmp_path / "samples_nobody_knows.jsonl", lines)
    assert score(samples, "--out", tmp_path / "out") == 0
    written = rows(tmp_path / "out")
    assert len(written) == chains
    assert all(row["question"] == "Q: 2 + 2?" and row["answer"] == ["4"] for row in written)
    assert [row["kind"] for row in rows(tmp_path / "out", "skipped.jsonl")] == kinds


def test_show_takes_the_folder_of_a_scored_lm_eval_run(tmp_path, capsys):
    samples, _ = finished(tmp_path, ScriptedLM(SCRIPT), config("sums", SUMS))
    score(samples, "--out", tmp_path / "out")
    capsys.readouterr()
    assert main(["show", str(tmp_path / "out"), "--id", "sums/1", "--width", "120"]) == 0
    assert "That leaves 9 - 5 = 4." in capsys.readouterr().out
