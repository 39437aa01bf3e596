"""Parses the option `device`: one device, one big model spread over all accelerators, or a process per device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..errors import ScorerError

BALANCED = "balanced"
_ALL_CUDA = "cuda:*"
_EXPECTED = f"expected auto, cpu, cuda, cuda:0, mps, {BALANCED}, or several: cuda:0,cuda:1 or {_ALL_CUDA}"


def device_names(device: str | Sequence[str]) -> list[str]:
    """The torch devices that were asked for; `["balanced"]` for one model spread over all accelerators.

    Args:
        device: a name, several in a list or with commas between, or "cuda:*" for all CUDA devices.

    Raises:
        ScorerError: a name unknown to torch, a missing CUDA device, or "auto" or "balanced" in a list.
    """
    parts = device.split(",") if isinstance(device, str) else device
    if (
        not isinstance(parts, Sequence)
        or not parts
        or not all(isinstance(part, str) and part.strip() for part in parts)
    ):
        raise ScorerError(f"device {device!r}: {_EXPECTED}")
    names: list[str] = []
    for part in (part.strip() for part in parts):
        if part in ("auto", BALANCED) and len(parts) > 1:
            raise ScorerError(f"device {device!r}: {part!r} stands alone; a list names each device: cuda:0,cuda:1")
        if part == _ALL_CUDA:
            names += [f"cuda:{index}" for index in range(_cuda_devices())] or [_present("cuda", part)]
        else:
            names.append(part if part == BALANCED else _present(pick_device(part), part))
    return names


def pick_device(device: str) -> str:
    """`auto` is the accelerator of this process, else the CPU; other names are returned unchanged."""
    import torch

    if device != "auto":
        return device
    if torch.cuda.is_available():
        return rank_device(torch.cuda.device_count(), os.environ)
    return "mps" if torch.backends.mps.is_available() else "cpu"


def rank_device(count: int, environment: Mapping[str, str]) -> str:
    """The CUDA device of this process on its machine, by LOCAL_RANK, which data-parallel launchers set.

    If each process sees only its own device (CUDA_VISIBLE_DEVICES), the rank can exceed the number of devices.
    """
    rank = environment.get("LOCAL_RANK", "")
    return f"cuda:{int(rank) % count}" if rank.isdecimal() and count else "cuda"


def _present(name: str, given: str) -> str:
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ScorerError(f"device {given!r}: {_EXPECTED}") from error
    if device.type == "cuda" and (device.index or 0) >= _cuda_devices():
        raise ScorerError(f"device {given!r}: torch sees {_cuda_devices()} CUDA devices; {_EXPECTED}")
    return name


def _cuda_devices() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
