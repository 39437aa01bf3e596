"""Inspect logs that another tool wrote or edited."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai.log import read_eval_log
from scoring import rows, score, traces, write_jsonl

WRITTEN = "3 * 24 = 72.\nThe answer is 72."


def log_of(model: str) -> dict[str, Any]:
    """The least that Inspect reads as a log, with one sample."""
    turn = {"role": "assistant", "content": WRITTEN, "source": "generate"}
    eval_spec = {
        "run_id": "r1",
        "created": "2025-02-07T00:00:00+00:00",
        "task": "sums",
        "dataset": {"samples": 1, "sample_ids": [1]},
        "model": model,
        "config": {},
    }
    first = {
        "id": 1,
        "epoch": 1,
        "input": "What is 3 * 24?",
        "target": "72",
        "messages": [{"role": "user", "content": "What is 3 * 24?", "source": "input"}, turn],
        "output": {"model": model, "choices": [{"message": turn, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "C", "answer": "72"}},
    }
    header = {"version": 2, "status": "success", "eval": eval_spec, "plan": {"steps": []}, "results": {}, "stats": {}}
    return {**header, "samples": [first]}


def both(folder: Path, log: dict[str, Any]) -> Path:
    """A folder with that log and a file of one trace."""
    folder.mkdir()
    (folder / "log.json").write_text(json.dumps(log))
    write_jsonl(folder / "traces.jsonl", traces(1))
    return folder


@pytest.mark.parametrize("model", ["my-local-model", "openai/gpt-4o", "none", "a/b/c"])
def test_model_of_a_log_may_have_any_name(tmp_path, model):
    out = tmp_path / "out"
    assert score(both(tmp_path / "in", log_of(model)), "--out", out, "--write-logs") == 0
    first, second = rows(out)
    assert (first["model"], first["accuracy"], first["answer"]) == (model, {"match": 1.0}, ["72"])
    assert [step["text"] for step in first["score"]["steps"]] == WRITTEN.splitlines()
    assert second["id"] == "q0"
    copy = read_eval_log(str(out / "logs" / "log.json"))
    assert copy.eval.model == model
    assert (copy.samples or [])[0].scores["stepgauge"].metadata["metrics"]["n_steps"] == 2


def test_a_log_that_inspect_refuses_is_one_line(tmp_path):
    folder = both(tmp_path / "in", log_of("openai/gpt-4o"))
    (folder / "log.json").unlink()
    with zipfile.ZipFile(folder / "log.eval", "w") as archive:
        archive.writestr("header.json", '{"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}')
    assert score(folder, "--out", tmp_path / "out") == 0
    (skipped,) = rows(tmp_path / "out", "skipped.jsonl")
    assert "Field required" in skipped["reason"]
    assert "\n" not in skipped["reason"]


def test_sample_that_inspects_types_refuse_is_skipped_and_the_others_are_scored(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no such state")

    monkeypatch.setattr("inspect_ai.solver.TaskState", refuse)
    assert score(both(tmp_path / "in", log_of("openai/gpt-4o")), "--out", tmp_path / "out") == 0
    assert [row["id"] for row in rows(tmp_path / "out")] == ["q0"]
    (skipped,) = rows(tmp_path / "out", "skipped.jsonl")
    assert skipped["reason"] == "sample 1: ValueError: no such state"
