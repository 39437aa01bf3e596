"""The likelihood backend `hf` on several devices: one worker process per device, each with its own scorer."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..engine.statistics import EngineStatistics
from ..errors import ScorerError
from ..likelihood import Group, Request, Result, Unscored
from ..models.loading import read_texts
from .dispatch import deal
from .messages import Load
from .process import WorkerDied, WorkerProcess

log = logging.getLogger(__name__)


class PoolBackend:
    """See `LikelihoodBackend` and `HuggingFaceBackend`, whose options it takes.

    Args:
        devices: torch devices, one worker process each; a device may be listed twice.

    Raises:
        ScorerError: the scorer cannot be loaded, or would load differently on the devices.
    """

    def __init__(self, scorer: str, *, devices: Sequence[str], **options: Any) -> None:
        # The parent reads tokenizer and configuration first: mistakes are reported, and files converted, only once.
        self._texts = read_texts(scorer, device=list(devices), **options)
        self._devices = ",".join(devices)
        if int(os.environ.get("WORLD_SIZE") or 1) > 1:
            log.warning(
                "device %r in each of %s data-parallel processes: each of them loads the scorer on all of these "
                "devices; with device='auto' each takes its own",
                self._devices,
                os.environ["WORLD_SIZE"],
            )
        level = logging.getLogger(__package__).getEffectiveLevel()
        self._workers = [
            WorkerProcess(Load(scorer, {**options, "device": device}, _threads(devices, device), level))
            for device in devices
        ]
        self._one_call = threading.Lock()
        self._seconds = 0.0
        weakref.finalize(self, _end_all, self._workers)
        self._description = self._start(self._workers)

    def _start(self, workers: Sequence[WorkerProcess]) -> Mapping[str, Any]:
        """Start all workers in parallel and wait for them. Returns the description they agree on."""
        try:
            for worker in workers:
                worker.start()
            told = [worker.loaded() for worker in workers]
        except BaseException as error:
            _end_all(workers)
            if isinstance(error, WorkerDied):
                raise ScorerError(
                    f"scorer {self._texts.name!r}: the worker process {error} before it was loaded"
                ) from error
            raise
        for worker, description in zip(workers, told, strict=True):
            for name in sorted({*told[0], *description} - {"device"}):
                if description.get(name) != told[0].get(name):
                    _end_all(workers)
                    raise ScorerError(
                        f"device {self._devices!r}: {name} would be {told[0].get(name)!r} on {workers[0].device} and "
                        f"{description.get(name)!r} on {worker.device}, and the numbers would differ"
                    )
        return told[0]

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        started = time.perf_counter()
        try:
            return self._deal("score", groups, [_cost(group) for group in groups], {}, done)
        finally:
            self._seconds += time.perf_counter() - started

    def generate_json(
        self,
        prompts: Sequence[str],
        schema: Mapping[str, Any],
        max_tokens: int,
        done: Callable[[int], None],
        *,
        special_tokens: bool = True,
    ) -> list[str | Unscored]:
        """See `HuggingFaceBackend.generate_json`."""
        options = {"schema": schema, "max_tokens": max_tokens, "special_tokens": special_tokens}
        return self._deal("generate_json", prompts, [float(len(prompt)) for prompt in prompts], options, done)

    def _deal(
        self,
        method: str,
        items: Sequence[Any],
        costs: Sequence[float],
        options: Mapping[str, Any],
        done: Callable[[int], None],
    ) -> list[Any]:
        if not items:
            return []
        with self._one_call:
            workers = [worker for worker in self._workers if worker.given_up is None]
            if not workers:
                why = "; ".join(dict.fromkeys(str(worker.given_up) for worker in self._workers))
                raise ScorerError(f"device {self._devices!r}: no worker process is left: {why}")
            if ended := [worker for worker in workers if not worker.alive]:
                _end_all(ended)
                try:
                    self._start(ended)
                except ScorerError as error:
                    if len(ended) == len(workers):
                        raise
                    log.warning("the other devices go on without %s: %s", [worker.device for worker in ended], error)
                    for worker in ended:
                        worker.given_up = str(error)
                    workers = [worker for worker in workers if worker not in ended]
            return deal(workers, method, items, costs, options, done)

    @property
    def max_tokens(self) -> int | None:
        """The model's context length in tokens; None if it has no fixed one."""
        return self._texts.max_tokens

    def too_long(self, request: Request) -> str | None:
        return self._texts.too_long(request)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return self._texts.render_chat(messages)

    def statistics(self) -> EngineStatistics:
        """The sum of the workers' counts; seconds are this process's wall-clock time, not a sum over workers."""
        total = sum((worker.statistics for worker in self._workers), EngineStatistics())
        return replace(total, seconds=self._seconds)

    def describe(self) -> dict[str, Any]:
        return {**self._description, "device": self._devices}

    def close(self) -> None:
        _end_all(self._workers)


def _end_all(workers: Sequence[WorkerProcess]) -> None:
    for worker in workers:
        worker.end()


def _cost(group: Group) -> float:
    """Estimated cost in characters through the model: the longest text, plus each span that branches off it."""
    longest = max((len(request.text) for request in group), default=0)
    return longest + sum(len(request.text) - request.start for request in group if request.start)


def _threads(devices: Sequence[str], device: str) -> int | None:
    """Threads per worker: workers on the CPU share its cores, unless the user set the number of threads."""
    if device != "cpu" or "OMP_NUM_THREADS" in os.environ:
        return None
    import torch

    return max(1, torch.get_num_threads() // max(1, list(devices).count("cpu")))
