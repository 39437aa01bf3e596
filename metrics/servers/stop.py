"""Ends requests from another thread than those that wait for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

_around: ContextVar[Stop | None] = ContextVar("stepgauge_stop", default=None)


class Stop:
    """Once set, what waits for it wakes up, requests under way are ended, and further ones end at once."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._under_way: set[Future[Any]] = set()
        self._inside: WeakSet[Stop] = WeakSet()
        self._lock = threading.Lock()
        around = _around.get()
        if around is not None:
            with around._lock:
                around._inside.add(self)
            if around.is_set():  # perhaps just before this one was known there
                self.set()

    def set(self) -> None:
        self._event.set()
        with self._lock:
            calls, inside = list(self._under_way), list(self._inside)
        for call in calls:
            call.cancel()
        for one in inside:
            one.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Whether it is set, at the latest after that time."""
        return self._event.wait(seconds)

    @contextlib.contextmanager
    def ends(self, call: Future[Any]) -> Iterator[None]:
        """A call is under way; it ends with what leaves the block, too."""
        with self._lock:
            self._under_way.add(call)
        try:
            if self.is_set():  # perhaps just before the call was known here
                call.cancel()
            yield
        finally:
            with self._lock:
                self._under_way.discard(call)
            call.cancel()

    @contextlib.contextmanager
    def ends_all(self) -> Iterator[None]:
        """Whatever this thread asks of servers in the block ends with this, too."""
        token = _around.set(self)
        try:
            yield
        finally:
            _around.reset(token)
