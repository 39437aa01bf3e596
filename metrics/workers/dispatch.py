"""Distributes items over worker processes, longest first, and reassigns those of a worker that died."""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import OutOfMemory, ScorerError
from ..likelihood import Unscored
from .process import WorkerDied, WorkerProcess

log = logging.getLogger(__name__)

# Items in a batch big enough for an engine to work efficiently, if there are enough for every worker.
_LEAST = 4
# A worker that dies this often without answering a call in between is not restarted.
_DEATHS = 3


def batches(costs: Sequence[float], workers: int) -> list[list[int]]:
    """Batches of indices in dispatch order: most expensive first, in shrinking batches.

    A batch holds half of a worker's fair share of what is left, so that all workers finish at about the same time.
    Batches depend only on the costs: the same items always form the same batches, whichever worker takes them.
    """
    costs = [max(cost, 1.0) for cost in costs]
    order = sorted(range(len(costs)), key=lambda i: -costs[i])
    least = min(_LEAST, math.ceil(len(order) / workers))
    left = float(sum(costs))
    out: list[list[int]] = []
    first = 0
    while first < len(order):
        last, cost = first, 0.0
        while last < len(order) and (last - first < least or cost + costs[order[last]] <= left / (2 * workers)):
            cost += costs[order[last]]
            last += 1
        out.append(order[first:last])
        left, first = left - cost, last
    return out


def deal(
    workers: Sequence[WorkerProcess],
    method: str,
    items: Sequence[Any],
    costs: Sequence[float],
    options: Mapping[str, Any],
    done: Callable[[int], None],
) -> list[Any]:
    """The result of `method` for each item, in order; `done` is called in this thread.

    If a worker dies, its items are retried one by one; an item whose worker dies again is Unscored. A dead worker is
    restarted, unless it keeps dying.

    Raises:
        OutOfMemory: not a single item fits in memory.
        Any other exception of `method`, once the workers have finished their current batches.
    """
    run = _Run(method, items, options, batches(costs, len(workers)))
    threads = [threading.Thread(target=_work, args=(worker, run), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    working = len(threads)
    try:
        while working:
            told = run.events.get()
            if told is None:
                working -= 1
            else:
                done(told)
    except BaseException:  # such as Ctrl-C: killing the processes ends the threads, too
        run.stop()
        while any(thread.is_alive() for thread in threads):
            for worker, thread in zip(workers, threads, strict=True):
                worker.end()
                thread.join(0.1)
        raise
    return run.outcome(done)


def _work(worker: WorkerProcess, run: _Run) -> None:
    """The thread of one worker: sends it batches until none is left or the worker is given up."""
    try:
        while (batch := run.take()) is not None:
            told = _Counter(run)
            try:
                results = worker.call(run.method, [run.items[i] for i in batch], run.options, told)
            except WorkerDied as error:
                run.give_back(batch, str(error), told.count)
                if run.stopped or not _start_again(worker, error):
                    return
            except OutOfMemory as error:
                run.put([(i, Unscored(str(error))) for i in batch], out_of_memory=True)
                run.tell(len(batch) - told.count)
            except Exception as error:  # `deal` raises it in the caller's thread
                run.fail(error)
            else:
                run.put(list(zip(batch, results, strict=True)))
    except Exception as error:  # a bug here must not leave `deal` waiting forever
        run.fail(error)
    finally:
        run.events.put(None)


def _start_again(worker: WorkerProcess, death: WorkerDied) -> bool:
    log.warning("worker process %s; what it had in hand is tried again", death)
    worker.end()
    if worker.deaths >= _DEATHS:
        worker.given_up = str(death)
    else:
        try:
            worker.start()
            worker.loaded()
        except (WorkerDied, ScorerError, OutOfMemory, RuntimeError) as error:
            worker.given_up = str(error)
            worker.end()
    if worker.given_up is not None:
        log.warning("worker process on %s is not started again: %s", worker.device, worker.given_up)
    return worker.given_up is None


class _Counter:
    """Forwards progress within one batch, and remembers how many items are finished."""

    def __init__(self, run: _Run) -> None:
        self.count = 0
        self._run = run

    def __call__(self, count: int) -> None:
        self.count += count
        self._run.tell(count)


class _Run:
    """The state of one call of `deal`: remaining batches, results, and events for the caller's thread.

    Attributes:
        events: a number of newly finished items, or None from each thread as it ends.
        stopped: no further batches are handed out.
    """

    def __init__(
        self, method: str, items: Sequence[Any], options: Mapping[str, Any], todo: Sequence[list[int]]
    ) -> None:
        self.method = method
        self.items = items
        self.options = options
        self.events: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.stopped = False
        self._todo = deque(todo)
        self._results: dict[int, Any] = {}
        self._changed = threading.Condition()
        self._told_too_much = 0
        self._told = 0
        self._out_of_memory: str | None = None
        self._error: Exception | None = None
        self._last_death = ""

    def take(self) -> list[int] | None:
        """The next batch; waits while other workers hold batches that might be returned. None: all is done."""
        with self._changed:
            while not self._todo and not self.stopped and len(self._results) < len(self.items):
                self._changed.wait()
            return None if self.stopped or not self._todo else self._todo.popleft()

    def give_back(self, batch: Sequence[int], reason: str, told: int) -> None:
        with self._changed:
            self._last_death = reason
            self._told_too_much += told
            if len(batch) > 1:
                self._todo.extendleft([i] for i in reversed(batch))
                self._changed.notify_all()
                return
        self.put([(i, Unscored(f"the worker process {reason}, with this in hand")) for i in batch])
        self.tell(len(batch))

    def put(self, found: Sequence[tuple[int, Any]], *, out_of_memory: bool = False) -> None:
        with self._changed:
            self._results.update(found)
            if out_of_memory:
                self._out_of_memory = found[0][1].reason
            self._changed.notify_all()

    def tell(self, count: int) -> None:
        """Report progress. Items that a dead worker had finished are computed again, but counted only once."""
        with self._changed:
            repeated = min(count, self._told_too_much)
            self._told_too_much -= repeated
            self._told += count - repeated
        if count > repeated:
            self.events.put(count - repeated)

    def fail(self, error: Exception) -> None:
        with self._changed:
            self._error = self._error or error
        self.stop()

    def stop(self) -> None:
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def outcome(self, done: Callable[[int], None]) -> list[Any]:
        """Results in the items' order, once all threads have ended."""
        if self._error is not None:
            raise self._error
        lost = [i for i in range(len(self.items)) if i not in self._results]
        if lost:
            reason = f"no worker process is left; the last one {self._last_death}"
            log.warning("%d of %d are not scored: %s", len(lost), len(self.items), reason)
            self._results.update((i, Unscored(reason)) for i in lost)
        if self._told < len(self.items):
            done(len(self.items) - self._told)
        results = [self._results[i] for i in range(len(self.items))]
        if self._out_of_memory and all(isinstance(result, Unscored) for result in results):
            raise OutOfMemory(self._out_of_memory)
        return results
