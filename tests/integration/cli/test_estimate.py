"""`stepgauge estimate`: what a run will cost, from lengths alone."""

from __future__ import annotations

import json

import pytest
from scoring import score, traces, write_jsonl

from stepgauge.adapters.cli import main


def test_tokens_are_those_that_scoring_computes_and_operations_follow_from_the_model(tmp_path, tiny_scorer, capsys):
    from transformers import AutoModelForCausalLM

    source = write_jsonl(tmp_path / "in.jsonl", [*traces(9), {**traces(1)[0], "answer": None}])
    assert score(source, "--out", tmp_path / "out", "--scorer", tiny_scorer, cheap=False) == 0
    engine = json.loads((tmp_path / "out" / "engine.jsonl").read_text().splitlines()[-1])
    capsys.readouterr()
    assert main(["estimate", str(source), "--scorer", tiny_scorer, "--utilisation", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "9 chains to score, 1 more without likelihoods" in said
    assert f"{engine['unique_tokens']:,} tokens through the model" in said

    model = AutoModelForCausalLM.from_pretrained(tiny_scorer)
    parameters = sum(one.numel() for one in model.parameters())
    if model.lm_head.weight is not model.model.embed_tokens.weight:
        parameters -= model.model.embed_tokens.weight.numel()
    floor = 2 * parameters * engine["unique_tokens"] / 9
    operations = float(said.split(" TFLOP a chain")[0].splitlines()[-1]) * 1e12
    assert floor < operations < 2 * floor  # attention comes to it
    (a100,) = [line for line in said.splitlines() if line.startswith("NVIDIA A100")]
    rate, hours = (float(cell.replace(",", "")) for cell in a100.split()[-2:])
    assert rate == pytest.approx(312e12 * 0.5 / operations, rel=0.02)
    assert hours == pytest.approx(1e6 / rate / 3600, rel=0.02)


def test_no_weights_are_needed(tmp_path, tiny_scorer, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(3))
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).write_bytes((tmp_path / tiny_scorer / name).read_bytes())
    said = []
    for scorer in (str(bare), tiny_scorer):
        assert main(["estimate", str(source), "--scorer", scorer]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_wrong_share_or_nothing_to_score_is_one_line(tmp_path, tiny_scorer, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", [{**traces(1)[0], "answer": None}])
    for args, message in (
        (["--utilisation", "40"], "--utilisation 40.0: expected a share above 0, at most 1"),
        (["--scorer", tiny_scorer], "none of 1 chains can be scored"),
    ):
        assert main(["estimate", str(source), *args]) == 2
        assert message in capsys.readouterr().err
