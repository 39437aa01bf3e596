"""Processes for work in plain Python, which would hold the interpreter that the computing thread needs.

They are loky's, which do not run the caller's main script again as multiprocessing's do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

_TOGETHER = 8  # items in a message
_MOST = 8  # processes; more than that no device was seen to need
_IDLE_SECONDS = 60.0  # after which a process ends by itself
_LOOK_SECONDS = 1.0  # between looks whether this process still runs


class Stopped(Exception):
    """The work is not wanted any more."""


class HostProcesses:
    """Starts with the first call of `start` behind which so much work has been asked for that it is worth it.

    Args:
        worth: number of items.
    """

    def __init__(self, worth: int) -> None:
        self._worth = worth
        self._asked = 0
        self._executor: ProcessPoolExecutor | None = None
        self._broken = False
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Work is wanted again, if it was stopped."""
        self._stopped.clear()

    def check(self) -> None:
        """Raises Stopped where work is not wanted any more."""
        if self._stopped.is_set():
            raise Stopped

    def start(
        self,
        there: Callable[[Sequence[Item]], list[Result]],
        here: Callable[[Sequence[Item]], list[Result]],
        items: Sequence[Item],
    ) -> Callable[[], list[Result]]:
        """Begin work on items; the function that is returned waits for the results, one per item in order.

        Args:
            there: a function that pickles, for the processes.
            here: the same in this process, for few items, and where processes cannot be had or fail.
        """
        self._asked += len(items)
        parts = [items[i : i + _TOGETHER] for i in range(0, len(items), _TOGETHER)]
        futures = [self._submit(there, part) for part in parts]

        def results() -> list[Result]:
            out: list[Result] = []
            for part, future in zip(parts, futures, strict=True):
                out += self._result(future, here, part)
            return out

        return results

    def stop(self) -> None:
        """End all work: whoever waits for results gets Stopped."""
        self._stopped.set()
        self.close()

    def close(self) -> None:
        """End the processes; the next `start` begins new ones."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(kill_workers=True)

    def _submit(self, there: Callable[[Sequence[Item]], list[Result]], part: Sequence[Item]) -> Future[Any] | None:
        if self._asked < self._worth or self._broken or self._stopped.is_set():
            return None
        try:
            with _deaf():
                if self._executor is None:
                    self._executor = _started()
                return self._executor.submit(there, part)
        except Exception as error:  # no memory, no right to start any: the same is done here
            self._give_up(error)
            return None

    def _result(
        self, future: Future[Any] | None, here: Callable[[Sequence[Item]], list[Result]], part: Sequence[Item]
    ) -> list[Result]:
        self.check()
        if future is None:
            return here(part)
        try:
            return future.result()
        except Exception as error:  # a process that was killed, an item that does not pickle, or the work itself
            self.check()
            self._give_up(error)
            return here(part)

    def _give_up(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            log.warning(
                "the processes beside the scoring LM failed (%s: %s); without them", type(error).__name__, error
            )


def _started() -> ProcessPoolExecutor:
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(
        _cores(), timeout=_IDLE_SECONDS, env={"OMP_NUM_THREADS": "1"}, initializer=_end_with, initargs=(os.getpid(),)
    )


def _end_with(parent: int) -> None:
    """In a process of the pool: ends it soon after the parent, which may be killed without a word."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cores() -> int:
    """Cores for each of the processes that score on this machine (data parallel ones share it)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST, count // int(os.environ.get("LOCAL_WORLD_SIZE") or 1)))


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes started here do not hear what may reach the whole process group, as Ctrl-C does: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
