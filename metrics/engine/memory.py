"""Recognises out-of-memory errors, and frees memory before a retry."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def free_memory(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def unless_out_of_memory(run: Callable[[], T], device: torch.device) -> T | None:
    """The result of `run`; None, with memory freed, if it ran out of memory. Other errors propagate."""
    try:
        return run()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    # Outside the except block, where the traceback no longer keeps the failed pass's tensors alive.
    free_memory(device)
    return None
