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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

_TOGETHER = 8  # items in a message
_MOST = 8  # processes; more than that no device was seen to need
_IDLE_SECONDS = 60.0  # after which a process ends by itself
_DEATHS = 2  # of an item's processes before it is not tried any more
_LOST = "a process beside the scoring LM died twice with this chain in hand"
_LOOK_SECONDS = 1.0  # between looks whether this process still runs


class Stopped(Exception):
    """The work is not wanted any more."""


@dataclass(frozen=True)
class Work(Generic[Item, Result]):
    """What is done with items.

    Attributes:
        there: a function that pickles, for the processes: one result per item in order.
        here: the same in this process, for few items, and where processes cannot be had.
        lost: the result for an item that ends every process it comes to (a crash, no memory), given the reason. It is
            not tried here: this process would end, too.
    """

    there: Callable[[Sequence[Item]], list[Result]]
    here: Callable[[Sequence[Item]], list[Result]]
    lost: Callable[[Item, str], Result]


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

    def start(self, work: Work[Item, Result], items: Sequence[Item]) -> Callable[[], list[Result]]:
        """Begin work on items; the function that is returned waits for the results, one per item in order."""
        self._asked += len(items)
        parts = [items[i : i + _TOGETHER] for i in range(0, len(items), _TOGETHER)]
        futures = [self._submit(work.there, part) for part in parts]

        def results() -> list[Result]:
            out: list[Result] = []
            for part, future in zip(parts, futures, strict=True):
                found = self._result(future, work, part)
                out += self._again(work, part) if found is None else found
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
            if _died(error):  # with other work, whose results are waited for; these processes take no more
                self.close()
                return self._submit(there, part)
            self._give_up(error)
            return None

    def _result(
        self, future: Future[Any] | None, work: Work[Item, Result], part: Sequence[Item]
    ) -> list[Result] | None:
        """None: one of the processes died before it was done, this part's or another one's."""
        self.check()
        if future is None:
            return work.here(part)
        try:
            return future.result()
        except Exception as error:  # a process that was killed, an item that does not pickle, or the work itself
            self.check()
            if _died(error):
                return None
            self._give_up(error)
            return work.here(part)

    def _again(self, work: Work[Item, Result], part: Sequence[Item]) -> list[Result]:
        """The part was in hand as a process died: together once more, then item by item.

        Where an item's first process dies, whatever of, the next one begins with nothing else in hand.
        """
        if len(part) > 1:
            found = self._result(self._submit(work.there, part), work, part)
            return [one for item in part for one in self._again(work, [item])] if found is None else found
        for _ in range(_DEATHS):
            # Processes that die over nothing say nothing of the item.
            if self._result(self._submit(work.there, ()), work, ()) is None:
                self._give_up(RuntimeError("they die with nothing in hand"))
            found = self._result(self._submit(work.there, part), work, part)
            if found is not None:
                return found
        log.warning("%s", _LOST)
        return [work.lost(part[0], _LOST)]

    def _give_up(self, error: Exception) -> None:
        if not self._broken and not self._stopped.is_set():  # they take no work after `stop`, either
            self._broken = True
            log.warning(
                "the processes beside the scoring LM failed (%s: %s); without them", type(error).__name__, error
            )


def _died(error: Exception) -> bool:
    """Whether a process ended in the middle of its work."""
    from loky.process_executor import TerminatedWorkerError

    return isinstance(error, TerminatedWorkerError)


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
