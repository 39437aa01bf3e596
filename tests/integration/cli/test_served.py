"""`stepgauge score` with a scorer that a server runs: numbers, reasons, provenance and the closing line."""

from __future__ import annotations

import json

import pytest
from inference_servers import SERVERS, Fault, Lm
from scoring import rows, score, traces, write_jsonl
from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.fixture(scope="module")
def lm(tiny_scorer):
    model = AutoModelForCausalLM.from_pretrained(tiny_scorer, dtype="float32").eval()
    return Lm(model, AutoTokenizer.from_pretrained(tiny_scorer))


@pytest.mark.parametrize("engine", SERVERS)
def test_a_finished_run_is_scored_by_a_server_and_says_so(engine, lm, tiny_scorer, tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", [*traces(3), *traces(1, question="What is seventeen?", id="lost")])

    def fault(ids, before):
        del before
        return Fault(500) if "seventeen" in lm.tokenizer.decode(ids) else None

    here, there = tmp_path / "here", tmp_path / "there"
    assert score(source, "--out", here, "--scorer", tiny_scorer, "--device", "cpu", cheap=False) == 0
    capsys.readouterr()
    with SERVERS[engine](lm, tiny_scorer, fault=fault) as server:
        options = ["--scorer", tiny_scorer, "--set", f"backend={engine}", "--set", f"base_url={server.base_url}"]
        options += ["--set", 'server={"max_retries": 1, "backoff": 0}', "--window", "2"]
        assert score(source, "--out", there, *options, cheap=False) == 0
    said = capsys.readouterr().out
    *good, lost = rows(there)
    for row, expected in zip(good, rows(here), strict=False):
        assert row["score"]["log_likelihoods"] == pytest.approx(expected["score"]["log_likelihoods"], abs=1e-3)
        assert row["score"]["provenance"]["backend"] == engine
        assert row["score"]["provenance"]["engine"].startswith(engine)
    assert lost["score"]["missing"]["infogain"].startswith(f"{engine}: HTTP 500")
    (line,) = [line for line in said.splitlines() if line.startswith("engine: ")]
    assert "sequences asked twice differ by at most 0 nats" in line
    (told,) = [json.loads(line) for line in (there / "engine.jsonl").read_text().splitlines()]
    assert told["repeated"] > 0
    assert told["noise_nats"] == 0


def test_a_server_that_is_not_there_is_one_line(tiny_scorer, tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(1))
    options = ["--set", "backend=vllm", "--set", "base_url=http://127.0.0.1:9", "--set", 'server={"max_retries": 0}']
    assert score(source, "--out", tmp_path / "out", "--scorer", tiny_scorer, *options, cheap=False) != 0
    said = capsys.readouterr().err
    assert "likelihood backend 'vllm': http://127.0.0.1:9/v1/models: connection failed" in said
    assert "Traceback" not in said
