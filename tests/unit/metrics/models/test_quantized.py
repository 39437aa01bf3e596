"""Quantized scorers: on load and in the checkpoint; with bitsandbytes and torchao, and without them.

Neither is in an extra: peft, and lm-eval with it, imports them wherever they are installed, which costs each run
seconds. `make test-quantized` installs them beside the environment; there, a package that is missing is a failure.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import sys

import pytest
import torch
from made_runs import chain, record, run
from tiny_scorers import make_scorer
from transformers import AutoModelForCausalLM

from stepgauge.metrics import Gauge, ScorerError, Trace
from stepgauge.metrics.comparison.scorers import check_scorers, scorer_name
from stepgauge.metrics.models.quantization import quantizer

CHAINS = [
    Trace("What is 2 + 2, and 3 more?", "2 + 2 = 4.\n4 + 3 = 7.\nThe answer is 7", "7"),
    Trace("What is 9 - 4?", "9 - 4 = 5.", "5"),
]
# bitsandbytes quantizes in blocks of 64 weights.
SIZES = {"hidden_size": 128, "intermediate_size": 256, "head_dim": 32, "initializer_range": 0.1}
PACKAGE = {"bnb-8bit": "bitsandbytes", "bnb-4bit": "bitsandbytes", "torchao-int8": "torchao"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizers):
    return make_scorer(tmp_path_factory.mktemp("scorer"), "llama", tokenizers["qwen"], **SIZES)


def need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        reason = f"{package} is not installed; `make test-quantized` installs it and runs this"
        (pytest.fail if os.environ.get("STEPGAUGE_QUANTIZERS") else pytest.skip)(reason)


def log_likelihoods(gauge: Gauge, chains=CHAINS) -> list[float]:
    return [value for scored in gauge.score(chains) for value in scored.log_likelihoods]


@pytest.mark.parametrize(("name", "off"), [("bnb-8bit", 0.5), ("bnb-4bit", 4.0), ("torchao-int8", 0.5)])
def test_weights_are_quantized_on_load_and_the_provenance_says_so(folder, name, off):
    need(PACKAGE[name])
    whole = Gauge(str(folder), device="cpu")
    quantized = Gauge(str(folder), device="cpu", quantization=name)
    expected = log_likelihoods(whole)
    found = log_likelihoods(quantized)
    assert found != pytest.approx(expected, abs=1e-6)
    assert found == pytest.approx(expected, abs=off)
    alone = [value for trace in CHAINS for value in log_likelihoods(quantized, [trace])]
    assert found == pytest.approx(alone, abs=1e-3)
    assert quantized.backend.describe()["quantization"] == name
    assert "quantization" not in whole.backend.describe()


@pytest.mark.parametrize(("option", "own"), [("bnb-8bit", "bitsandbytes 8-bit"), ("bnb-4bit", "bitsandbytes 4-bit")])
def test_checkpoint_that_is_quantized_already_loads_as_it_is(folder, tmp_path, tokenizers, option, own):
    need("bitsandbytes")
    expected = log_likelihoods(Gauge(str(folder), device="cpu", quantization=option))
    settings = quantizer(option, torch.float32)
    model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=settings, device_map={"": "cpu"})
    model.save_pretrained(tmp_path)
    tokenizers["qwen"].save_pretrained(tmp_path)
    saved = Gauge(str(tmp_path), device="cpu")
    saved.preflight()
    assert log_likelihoods(saved) == pytest.approx(expected, abs=1e-2)
    assert saved.backend.describe()["quantization"] == own
    with pytest.raises(ScorerError, match=f"is quantized already \\({own}\\); leave the option out"):
        Gauge(str(tmp_path), device="cpu", quantization=option).preflight()


@pytest.mark.parametrize("name", PACKAGE)
@pytest.mark.parametrize("door", ["preflight", "score"])
def test_package_that_is_missing_is_named_before_anything_is_loaded(folder, monkeypatch, name, door):
    monkeypatch.setitem(sys.modules, PACKAGE[name], None)  # as if it were not installed
    gauge = Gauge(str(folder), device="cpu", quantization=name)
    with pytest.raises(ScorerError) as raised:
        gauge.preflight() if door == "preflight" else gauge.score(CHAINS)
    assert str(raised.value) == (
        f"quantization {name!r} needs the package {PACKAGE[name]}; install it with: pip install {PACKAGE[name]}"
    )


@pytest.mark.parametrize(
    ("settings", "package", "own"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "optimum", "gptq 4-bit"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "gptqmodel", "awq 4-bit"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes", "bitsandbytes 8-bit"),
        ({"quant_method": "compressed-tensors", "config_groups": {}}, "compressed_tensors", "compressed-tensors"),
        ({"quant_method": "hqq", "quant_config": {}}, "hqq", "hqq"),
        ({"quant_method": "invented"}, None, "invented"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_checkpoint_in_a_format_that_cannot_be_read_here_is_one_clear_error(folder, tmp_path, settings, package, own):
    if package is not None and importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    config = json.loads((folder / "config.json").read_text())
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))
    for door in (Gauge.preflight, lambda gauge: gauge.score(CHAINS)):
        with pytest.raises(ScorerError) as raised:
            door(Gauge(str(tmp_path), device="cpu"))
        message = str(raised.value)
        assert message.startswith(f"scorer {str(tmp_path)!r} is quantized ({own}) and cannot be loaded: ")
        assert (package or own).replace("_", "-") in message.replace("_", "-").lower()
        assert "\n" not in message


def test_unknown_quantization_is_told_with_the_nearest_name(folder):
    with pytest.raises(ScorerError, match=r"unknown quantization 'bnb-4bits'.*bnb-4bit"):
        Gauge(str(folder), device="cpu", quantization="bnb-4bits").preflight()


def with_provenance(name: str, **told: str):
    score = chain([-2.0, -1.0])
    return run(name, [record(0, dataclasses.replace(score, provenance={**score.provenance, **told}))])


def test_runs_compare_across_devices_but_not_across_quantizations():
    plain = with_provenance("plain", device="cpu")
    assert check_scorers(plain, with_provenance("other", device="cuda:0,cuda:1"), force=False, error=ValueError) == []
    quantized = with_provenance("small", device="cpu", quantization="bnb-4bit")
    assert scorer_name(quantized).endswith("bnb-4bit")
    with pytest.raises(ValueError, match=r"different settings of 'quantization' \(plain: none; small: bnb-4bit\)"):
        check_scorers(plain, quantized, force=False, error=ValueError)
