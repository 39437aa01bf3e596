"""The benchmarks of the likelihood engine: each command run once on a tiny scorer, and what they count and compare."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import torch
from benchmark_modules import benchmark
from oracle import naive_chain
from tiny_scorers import make_scorer
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import Trace
from stepgauge.metrics.tokenization.spans import TokenSpan

ALWAYS = {"published", "batched", "cached", "lm-eval", "ours", "floor"}


@pytest.fixture(scope="module")
def scorer(tmp_path_factory, tokenizers) -> str:
    folder = tmp_path_factory.mktemp("scorer")
    return str(make_scorer(folder, "llama", tokenizers["qwen"], max_position_embeddings=8192))


def test_every_way_gives_the_same_numbers_and_has_its_figures_in_the_table(scorer, shared_data, tmp_path, capsys):
    out = tmp_path / "out.json"
    command = [f"--scorer={scorer}", "--limit=2", "--rounds=3", "--patience=6000", f"--out={out}"]
    command += ["--sets", "gsm8k", "mrben", "joined36", "--at-most=25000"]
    assert shared_data
    assert benchmark("engine.infogain").main(command) == 0
    printed = capsys.readouterr().out
    found = json.loads(out.read_text(encoding="utf-8"))
    assert f"{found['threads']} thread" in printed
    for name in ("gsm8k", "mrben", "joined36"):
        part = found["sets"][name]
        methods = part["methods"]
        assert set(methods) | set(part["left_out"]) >= ALWAYS
        assert methods["ours"]["rounds"] == 3
        unique, every = (sum(chain[key] for chain in part["counts"]) for key in ("unique", "all_tokens"))
        assert part["statistics"]["unique_tokens"] == 3 * unique
        assert methods["floor"]["tokens"] == unique
        for which, row in methods.items():
            assert len(row["seconds"]) == row["rounds"]
            assert row["median_seconds"] == np.median(row["seconds"])
            assert row["ratio_to_ours"] == row["median_seconds"] / methods["ours"]["median_seconds"]
            if not which.startswith("floor"):
                assert row["max_difference"] < 1e-3, (name, which)
                assert f"{row['median_seconds']:.3f}" in printed
        if "published" in methods:
            assert methods["published"]["tokens"] == every
    gsm8k = found["sets"]["gsm8k"]
    assert gsm8k["reference"] == "published"
    assert gsm8k["methods"]["published"]["rounds"] < 3
    joined = found["sets"]["joined36"]
    assert joined["left_out"].keys() >= {"published", "batched", "lm-eval"}
    assert joined["reference"] == "cached"
    assert "left out: (a) published" in printed
    assert "max diff to (c)" in printed


def test_scaling_prints_an_exponent_for_each_axis(scorer, shared_data, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert shared_data
    assert benchmark("engine.scaling").main([f"--scorer={scorer}", "--quick", f"--out={out}"]) == 0
    printed = capsys.readouterr().out
    axes = json.loads(out.read_text(encoding="utf-8"))["axes"]
    assert set(axes) == {"steps", "real steps in a step", "chains", "options"}
    assert printed.count("fitted exponent: stepgauge ") == len(axes)
    for axis in axes.values():
        small, large = axis["rows"]
        assert small["all_tokens"] < large["all_tokens"]
        slope = math.log(large["ours"] / small["ours"]) / math.log(large["size"] / small["size"])
        assert axis["exponents"]["ours"] == pytest.approx(slope)


def test_the_profiles_kinds_add_up_to_the_run(scorer, shared_data, capsys):
    assert shared_data
    assert benchmark("engine.profile").main([f"--scorer={scorer}", "--sets", "gsm8k", "--limit=1"]) == 0
    printed = capsys.readouterr().out
    shares = [float(share) for share in re.findall(r"([\d.]+) %", printed)]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert "matrix products" in printed


def test_tokenizing_shared_texts_once_gives_their_tokens_and_is_faster_on_a_long_chain(shared_data, capsys):
    assert shared_data
    assert benchmark("engine.tokenizing").main(["--steps", "3", "100"]) == 0
    last = capsys.readouterr().out.rstrip().splitlines()[-2]
    assert float(re.findall(r"[\d.]+", last)[-1]) > 2


def test_the_hosts_work_is_told_by_stage_and_length(shared_data, capsys):
    assert shared_data
    assert benchmark("engine.host").main(["--chains=2", "--steps", "20", "60", "--together=0"]) == 0
    printed = capsys.readouterr().out
    (line,) = re.findall(r"\| a chain \|(.*)", printed)
    *stages, whole = map(float, re.findall(r"[\d.]+", line))
    assert 0 < sum(stages) <= whole + 0.01 * len(stages)
    assert "20 to 60 steps: exponent" in printed


@pytest.mark.long
def test_sixty_four_chains_of_a_thousand_steps_with_ten_options_take_less_than_a_gibibyte(shared_data, capsys):
    assert shared_data
    assert benchmark("engine.host").main(["--chains=0", "--steps", "--together=64"]) == 0
    (mebibytes,) = re.findall(r"ten options: ([\d,]+) MiB", capsys.readouterr().out)
    assert int(mebibytes.replace(",", "")) < 1024


@pytest.mark.parametrize(
    "name", ["engine.infogain", "engine.scaling", "engine.profile", "engine.tokenizing", "engine.host"]
)
def test_without_the_real_chains_a_benchmark_says_so(name, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STEPGAUGE_SHARED", str(tmp_path))
    assert benchmark(name).main([]) == 2
    assert f"STEPGAUGE_SHARED is {str(tmp_path)!r}" in capsys.readouterr().err


def test_a_set_beyond_the_scorers_context_is_left_out_with_the_reason(shared_data, tmp_path, tokenizers, capsys):
    assert shared_data
    short = make_scorer(tmp_path, "llama", tokenizers["qwen"], max_position_embeddings=128)
    assert benchmark("engine.infogain").main([f"--scorer={short}", "--sets", "joined36", "--limit=1"]) == 1
    assert "joined36 is left out" in capsys.readouterr().out


def test_the_way_that_others_are_compared_with_is_the_obvious_one(scorer):
    trace = Trace("How much is it?", "She has $5.00.\n48 / 2 = 24.\nSo it is 24.", "24 clips")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(scorer), AutoTokenizer.from_pretrained(scorer)
    (requests,) = benchmark("engine.chains").requests_of([trace], "lines")
    (values,) = benchmark("engine.methods").published(model, tokenizer, [requests])
    expected, _ = naive_chain(model, tokenizer, trace.question, trace.response.splitlines(), "24 clips")
    assert values[: len(expected)] == pytest.approx(expected, abs=1e-4)


def test_unique_tokens_are_those_that_no_way_can_do_without():
    sequences = [([1, 2, 3, 9], 3), ([1, 2, 4, 9, 8], 3), ([1, 2, 4, 9, 7], 4), ([1, 5], 1)]
    counts = benchmark("engine.tokens").count([TokenSpan(np.array(ids), start) for ids, start in sequences])
    prefixes = {tuple(ids[:end]) for ids, _ in sequences for end in range(1, len(ids))}
    predicting = {tuple(ids[:end]) for ids, start in sequences for end in range(start, len(ids))}
    assert (counts.unique, counts.predicting) == (len(prefixes), len(predicting)) == (5, 4)
    assert (counts.sequences, counts.all_tokens) == (4, 16)


def test_rounds_of_a_slow_method_are_fewer_and_one_too_slow_is_left_out():
    limits = benchmark("engine.contest").Limits(rounds=5, patience=1000, at_most=3000)
    assert [limits.rounds_for(tokens) for tokens in (10, 200, 400, 2000, 3000, 3001)] == [5, 5, 2, 1, 1, 0]


class Embedding(nn.Embedding):
    """As much of a model as the counter of tokens looks at."""

    def get_input_embeddings(self) -> nn.Module:
        return self


def test_every_method_has_its_turn_to_begin_and_none_runs_more_often_than_it_should():
    rounds = benchmark("engine.rounds")
    model, order = Embedding(4, 2), []

    def method(name: str, tokens: int, most: int):
        def run() -> None:
            order.append(name)
            model(torch.zeros((1, tokens), dtype=torch.long))

        return rounds.Measured(name, run, 0, most)

    methods = [method("a", 3, 3), method("b", 5, 1), method("c", 7, 3)]
    rounds.run_rounds(methods, model, torch.device("cpu"), lambda _: None)
    assert order == ["a", "b", "c", "c", "a", "c", "a"]
    assert [method.tokens for method in methods] == [3, 5, 7]
    assert [len(method.seconds) for method in methods] == [3, 1, 3]


def test_memory_that_a_method_holds_for_a_moment_is_seen():
    with benchmark("engine.rounds").PeakMemory(torch.device("cpu")) as memory:
        total = sum(float(torch.ones(16, 1 << 20).sum()) for _ in range(4))
    assert total == 4 * (1 << 24)
    assert 48 << 20 < memory.grown < 256 << 20
