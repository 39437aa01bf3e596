"""The scoring LM in an actor's process: loaded when it is first asked, and asked by name."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..engine.statistics import EngineStatistics


class Answer(NamedTuple):
    """What a method returned, what the engine did for it, and the log records (logger, level, text) on the way."""

    value: Any
    work: EngineStatistics
    said: Sequence[tuple[str, int, str]]


class ScorerActor:
    """Made by Ray in a process of its own.

    Args:
        options: those of `HuggingFaceBackend`.
        threads: torch's CPU threads; None: torch's default.
        log_level: from which level on log records are returned; nobody reads the process's own output.
    """

    def __init__(self, scorer: str, options: Mapping[str, Any], threads: int | None, log_level: int) -> None:
        self._scorer = scorer
        self._options = options
        self._threads = threads
        self._said = _Kept()
        logging.basicConfig(level=log_level, handlers=[self._said], force=True)

    def ask(self, method: str, *given: Any, **options: Any) -> Answer:
        """Call a method of the backend. Raises what that or loading raises."""
        before = self._backend.statistics()
        value = getattr(self._backend, method)(*given, **options)
        return Answer(value, self._backend.statistics().since(before), self._said.taken())

    def work(self, method: str, items: Sequence[Any], options: Mapping[str, Any]) -> Answer:
        """The same for a method that reports its progress, which is known to the caller by the answer."""
        return self.ask(method, items, done=lambda _: None, **options)

    @functools.cached_property
    def _backend(self) -> Any:
        import torch

        from ..engine.huggingface import HuggingFaceBackend
        from ..models.devices import device_names

        if self._threads is not None:
            torch.set_num_threads(self._threads)
        (device,) = device_names(self._options["device"])
        if device.startswith("cuda"):  # otherwise a stray tensor would open a CUDA context on cuda:0
            torch.cuda.set_device(torch.device(device))
        return HuggingFaceBackend(self._scorer, **{**self._options, "device": device})


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._records: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append((record.name, record.levelno, record.getMessage()))

    def taken(self) -> list[tuple[str, int, str]]:
        records, self._records = self._records, []
        return records
