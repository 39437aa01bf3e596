"""lm-eval samples files as other versions and tasks write them: gold answers, filters, several processes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from scoring import rows, score, write_jsonl

from stepgauge.metrics.step_limit import TooManySteps

DATE = "2024-08-01T10-00-00.000000"


def run_of(folder: Path, task: str, samples: list[dict[str, Any]], *, array: bool = False, **config: Any) -> Path:
    """A run's folder with its samples and results; an array, and no date, as versions before 0.4.3 wrote them."""
    folder.mkdir()
    config = {"task": task, "output_type": "generate_until", "doc_to_target": "{{answer}}", "repeats": 1, **config}
    results = {"results": {}, "configs": {task: config}, "config": {"model": "hf", "model_args": "pretrained=x/y"}}
    (folder / ("results.json" if array else f"results_{DATE}.json")).write_text(json.dumps(results))
    if array:
        (folder / f"pretrained__x__y_{task}.jsonl").write_text(json.dumps(samples, indent=2))
    else:
        write_jsonl(folder / f"samples_{task}_{DATE}.jsonl", samples)
    return folder


def scored(folder: Path, **options: str) -> list[dict[str, Any]]:
    args = [part for name, value in options.items() for part in (f"--{name}", value)]
    out = folder.parent / f"{folder.name}-scored"
    assert score(folder, "--out", out, "--restart", "--set", "scorer=null", *args) == 0
    assert not rows(out, "skipped.jsonl")
    return rows(out)


@pytest.mark.parametrize(
    ("question", "answer"),
    [("List the primes below 6, one a line.", "2\n3\n5"), ("Which options hold? One a line.", "A\nC")],
)
def test_gold_answer_of_several_lines_stays_whole(tmp_path, question, answer):
    row = {
        "doc_id": 0,
        "doc": {"question": question, "answer": answer},
        "target": answer,
        "arguments": {"gen_args_0": {"arg_0": f"{question}\nAnswer:", "arg_1": {"until": []}}},
        "resps": [["One holds.\nAnother one holds."]],
        "filtered_resps": [answer],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": 1.0,
    }
    asks = "{{question}}\nAnswer:"
    (written,) = scored(run_of(tmp_path / "in", "lists", [row], doc_to_text=asks))
    assert written["answer"] == [answer]


def old_row(doc_id: Any, number: int, exact: float) -> dict[str, Any]:
    """A row without `filter`, `metrics` and named arguments."""
    question, answer = f"Lena buys {number} bags with 3 pens each. How many pens?", f"{number * 3}"
    return {
        "doc_id": doc_id,
        "doc": {"question": question, "answer": f"{number}*3={answer}\n#### {answer}"},
        "target": f"{number}*3={answer}\n#### {answer}",
        "arguments": [[f"Question: {question}\nAnswer:", {"until": ["Question:"], "do_sample": False}]],
        "resps": [[f" {number} bags of 3 are {answer}.\n#### {answer}"]],
        "filtered_resps": [answer],
        "exact_match": exact,
    }


# Which documents come in which order, once per filter: of one process, and of two, each with all filters of its own.
ONE = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
TWO = [0, 2, 4, 0, 2, 4, 1, 3, 5, 1, 3, 5]
UNEVEN = [0, 2, 0, 2, 1, 1]


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize("order", [ONE, TWO, UNEVEN], ids=["one process", "two processes", "two, unevenly"])
def test_files_without_filter_names_give_each_document_once_whatever_wrote_them(tmp_path, order, array):
    seen: list[int] = []
    samples = []
    for doc_id in order:
        samples.append(old_row(doc_id, doc_id + 2, float(doc_id in seen)))
        seen.append(doc_id)
    folder = run_of(tmp_path / "in", "gsm8k", samples, array=array, doc_to_text="Question: {{question}}\nAnswer:")
    written = scored(folder)
    assert [row["doc_id"] for row in written] == list(dict.fromkeys(order))
    assert {row["accuracy"]["exact_match"] for row in written} == {0.0}, "all under the first filter"
    assert [row["answer"] for row in written] == [[str(3 * (row["doc_id"] + 2))] for row in written]
    other = scored(folder, filter="filter 2")
    assert [row["doc_id"] for row in other] == list(dict.fromkeys(order))
    assert {row["accuracy"]["exact_match"] for row in other} == {1.0}


@pytest.mark.parametrize("doc_ids", [[0, 1, 0, 1], [None] * 4], ids=["numbered by each process", "without numbers"])
def test_documents_are_told_apart_by_what_they_ask_too(tmp_path, doc_ids):
    samples = [old_row(doc_id, number, 0.0) for number, doc_id in enumerate(doc_ids, 2)]
    written = scored(run_of(tmp_path / "in", "gsm8k", samples * 2, doc_to_text="{{question}}"))
    assert [row["answer"] for row in written] == [["6"], ["9"], ["12"], ["15"]]


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9**9**9 }}",
        "{{ ('a' * 60 ~ '!') | regex_replace('^(a|a|aa)+$', '') }}",
    ],
)
def test_a_results_file_whose_templates_have_no_end_costs_seconds(template):
    from stepgauge.adapters.formats.lm_eval_task import render

    before = time.thread_time()
    with pytest.raises((TooManySteps, TimeoutError)):
        render(template, {"question": "q"})
    assert time.thread_time() - before < 30
