"""Runs methods in turns on the same chains and records the cost of each: seconds, tokens, memory."""

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
        name: the name of the method.
        run: does the work and returns its numbers, or None for a floor.
        tokens: positions that went through the model in one round, padding included.
        rounds: how many times it is run.
        seconds: seconds of each round so far.
        peak_bytes: peak memory above what was held before the round, over all rounds.
        values: log-likelihoods in nats from the last round.
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
        """The result, ready for JSON."""
        numbers = {"rounds": self.rounds, "seconds": self.seconds, "median_seconds": self.median}
        return {**numbers, "tokens": self.tokens, "peak_bytes": self.peak_bytes, "log_likelihoods": self.values}


def run_rounds(
    methods: Sequence[Measured], model: nn.Module, device: torch.device, done: Callable[[str], None]
) -> None:
    """Run all methods once per round, each round starting with another; one with fewer rounds skips the last ones."""
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
    # An engine outside torch cannot be observed; count the tokens it was given.
    method.tokens = places.seen or method.tokens


class PlaceCounter:
    """Counts the tokens and padding that reach the model's input embedding, whoever calls the model."""

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
    """Peak memory above what was held at the start.

    On CUDA the allocator's own peak; elsewhere the resident set, sampled every 3 ms by a thread, after returning memory
    freed by earlier methods to the system.
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
