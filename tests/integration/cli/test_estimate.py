"""`stepgauge estimate`: what a run will cost, from lengths alone."""

from __future__ import annotations

import json

import pytest
from chat_server import Answer, ChatServer, quoted, verdict
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


def test_calls_and_tokens_of_servers_are_those_of_the_run_where_every_step_has_its_claims(tmp_path, capsys):
    def answer(request):
        shown = quoted(request)
        if "step" in shown:
            text = " ".join(shown["step"].split())[:300]
            return Answer(json.dumps({"claims": [{"claim": text, "query": text}]}))
        return verdict("supported", 0.9)

    rows = [
        {
            "question": f"What is {n} + {n}?",
            "response": f"First, {n} is given.\nThen {n} is added on top of it.\nThe answer is x.",
            "answer": "x",
        }
        for n in range(10, 16)
    ]
    for row in rows:
        row["meta"] = {"passages": ["A passage of no more than a thousand characters."]}
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    with ChatServer(answer) as server:
        endpoint = {"base_url": server.base_url, "model": "m", "cache": "off"}
        priced = {**endpoint, "prompt_price": 2.0, "completion_price": 10.0}
        same = ["--scorer", "null", "--preset", "paper", "--set", "splitter=lines", "--set", "retriever=given"]
        assert main(["estimate", str(source), *same, "--set", f"endpoint={json.dumps(priced)}"]) == 0
        said = capsys.readouterr().out
        assert server.requests == []  # nothing is sent
        told = ["--set", f"endpoint={json.dumps(endpoint)}", "--out", str(tmp_path / "out")]
        assert main(["score", str(source), *same, *told]) == 0
    sorts = [set(quoted(request)) for request in server.requests]
    cells = {line.split()[0]: line.split() for line in said.splitlines() if line.startswith(("extractor", "judge"))}
    assert "6 chains of 3.0 steps, with 12 claims at most (2.0 a chain)" in said
    assert int(cells["extractor"][2]) == sum("step" in shown for shown in sorts) == 12
    assert int(cells["judge"][2]) == sum("claim" in shown for shown in sorts) == 12
    for name, field in (("extractor", "step"), ("judge", "claim")):
        sent = [request["messages"] for request in server.requests if field in quoted(request)]
        characters = sum(len(message["content"]) for messages in sent for message in messages)
        told_in, told_out, cost = (float(cell.replace(",", "")) for cell in cells[name][4:])
        # Passages and claims are taken at their longest, and a claim's context at what is shown of it.
        assert 0.8 * characters / 4 < told_in
        assert cost == pytest.approx((2 * told_in + 10 * told_out) / 1e6, abs=0.006)


def test_without_a_scorer_and_a_server_there_is_nothing_to_estimate(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert main(["estimate", str(source), "--scorer", "null"]) == 2
    assert "nothing would be computed by a scoring LM, and no server is asked" in capsys.readouterr().err


def test_a_dry_run_asks_nobody_and_says_that_steps_are_cut_by_rule(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    with ChatServer(lambda _: Answer("no")) as server:
        endpoint = json.dumps({"base_url": server.base_url, "model": "m"})
        options = ["--scorer", "null", "--preset", "paper", "--set", f"endpoint={endpoint}", "--set", "retriever=given"]
        assert main(["score", str(source), "--dry-run", *options]) == 0
    assert server.requests == []
    assert "nothing is asked in a dry run, and llm:m asks" in capsys.readouterr().out
