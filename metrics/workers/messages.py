"""The messages between a pool and its worker processes, pickled one after the other onto the worker's two pipes."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

from ..engine.statistics import EngineStatistics


class Load(NamedTuple):
    """The first message to a worker. `threads`: torch's CPU threads; None: torch's default."""

    scorer: str
    options: Mapping[str, Any]
    threads: int | None
    log_level: int


class Call(NamedTuple):
    """A call of a backend method: its name, its first argument, and its keyword arguments."""

    method: str
    items: Sequence[Any]
    options: Mapping[str, Any]


class Done(NamedTuple):
    """Progress: this many more items are finished."""

    count: int


class Said(NamedTuple):
    """A log record of the worker."""

    logger: str
    level: int
    text: str


class Answer(NamedTuple):
    """The result of a call (for `Load`: the backend's description), and the worker's counts so far."""

    value: Any
    statistics: EngineStatistics


class Failure(NamedTuple):
    """The exception of a call: class name, message and traceback."""

    kind: str
    text: str
    trace: str


def send(stream: IO[bytes], message: NamedTuple) -> None:
    """Write a message. Raises OSError or ValueError if either end is closed."""
    pickle.dump(message, stream, protocol=pickle.HIGHEST_PROTOCOL)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read the next message. Raises EOFError if the other end is closed, UnpicklingError if a message is truncated."""
    return pickle.load(stream)
