"""The benchmarks of exactness, of one long chain and of the engine at full size: their counts, and each run once."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_modules import benchmark
from repo import REPO
from tiny_scorers import make_scorer
from torch.utils.flop_counter import FlopCounterMode

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 211,
    "max_position_embeddings": 4096,
    "initializer_range": 0.3,
}


@pytest.fixture(scope="module")
def model():
    return benchmark("engine.gpu_device").make_model(SMALL, "cpu", torch.float32)


# --- what is counted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [{}, {"head_dim": 16}, {"num_key_value_heads": 4}], ids=str)
def test_the_formula_counts_what_torch_counts_in_a_forward_pass(shape):
    count = benchmark("engine.flops")
    device = benchmark("engine.gpu_device")
    made = device.make_model({**SMALL, **shape}, "cpu", torch.float32)
    made.set_attn_implementation("eager")
    length, kept = 37, 5
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        made(input_ids=torch.arange(length)[None], use_cache=False, logits_to_keep=kept)
    # An ordinary pass computes the pairs that the mask hides, too.
    work = count.Work(tokens=length, pairs=length * length, predicting=kept)
    assert count.flops(made.config, work) == counter.get_total_flops()


def test_shared_tokens_are_counted_once_and_their_pairs_too():
    chains, count = benchmark("engine.token_chains"), benchmark("engine.flops")
    chain = chains.ChainLengths(7, (3, 1, 4, 1), 3, (3, 2, 5), final=(1, 3))
    spans = chains.token_spans(chain, 11, seed=1)
    prefixes = {tuple(span.ids[:n].tolist()) for span in spans for n in range(1, len(span.ids))}
    predicting = {tuple(span.ids[:n].tolist()) for span in spans for n in range(span.start, len(span.ids))}
    assert count.work_of(spans) == count.Work(len(prefixes), sum(map(len, prefixes)), len(predicting))


@pytest.mark.parametrize(
    ("chain", "sequences"),
    [
        ({"question": 5, "steps": (2, 3), "answer": 2}, 3),
        ({"question": 5, "steps": (2, 3), "answer": 2, "options": (2, 1, 4)}, 9),
        ({"question": 5, "steps": (2, 3, 4), "answer": 2, "final": (2,)}, 4),
        ({"question": 5, "steps": (2, 3, 4), "answer": 2, "final": (1,)}, 5),
        ({"question": 5, "steps": (), "answer": 1}, 1),
    ],
)
def test_a_chain_of_counts_asks_what_a_gauge_asks(chain, sequences):
    chains = benchmark("engine.token_chains")
    lengths = chains.ChainLengths(**chain)
    spans = chains.token_spans(lengths, 1000, seed=0)
    assert len(spans) == sequences
    longest = max(spans, key=lambda span: len(span.ids))
    assert len(longest.ids) == lengths.context + chains.CUE + max(lengths.options or (lengths.answer,))
    assert {len(span.ids) - span.start for span in spans} == set(lengths.options or (lengths.answer,))


def test_chains_are_joined_to_so_many_steps_or_tokens_and_evenly_made_ones_have_exactly_so_many():
    chains = benchmark("engine.token_chains")
    own = [chains.ChainLengths(4, (2, 5), 1), chains.ChainLengths(9, (3,), 2, (2, 2), (0,))]
    assert chains.joined(own, steps=3) == chains.ChainLengths(4, (2, 5, 3), 1)
    assert chains.joined(own, tokens=10).steps == (2, 5)
    with pytest.raises(ValueError, match="hold 3 steps of 10 tokens together, too few for 4 steps"):
        chains.joined(own, steps=4)
    spans = chains.token_spans(chains.even_chain(500, 40), 1000, seed=0)
    assert (len(spans), max(len(span.ids) for span in spans)) == (41, 500)
    with pytest.raises(ValueError, match="too few for 40 steps"):
        chains.even_chain(40, 40)


def test_counts_come_back_from_a_file_and_what_is_none_is_named(tmp_path):
    chains = benchmark("engine.token_chains")
    own = {"a": [chains.ChainLengths(4, (2, 5), 1, (1, 2), (1,))], "b": []}
    chains.write_lengths(tmp_path / "n.json", own)
    assert chains.read_lengths(tmp_path / "n.json") == own
    (tmp_path / "n.json").write_text('{"a": [{"question": 4}]}')
    with pytest.raises(ValueError, match=r"n\.json, a\[0\]: expected token counts"):
        chains.read_lengths(tmp_path / "n.json")


# --- errors ----------------------------------------------------------------------------------------------------------


def test_errors_are_of_prefixes_of_steps_and_of_whole_chains():
    exact = [np.array([0.0, 1.0, 0.9]), np.array([-5.0, -5.01])]
    other = [np.array([0.0, 0.5, 0.9]), np.array([-5.0, -4.9])]
    found = benchmark("engine.exactness").errors(exact, other, epsilon=0.05)
    assert (found["chains"], found["prefixes"]) == (2, 5)
    assert found["log_likelihood"]["max"] == pytest.approx(0.5)
    assert found["gain"] == pytest.approx({"median": 0.5, "p95": 0.5, "max": 0.5})
    assert found["infogain_nats"]["max"] == pytest.approx(0.11)
    # Exact gains 1, -0.1, -0.01; the others 0.5, 0.4, 0.1: of the two beyond epsilon one keeps its sign.
    assert found["sign_kept"] == pytest.approx(1 / 2)
    assert found["kind_kept"] == pytest.approx(1 / 3)


def test_without_a_gain_beyond_epsilon_there_is_no_share_that_keeps_its_sign():
    found = benchmark("engine.exactness").errors([np.array([0.0, 0.01])], [np.array([0.0, 0.02])])
    assert math.isnan(found["sign_kept"])
    assert found["kind_kept"] == 1.0
    without_steps = benchmark("engine.exactness").errors([np.zeros(1)], [np.zeros(1)])
    assert all(math.isnan(value) for value in without_steps["gain"].values())


def test_exactness_on_real_chains_of_a_tiny_scorer(tmp_path, tokenizers, shared_data, capsys):
    assert shared_data
    folder = make_scorer(tmp_path, "qwen2", tokenizers["qwen"], max_position_embeddings=8192)
    sizes = ["--chains=20", "--precision-chains=10", "--fp16-chains=1", "--softmax-chains=2"]
    out = tmp_path / "out.json"
    assert benchmark("engine.exactness").main(["--scorer", str(folder), "--device=cpu", *sizes, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| mmlu_pro" in printed
    found = json.loads(out.read_text())
    assert {name: found["sets"].count(name) for name in set(found["sets"])} == {
        "gsm8k": 12,
        "prmbench": 3,
        "mrben": 3,
        "mmlu_pro": 2,
    }
    for differences in found["invariance"].values():
        assert len(differences) == 20
        assert max(differences) < 1e-3
    rows = found["precision"]
    assert rows["bfloat16 weights"]["chains"] == 10
    assert rows["bfloat16 weights"]["log_likelihood"]["max"] > 1e-3
    for name in ("bfloat16 weights, the chains below", "bfloat16 log-softmax alone"):
        assert 0 < rows[name]["log_likelihood"]["median"] < 1, name


# --- one long chain --------------------------------------------------------------------------------------------------


def test_the_peak_is_what_a_run_held_beyond_what_was_there_before():
    there = np.ones(2**24)  # 128 MiB
    result, peak = benchmark("engine.long_chain").with_peak(lambda: float(np.ones(2**25).sum()), "cpu")
    assert result == 2**25
    assert 0.9 * 2**28 < peak.bytes < 1.3 * 2**28
    assert there[0] == 1


def test_plain_passes_in_chunks_give_what_one_pass_gives(model, monkeypatch):
    long_chain, chains = benchmark("engine.long_chain"), benchmark("engine.token_chains")
    monkeypatch.setattr(long_chain, "_CHUNK", 7)
    for span in chains.token_spans(chains.even_chain(61, 3, answer=9), SMALL["vocab_size"], seed=0):
        with torch.inference_mode():
            logits = model(input_ids=torch.from_numpy(span.ids)[None], use_cache=False).logits[0]
        log_p = torch.log_softmax(logits, -1)
        expected = sum(log_p[j - 1, span.ids[j]].item() for j in range(span.start, len(span.ids)))
        assert long_chain.plain_log_likelihood(model, span) == pytest.approx(expected, abs=1e-4)


def test_a_long_chain_in_a_process_of_its_own(tmp_path, capsys):
    out = tmp_path / "out.json"
    sizes = ["--tokens=700", "--steps=20", "--vocabulary=3000", "--layers=1", "--hidden=128"]
    assert benchmark("engine.long_chain").main([*sizes, "--out", str(out)]) == 0
    assert "| log_likelihoods" in capsys.readouterr().out
    (row,) = json.loads(out.read_text())["rows"]
    assert (row["tokens"], row["sequences"]) == (700, 21)
    assert row["unique_tokens"] == 699 + 20 * 9  # the trunk, and a branch of cue and answer per other prefix
    assert row["largest_difference_nats"] < 1e-3
    assert row["kv_bytes"] == 2 * 1 * 1 * 64 * 4 * 700
    assert row["excess_bytes"] == row["peak_bytes"] - row["kv_bytes"]
    assert row["under_limit"]


def test_a_long_chain_of_text_through_a_gauge():
    long_chain = benchmark("engine.long_chain")
    row = long_chain.measure_gauge(long_chain.make_model(3000, 2048, 1, 128, "cpu"), 700, 20)
    assert row["sequences"] == 21
    assert row["tokens"] == pytest.approx(700, rel=0.1)
    assert row["unique_tokens"] == pytest.approx(700 + 20 * 9, rel=0.2)


# --- at full size ----------------------------------------------------------------------------------------------------

# Needed by stepgauge, but not by its engine.
ABSENT = ("stepgauge", "__editable__", "platformdirs", "pluggy", "sentencex", "gguf", "scipy", "psutil")


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> dict[str, str]:
    """An environment in which Python finds neither stepgauge nor most of what it depends on."""
    folder = tmp_path_factory.mktemp("bare")
    for package in Path(torch.__file__).parents[1].iterdir():
        if not package.name.lower().startswith(ABSENT) and package.suffix != ".pth":
            (folder / package.name).symlink_to(package)
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def lengths(tmp_path_factory, tokenizers, shared_data):
    """Token counts of real chains by a small tokenizer, as the command writes them."""
    assert shared_data
    folder = tmp_path_factory.mktemp("lengths")
    tokenizers["llama3"].save_pretrained(folder / "tokenizer")
    path = folder / "lengths.json"
    assert benchmark("engine.gpu").main([f"--make-lengths={path}", "--tokenizer", str(folder / "tokenizer")]) == 0
    return path


def run_bare(bare: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    # -S: without the site-packages that `bare` stands for, and the .pth files in it.
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, cwd=REPO, env=bare, capture_output=True, text=True, check=False)


def test_the_engine_is_found_in_a_checkout_with_torch_and_transformers_alone(bare):
    code = """
