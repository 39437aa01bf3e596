"""Describes a run for the head of a table: date, device, versions and number of threads."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers


def about_run(device: str = "cpu") -> dict[str, Any]:
    """Facts for a JSON file; `device` is a torch device's name."""
    on_gpu = device.startswith("cuda")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "device": torch.cuda.get_device_name(device) if on_gpu else _processor(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }


def header(about: dict[str, Any]) -> str:
    """The same as one line above a table."""
    return (
        f"{about['date']}  {about['device']}, torch {about['torch']}, transformers {about['transformers']}, "
        f"{about['threads']} thread(s)"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()
