"""Creates a big random model on the device, and measures the device's matrix rate and a run's time and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

# config.json of Qwen/Qwen2.5-7B.
QWEN = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
}
TINY = {
    **QWEN,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1024,
    "max_position_embeddings": 4096,
}


def make_model(shape: dict[str, Any], device: str, dtype: torch.dtype) -> Any:
    """A random Qwen2 of this shape; its weights are created on this device and in this type."""
    config = AutoConfig.for_model("qwen2", **shape, dtype=dtype)
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def weight_bytes(model: Any) -> int:
    """Bytes of the parameters, shared ones counted once."""
    return sum(weight.numel() * weight.itemsize for weight in model.parameters())


def matrix_rate(device: str, dtype: torch.dtype, size: int, rounds: int = 20) -> float:
    """Floating-point operations per second of a square matrix product on random data, median of `rounds`."""
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(left)
    for _ in range(3):
        torch.mm(left, right, out=out)
    taken = [seconds(lambda: torch.mm(left, right, out=out), device) for _ in range(rounds)]
    return 2 * size**3 / statistics.median(taken)


def seconds(run: Callable[[], object], device: str) -> float:
    """Wall-clock seconds, with the device's queue empty before and after."""
    _wait(device)
    started = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