import importlib.util
print([name for name in ("stepgauge", "platformdirs", "pluggy") if importlib.util.find_spec(name)])
import benchmarks.engine.gpu
from benchmarks.engine.imports import make_engine
print(make_engine.__module__)
"""
    done = run_bare(bare, "-c", code)
    assert (done.stdout, done.returncode) == ("[]\nstepgauge.metrics.engine.scheduler\n", 0), done.stderr


def test_all_parts_of_the_engines_benchmark_run_on_the_cpu(lengths, tmp_path, capsys):
    module = benchmark("engine.gpu")
    assert module.main(["--tiny", f"--lengths={lengths}", f"--out={tmp_path}"]) == 0
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["failed"] == {}
    parts = content["parts"]
    assert set(parts) == set(module.PARTS) - {"compiled"}
    printed = capsys.readouterr().out
    assert printed.strip() == (tmp_path / "results.md").read_text().strip()
    assert [row["workload"] for row in parts["throughput"]] == ["mmlu_pro", "long chains", "gsm8k", "36 steps"]
    for row in [*parts["throughput"], *parts["budgets"]]:
        assert row["utilisation"] == pytest.approx(row["flops"] / row["seconds"] / content["run"]["matrix_rate"])
        assert row["computed_tokens"] >= row["unique_tokens"] > 0
        assert row["peak_bytes"] > row["weight_bytes"] > 0
    (naive,) = parts["naive"]
    assert (naive["steps"], naive["prefixes"]) == (36, 37 * naive["chains"])
    assert naive["largest_difference_nats"] < 1e-3
    (memory,) = parts["memory"]
    assert (memory["tokens"], memory["sequences"]) == (600, 21)
    assert memory["largest_difference_nats"] < 1e-3
    assert all(row["max_nats"] < 1e-3 for row in parts["invariance"])
    assert "aten::mm" in (tmp_path / "profile.txt").read_text()


def test_a_part_that_fails_is_named_and_the_others_are_run(lengths, tmp_path, capsys, monkeypatch):
    module = benchmark("engine.gpu")

    def broken(_):
        yield {"dtype": "float32", "layers": 1, "chains": 1, "values": 1, "p99_nats": 0.0, "max_nats": 0.0}
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setitem(module.PARTS, "invariance", broken)
    arguments = ["--tiny", f"--lengths={lengths}", f"--out={tmp_path}", "--only", "invariance", "naive"]
    assert module.main(arguments) == 1
    assert "invariance failed" in capsys.readouterr().err
    content = json.loads((tmp_path / "results.json").read_text())
    assert "illegal memory access" in content["failed"]["invariance"]
    assert [len(content["parts"][name]) for name in ("invariance", "naive")] == [1, 1]


def test_counts_of_real_chains_hold_numbers_only(lengths):
    content = json.loads(lengths.read_text())
    assert {name: len(rows) for name, rows in content.items()} == benchmark("engine.gpu").REAL
    values = [value for rows in content.values() for row in rows for value in row.values()]
    flat = [number for value in values for number in (value if isinstance(value, list) else [value])]
    assert all(type(number) is int for number in flat)
    assert any(row["options"] for row in content["mmlu_pro"])
    assert not any(row["options"] for row in content["gsm8k"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no accelerator: a model of 7 billion parameters needs one"),
        (["--tiny"], "no real data: STEPGAUGE_SHARED is"),
        (["--tiny", "--lengths=absent.json"], "absent.json"),
        (
            ["--tiny", "--lengths={empty}", "--attention", "default", "telepathy"],
            "--attention telepathy: this engine has",
        ),
        (["--tiny", "--lengths={empty}"], "has no chains of gsm8k, mmlu_pro"),
    ],
)
def test_what_the_engines_benchmark_lacks_is_said(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STEPGAUGE_SHARED", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "empty.json").write_text("{}")
    given = [argument.format(empty=tmp_path / "empty.json") for argument in arguments]
    assert benchmark("engine.gpu").main([*given, f"--out={tmp_path}"]) == 2
    assert message in capsys.readouterr().err
