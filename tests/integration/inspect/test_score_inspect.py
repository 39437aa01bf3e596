"""`stepgauge score` on Inspect logs: real logs of real runs, and the copies that carry the scores back into Inspect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from commands import blocks
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessageAssistant, ContentReasoning, ContentText, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import Generate, TaskState, generate, solver
from memory import most_memory
from scoring import assert_alike, rows, score

from stepgauge.adapters.cli import main
from stepgauge.adapters.inspect import knowledge

SAMPLES = [
    Sample(id="sum", input="How many are 3 and 4?", target="7", metadata={"category": "arithmetic"}),
    Sample(id="product", input="What is 2 times 3?", target="6"),
    Sample(id="silent", input="What is 1 minus 1?", target="0"),
    Sample(id=4, input="Which is a metal?", target="B", choices=["salt", "iron"]),
]
ANSWERS: dict[str, Any] = {
    "How many": "We add: 3 + 4 = 7.\nThe answer is 7.",
    "What is 2": [ContentReasoning(reasoning="2 * 3 = 6."), ContentText(text="The answer is 5.")],
    "What is 1": "",
    "Which": "Iron conducts.\nThe answer is (B).",
}


def respond(messages: Any, *_: Any) -> ModelOutput:
    content = next(answer for start, answer in ANSWERS.items() if messages[-1].text.startswith(start))
    output = ModelOutput.from_message(ChatMessageAssistant(content=content))
    output.usage = ModelUsage(
        input_tokens=1, output_tokens=1, total_tokens=2
    )  # without it, mockllm fetches a tokenizer
    return output


@solver
def failing_at(sample_id: object):
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == sample_id:
            raise RuntimeError("the sandbox is gone")
        return await generate(state)

    return solve


def run(folder: Path, solver: Any = None, **options: Any) -> EvalLog:
    task = Task(dataset=SAMPLES, solver=solver or generate(), scorer=includes(), name="mixed")
    model = get_model("mockllm/model", custom_outputs=respond)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none", **options)
    return log


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_log_becomes_chains_and_a_copy_of_it_shows_their_scores(tmp_path, capsys, monkeypatch, log_format):
    log = run(tmp_path / "logs", log_format=log_format)
    out = tmp_path / "scores-inspect"
    assert score(tmp_path / "logs", "--out", out, "--write-logs") == 0
    said = capsys.readouterr().out
    assert "3 scored, 1 skipped, 0 failed" in said
    written = {row["doc_id"]: row for row in rows(out)}
    assert {name: row["accuracy"] for name, row in written.items()} == {
        "sum": {"includes": 1.0},
        "product": {"includes": 0.0},
        4: {"includes": 1.0},
    }
    assert {(row["task"], row["model"]) for row in written.values()} == {("mixed", "mockllm/model")}
    assert written["sum"]["subject"] == "arithmetic"
    assert written[4]["answer"] == ["iron"]
    assert written["product"]["score"]["provenance"]["chain_source"] == "reasoning content"
    assert written["product"]["score"]["steps"][0]["text"] == "2 * 3 = 6."
    (skipped,) = rows(out, "skipped.jsonl")
    assert "sample silent: the model wrote nothing" in skipped["reason"]

    (path,) = (out / "logs").iterdir()
    assert path.name == Path(log.location).name
    copy = read_eval_log(str(path))
    assert copy.status == "success"
    assert copy.eval.model == log.eval.model
    assert copy.eval.viewer is not None
    assert copy.eval.viewer.task_samples_view is not None
    assert copy.results is not None
    by_name = {one.name: one for one in copy.results.scores}
    assert by_name["includes"].metrics["accuracy"].value == pytest.approx(0.5)
    nats = [row["score"]["metrics"]["infogain_nats"] for row in rows(out)]
    assert by_name["infogain_nats"].metrics["mean"].value == pytest.approx(sum(nats) / 3)
    assert by_name["infogain_nats"].unscored_samples == 1
    for sample in copy.samples or []:
        ours = (sample.scores or {})["stepgauge"]
        if sample.id == "silent":
            assert ours.reason == "no_chain"
            continue
        assert ours.metadata == written[sample.id]["score"]
        assert "gain" in (ours.explanation or "")
    (file,) = (out / "precomputed").iterdir()
    assert file.name == f"{path.name}.jsonl"
    monkeypatch.chdir(tmp_path)
    [recipe] = [code for _, code in blocks("docs/finished-runs.md") if "precomputed_scores" in code]
    exec(recipe, again := {})
    means = {one.name: one.metrics["mean"].value for one in again["scored"].results.scores[1:]}
    expected = {name: one.metrics["mean"].value for name, one in by_name.items() if name != "includes"}
    assert means == pytest.approx(expected, nan_ok=True)
    original = read_eval_log(log.location)
    assert all("stepgauge" not in (sample.scores or {}) for sample in original.samples or [])
    capsys.readouterr()
    assert main(["show", str(path), "--id", "sum"]) == 0
    assert "We add: 3 + 4 = 7." in capsys.readouterr().out


def longer(log: EvalLog, count: int, path: Path) -> Path:
    """The log with so many samples, the chains of its own again and again; each takes 100 kB more."""
    own = [sample for sample in log.samples or [] if sample.id != "silent"]
    store = {"history": "x" * 100_000}
    many = [own[i % len(own)].model_copy(update={"id": i, "uuid": f"u{i}", "store": store}) for i in range(count)]
    out = log.model_copy(deep=True, update={"samples": many})
    out.eval.dataset.sample_ids = list(range(count))
    assert out.results is not None
    out.results.total_samples = out.results.completed_samples = count
    write_eval_log(out, path)
    return path


@pytest.mark.slow
def test_copy_of_a_log_of_many_samples_has_each_score_at_its_sample(tmp_path):
    log = longer(run(tmp_path / "logs"), 300, tmp_path / "many.eval")  # more than are read or written at a time
    out = tmp_path / "out"
    assert score(log, "--out", out, "--set", "scorer=null", "--write-logs") == 0
    copy = read_eval_log(str(out / "logs" / "many.eval"))
    found = {sample.id: (sample.scores or {})["stepgauge"].metadata for sample in copy.samples or []}
    assert found == {row["doc_id"]: row["score"] for row in rows(out)}
    assert len(found) == 300
    assert copy.results is not None
    (coverage,) = [one for one in copy.results.scores if one.name == "ki_coverage"]
    assert coverage.scored_samples == 300
    expected = [row["score"]["metrics"]["ki_coverage"] for row in rows(out)]
    assert coverage.metrics["mean"].value == pytest.approx(sum(expected) / 300)


@pytest.mark.slow
def test_copies_of_logs_take_hardly_more_memory_for_more_samples(tmp_path):
    log = run(tmp_path / "logs")
    taken = []
    for count in (300, 1_100):
        given = longer(log, count, tmp_path / f"{count}.eval")
        taken.append(
            most_memory("score", given, "--out", tmp_path / f"out-{count}", "--set", "scorer=null", "--write-logs")
        )
    # 800 samples held, with their scores, would be 160 MiB; Inspect keeps a summary and the numbers of each.
    assert taken[1] - taken[0] < 50, taken


def test_scores_equal_those_of_inspect_score(tmp_path):
    log = run(tmp_path / "logs", epochs=2)
    assert score(tmp_path / "logs", "--out", tmp_path / "out", "--set", "scorer=null") == 0
    rescored = inspect_score(log, knowledge(), action="append", display="none")
    live = {}
    for sample in rescored.samples or []:
        told = (sample.scores or {})["knowledge"].metadata
        if told and "trace_hash" in told:
            live[sample.id, sample.epoch] = told
    again = {(row["doc_id"], row["key"]["repeat"] + 1): row["score"] for row in rows(tmp_path / "out")}
    assert len(again) == 6
    assert again.keys() == live.keys()
    for chain, found in again.items():
        assert_alike(found, live[chain])


@pytest.mark.slow
def test_sample_that_ended_with_an_error_is_skipped_with_that_error(tmp_path):
    run(tmp_path / "logs", solver=failing_at("product"), fail_on_error=False)
    assert score(tmp_path / "logs", "--out", tmp_path / "out") == 0
    assert [row["doc_id"] for row in rows(tmp_path / "out")] == ["sum", 4]
    reasons = {row["kind"]: row["reason"] for row in rows(tmp_path / "out", "skipped.jsonl")}
    assert "the sandbox is gone" in reasons["the sample ended with an error"]


@pytest.mark.slow
def test_samples_that_an_interrupted_run_did_not_reach_are_counted(tmp_path, capsys):
    log = run(tmp_path / "logs", solver=failing_at("product"), max_samples=1)
    assert log.status == "error"
    assert score(tmp_path / "logs", "--out", tmp_path / "out", "--set", "scorer=null") == 0
    assert [row["doc_id"] for row in rows(tmp_path / "out")] == ["sum"]
    assert "rows passed over: the run did not reach the sample" in capsys.readouterr().out


def test_where_reads_a_samples_metadata(tmp_path):
    run(tmp_path / "logs")
    assert score(tmp_path / "logs", "--out", tmp_path / "out", "--where", "metadata.category=arithmetic") == 0
    assert [row["doc_id"] for row in rows(tmp_path / "out")] == ["sum"]


def test_file_that_only_looks_like_a_log_is_one_clear_error(tmp_path, capsys):
    fake = tmp_path / "log.json"
    fake.write_text(json.dumps({"version": 2, "status": "success", "eval": {"task": 3}}))
    assert score(fake, "--out", tmp_path / "out") == 2
    assert f"{fake}: the file cannot be read: Inspect cannot read this log" in capsys.readouterr().err
