"""Quantized scorers: checkpoints that are already quantized, and quantization on loading."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ScorerError
from ..names import unknown_name

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

# The packages each needs beyond torch and transformers, by import name, which is also the name on PyPI.
QUANTIZATIONS: Mapping[str, tuple[str, ...]] = {
    "bnb-8bit": ("bitsandbytes", "accelerate"),
    "bnb-4bit": ("bitsandbytes", "accelerate"),
    "torchao-int8": ("torchao", "accelerate"),
}


def check_quantization(name: str | None) -> None:
    """Raises ScorerError for a name that is not in `QUANTIZATIONS`, or if its packages are not installed."""
    if name is None:
        return
    if name not in QUANTIZATIONS:
        raise ScorerError(unknown_name("quantization", name, QUANTIZATIONS))
    if absent := [package for package in QUANTIZATIONS[name] if importlib.util.find_spec(package) is None]:
        raise ScorerError(
            f"quantization {name!r} needs the package {' and '.join(absent)}; "
            f"install it with: pip install {' '.join(absent)}"
        )


def quantizer(name: str, dtype: torch.dtype) -> Any:
    """transformers' configuration for quantizing on load; what stays unquantized is computed in `dtype`.

    bitsandbytes in 4 bits: NF4 (Dettmers et al. 2023, arXiv 2305.14314); bitsandbytes in 8 bits: LLM.int8 (Dettmers et
    al. 2022, arXiv 2208.07339); torchao: weights only, one scale per row.
    """
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if name == "bnb-8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    if name == "bnb-4bit":
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    from torchao.quantization import Int8WeightOnlyConfig  # type: ignore[import-not-found]

    return TorchAoConfig(Int8WeightOnlyConfig())


def own_quantization(config: PretrainedConfig) -> str | None:
    """How a checkpoint is quantized, for display, such as "gptq 4-bit"; None if it is not."""
    given = getattr(config, "quantization_config", None)
    if given is None:
        return None
    settings = given if isinstance(given, Mapping) else given.to_dict()
    method = settings.get("quant_method", "unknown")
    eight, four = settings.get("load_in_8bit"), settings.get("load_in_4bit")
    bits = settings.get("bits") or (8 if eight else 4 if four else None)
    return f"{getattr(method, 'value', method)}{f' {bits}-bit' if bits else ''}"


def batch_dependence(config: PretrainedConfig) -> str | None:
    """Why a quantized model's numbers depend on the rest of the batch, which rules the trie out; None: they do not.

    LLM.int8 computes a column in 16 bits if any row of the batch has an outlier in it.
    """
    given = getattr(config, "quantization_config", None)
    if getattr(given, "load_in_8bit", False) and getattr(given, "llm_int8_threshold", 0):
        return (
            "LLM.int8 looks for outliers in the whole batch, so that a chain's numbers would depend on its neighbours"
        )
    return None


def check_checkpoint(config: PretrainedConfig, device: str) -> None:
    """Ask transformers whether it can load an already quantized checkpoint, before any weights are read.

    Raises what transformers raises: ImportError naming the missing package, RuntimeError for a missing GPU, and so on.
    """
    given = getattr(config, "quantization_config", None)
    if given is None:
        return
    from transformers.quantizers.auto import AutoHfQuantizer

    found = AutoHfQuantizer.from_config(given, pre_quantized=True)
    found.validate_environment(device_map={"": device}, dtype=None, weights_only=True)
