"""Runs methods by turns on the same chains and keeps what each cost: seconds, tokens, memory."""

from __future__ import annotations

import ctypes
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch
from torch import nn

_SAMPLE_SECONDS = 0.003


@dataclass
class Measured:
    """One method on one set of chains.

    Attributes:
        name: the method's.
        run: does the work and returns its numbers, or None for a floor.
        tokens: places that went through the model in one round, padding included.
        rounds: how often it is run.
        seconds: of each round so far.
        peak_bytes: most memory above what was held before the round, over all rounds.
        values: log-likelihoods in nats of the last round.
    """

    name: str
    run: Callable[[], list[list[float]] | None]
    tokens: int
    rounds: int
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    values: list[list[float]] | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        numbers = {"rounds": self.rounds, "seconds": self.seconds, "median_seconds": self.median}
        return {**numbers, "tokens": self.tokens, "peak_bytes": self.peak_bytes, "log_likelihoods": self.values}


def run_rounds(
    methods: Sequence[Measured], model: nn.Module, device: torch.device, done: Callable[[str], None]
) -> None:
    """All methods once a round, each round begun by another; one with fewer rounds sits the last ones out."""
    for number in range(max(method.rounds for method in methods)):
        shift = number % len(methods)
        for method in [*methods[shift:], *methods[:shift]]:
            if number < method.rounds:
                _run_once(method, model, device)
                done(method.name)


def _run_once(method: Measured, model: nn.Module, device: torch.device) -> None:
    with PeakMemory(device) as memory, PlaceCounter(model) as places:
        started = time.perf_counter()
        method.values = method.run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        method.seconds.append(time.perf_counter() - started)
    method.peak_bytes = max(method.peak_bytes, memory.grown)
    # An engine outside torch is not seen; its tokens are those that it was given.
    method.tokens = places.seen or method.tokens


class PlaceCounter:
    """Counts the tokens and the padding that reach the model's input embedding, whoever calls the model."""

    def __init__(self, model: nn.Module) -> None:
        self._embedding: nn.Module = model.get_input_embeddings()  # type: ignore[operator]
        self.seen = 0

    def _count(self, module: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        del module, inputs
        self.seen += output.shape[:-1].numel()

    def __enter__(self) -> PlaceCounter:
        self._hook = self._embedding.register_forward_hook(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()


class PeakMemory:
    """The most memory held above what was held at the start.

    On CUDA the allocator's own peak; elsewhere the resident set, read every 3 ms by a thread, after what earlier
    methods freed was given back to the system.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.grown = 0

    def __enter__(self) -> PeakMemory:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
            return self
        if sys.platform == "linux":
            _give_back_freed()
        self._process, self._stop = psutil.Process(), threading.Event()
        self._before = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self.grown = max(self.grown, self._process.memory_info().rss - self._before)

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            self.grown = torch.cuda.max_memory_allocated(self._device) - self._before
            return
        self._stop.set()
        self._thread.join()


def _give_back_freed() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; other C libraries have none
    if trim is not None:
        trim(0)
