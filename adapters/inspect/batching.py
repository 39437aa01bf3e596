"""Collects the items that concurrent tasks submit one by one into batches for a blocking call in a worker thread.

Inspect runs a scorer once per sample, many samples at a time; the core scores many at once. There is no background
task to shut down: one of the tasks that wait for a result leads. It waits a moment for others, takes everything that
has arrived, makes the call and hands out the results.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from ...metrics.servers.stop import Stop

Item = TypeVar("Item")
Result = TypeVar("Result")


_MOST_LINGER = 0.25  # seconds
_LOOK = 0.1  # seconds between looks whether anybody waits for a call
_TURNS = 5  # of the event loop, within which a task that was woken has started a thread


@dataclass(eq=False)
class _Ticket(Generic[Item, Result]):
    """One item on its way.

    Attributes:
        outcome: set exactly once, by whichever task led its batch.
        woken: set with the outcome, and where its task is to lead.
        cancelled: whether its task does not wait any more.
    """

    item: Item
    outcome: _Returned[Result] | _Raised | None = None
    cancelled: bool = False
    woken: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True)
class _Returned(Generic[Result]):
    value: Result


@dataclass(frozen=True)
class _Raised:
    error: Exception


@dataclass
class _Queue(Generic[Item, Result]):
    """What tasks of one event loop share; locks and events of an event loop are of no use to another one."""

    waiting: list[_Ticket[Item, Result]] = field(default_factory=list)
    leader: _Ticket[Item, Result] | None = None
    arrival: anyio.Event = field(default_factory=anyio.Event)
    thread: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))


class MicroBatcher(Generic[Item, Result]):
    """Turns `call(list of items) -> list of results` into `await submit(item) -> result`.

    One call runs at a time, also across event loops and threads. Where a batch raises, its items are tried again one
    by one, so that only those that cause an error get it. A cancelled task neither takes others down nor keeps them
    waiting; if it was leading, the call that is running in the thread is finished first, for the others' sake. A call
    that nobody waits for any more is not finished as far as it waits for a server.

    Args:
        call: blocking; returns one result per item, in order.
        max_batch: most items in one call.
        linger: seconds without an arrival after which a batch starts; more, up to `_MOST_LINGER`, where that is little
            beside the last call, which a fuller batch makes up for.
        max_linger: seconds after which it starts even though items keep arriving; likewise.
        not_retried: errors that concern the call as a whole, whatever its items (a model that cannot be loaded).
    """

    def __init__(
        self,
        call: Callable[[list[Item]], list[Result]],
        *,
        max_batch: int = 64,
        linger: float = 0.02,
        max_linger: float = 0.2,
        not_retried: tuple[type[Exception], ...] = (),
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch: expected 1 or more, got {max_batch}")
        self._call = call
        self._max_batch = max_batch
        self._linger = linger
        self._max_linger = max_linger
        self._not_retried = not_retried
        self._last_call = 0.0  # seconds
        self._one_call = threading.Lock()
        self._queues: anyio.lowlevel.RunVar[_Queue[Item, Result]] = anyio.lowlevel.RunVar("stepgauge_batch_queue")

    async def submit(self, item: Item) -> Result:
        """The result for `item`. Raises what `call` raised for it."""
        queue = self._queue()
        ticket: _Ticket[Item, Result] = _Ticket(item)
        queue.waiting.append(ticket)
        queue.arrival.set()
        if queue.leader is None:
            queue.leader = ticket
        try:
            while ticket.outcome is None:
                if queue.leader is ticket:
                    await self._wait_for_company(queue)
                    await self._run_batch(queue)
                else:
                    await ticket.woken.wait()
        finally:
            ticket.cancelled = ticket.outcome is None
            if ticket in queue.waiting:  # cancelled before its batch started
                queue.waiting.remove(ticket)
            if queue.leader is ticket:
                self._pass_on(queue)
        if isinstance(ticket.outcome, _Raised):
            raise ticket.outcome.error
        assert ticket.outcome is not None, "the loop above ends with an outcome"
        return ticket.outcome.value

    def _queue(self) -> _Queue[Item, Result]:
        try:
            return self._queues.get()
        except LookupError:
            queue: _Queue[Item, Result] = _Queue()
            self._queues.set(queue)
            return queue

    def _pass_on(self, queue: _Queue[Item, Result]) -> None:
        """The one that has waited longest leads."""
        queue.leader = queue.waiting[0] if queue.waiting else None
        if queue.leader is not None:
            queue.leader.woken.set()

    async def _wait_for_company(self, queue: _Queue[Item, Result]) -> None:
        linger = max(self._linger, min(self._last_call / 4, _MOST_LINGER))
        with anyio.move_on_after(max(self._max_linger, min(self._last_call, 4 * _MOST_LINGER))):
            while len(queue.waiting) < self._max_batch:
                queue.arrival = anyio.Event()
                began = anyio.current_time()
                with anyio.move_on_after(linger) as quiet:
                    await queue.arrival.wait()
                # A timer that is late says that the event loop was busy: those that were to arrive had no turn yet.
                if quiet.cancelled_caught and anyio.current_time() < began + 2 * linger:
                    return

    async def _run_batch(self, queue: _Queue[Item, Result]) -> None:
        batch = queue.waiting[: self._max_batch]
        del queue.waiting[: self._max_batch]
        outcomes: list[_Returned[Result] | _Raised] = []
        interrupt: BaseException | None = None
        stop, over = Stop(), threading.Event()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._stop_unwanted, batch, queue.leader, stop, over)
                try:
                    outcomes = await anyio.to_thread.run_sync(self._outcomes, batch, stop, limiter=queue.thread)
                finally:
                    over.set()
                group.cancel_scope.cancel()
        except BaseException as error:  # the leader was cancelled
            if not outcomes:  # its batch goes back, for the next one to lead
                stop.set()
                queue.waiting[:0] = [ticket for ticket in batch if not ticket.cancelled]
                raise
            interrupt = error
        # The next call begins before those that have their results are woken: what each of them does with its own keeps
        # the event loop busy, and no call would run meanwhile.
        if queue.leader in batch:
            self._pass_on(queue)
        if len(queue.waiting) >= self._max_batch:
            for _ in range(_TURNS):
                await anyio.lowlevel.cancel_shielded_checkpoint()
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
            ticket.woken.set()
        if interrupt is not None:
            raise interrupt

    async def _stop_unwanted(
        self,
        batch: list[_Ticket[Item, Result]],
        leader: _Ticket[Item, Result] | None,
        stop: Stop,
        over: threading.Event,
    ) -> None:
        """Once the leader is cancelled, which waits for the thread all the same: stop the call as soon as all are."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                while not over.is_set() and not stop.is_set():
                    if all(ticket.cancelled or ticket is leader for ticket in batch):
                        stop.set()
                    await anyio.sleep(_LOOK)

    def _outcomes(self, batch: list[_Ticket[Item, Result]], stop: Stop) -> list[_Returned[Result] | _Raised]:
        """One outcome per item; runs in the worker thread."""
        items = [ticket.item for ticket in batch]
        with self._one_call, stop.ends_all():
            started = time.monotonic()
            together = self._attempt(items)
            self._last_call = time.monotonic() - started
            first = together[0]
            if len(items) == 1 or isinstance(first, _Returned) or isinstance(first.error, self._not_retried):
                return together
            return [self._attempt([item])[0] for item in items]

    def _attempt(self, items: list[Item]) -> list[_Returned[Result] | _Raised]:
        try:
            results = self._call(items)
            if len(results) != len(items):
                raise RuntimeError(f"{len(items)} items were scored, {len(results)} results came back")
        except Exception as error:  # not swallowed: `submit` raises it for each item it belongs to
            return [_Raised(error) for _ in items]
        return [_Returned(result) for result in results]
