"""What a pool and its worker processes say to each other, pickled one after the other on the worker's two pipes."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

from ..engine.statistics import EngineStatistics


class Load(NamedTuple):
    """The first message to a worker. `threads`: of torch on the CPU; None: torch's own choice."""

    scorer: str
    options: Mapping[str, Any]
    threads: int | None
    log_level: int


class Call(NamedTuple):
    """A method of the backend, its first argument, and those it takes by name."""

    method: str
    items: Sequence[Any]
    options: Mapping[str, Any]


class Done(NamedTuple):
    """So many items more are finished."""

    count: int


class Said(NamedTuple):
    """A record of the worker's log."""

    logger: str
    level: int
    text: str


class Answer(NamedTuple):
    """What the call returned (of `Load`: the backend's description), and the worker's counts so far."""

    value: Any
    statistics: EngineStatistics


class Failure(NamedTuple):
    """What the call raised: the class's name, the message, and the traceback."""

    kind: str
    text: str
    trace: str


def send(stream: IO[bytes], message: NamedTuple) -> None:
    """Raises OSError or ValueError where the other end, or this one, is closed."""
    pickle.dump(message, stream, protocol=pickle.HIGHEST_PROTOCOL)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message. Raises EOFError where the other end is closed, UnpicklingError where it ended halfway."""
    return pickle.load(stream)
