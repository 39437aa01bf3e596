"""Lets a worker thread make calls inside the task of the sample that they belong to.

Inspect keeps a sample's transcript, model usage, limits and model roles in context variables. The thread that scores a
batch works for many samples at once: a model called from there would appear in the transcript of whichever sample led
the batch. So the thread hands each call to its sample, whose task makes it while it waits for the batch.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.abc
import anyio.lowlevel
import inspect_ai.model
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.util import LimitExceededError

T = TypeVar("T")
Call: TypeAlias = Callable[[], Awaitable[Any]]

# Errors that Inspect acts upon: they concern the sample or the run, not the one call that met them.
# The last one, a refusal under `fail_on_refusal`, is not in all versions.
FOR_INSPECT: tuple[type[Exception], ...] = (
    LimitExceededError,
    PrerequisiteError,
    getattr(inspect_ai.model, "ModelRefusalError", PrerequisiteError),
)


class SampleGone(Exception):
    """The sample was cancelled, or has its score: no call is made for it any more."""

    def __init__(self) -> None:
        super().__init__("the sample was stopped before the call was answered")


class SampleCalls:
    """What one sample's task does for other threads. Made in that task; works on asyncio and on trio.

    No future is left open: when the sample stops waiting, for whatever reason, what is unanswered raises SampleGone.
    """

    def __init__(self) -> None:
        self._soon = _from_other_threads()
        self._arrival = anyio.Event()
        self._waiting: deque[tuple[Call, Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._open: set[Future[Any]] | None = set()  # None: closed
        self._for_inspect: Exception | None = None

    def submit(self, call: Call) -> Future[Any]:
        """Have the sample's task `await call()`, beside its other calls. From any thread; does not block."""
        future: Future[Any] = Future()
        with self._lock:
            if self._open is None:
                future.set_exception(SampleGone())
                return future
            self._open.add(future)
            self._waiting.append((call, future))
        try:
            self._soon(self._arrived)
        except RuntimeError:  # the event loop has ended, and no one will come for the call
            self._close()
        return future

    async def serve_while(self, work: Callable[[], Awaitable[T]]) -> T:
        """`await work()`, making calls meanwhile.

        Raises what `work` raises, never in an exception group. An error that is for Inspect, raised by a call, cancels
        `work` and is raised instead; a call's other errors are its future's.
        """
        results: list[T] = []
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._serve, group)
                try:
                    results.append(await work())
                except Exception as error:  # raised below: leaving the task group would wrap it
                    failure = error
                group.cancel_scope.cancel()
        finally:
            self._close()
        if self._for_inspect:
            raise self._for_inspect
        # A batch is finished though its leader is cancelled; the leader's unanswered calls have failed in it, then.
        await anyio.lowlevel.checkpoint_if_cancelled()
        if failure:
            raise failure
        return results[0]

    async def _serve(self, group: anyio.abc.TaskGroup) -> None:
        try:
            while True:
                await self._arrival.wait()
                self._arrival = anyio.Event()
                while self._waiting:
                    group.start_soon(self._make, group, *self._waiting.popleft())
        finally:  # cancelled: the thread must not wait for this sample, which may itself be waiting for the thread
            self._close()

    async def _make(self, group: anyio.abc.TaskGroup, call: Call, future: Future[Any]) -> None:
        try:
            result = await call()
        except FOR_INSPECT as error:
            self._for_inspect = self._for_inspect or error
            self._close()
            group.cancel_scope.cancel()
        except Exception as error:  # not swallowed: it is the outcome of the call
            self._settle(future, error=error)
        else:
            self._settle(future, result)
        finally:
            self._settle(future, error=SampleGone())  # where the call was cancelled

    def _arrived(self) -> None:
        self._arrival.set()

    def _settle(self, future: Future[Any], result: object = None, error: Exception | None = None) -> None:
        """Set the outcome, unless the future has one."""
        with self._lock:
            if self._open is None or future not in self._open:
                return
            self._open.remove(future)
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def _close(self) -> None:
        with self._lock:
            unanswered, self._open = self._open or set(), None
            self._waiting.clear()
        for future in unanswered:
            future.set_exception(SampleGone())


def _from_other_threads() -> Callable[[Callable[[], object]], object]:
    """Has the running event loop call a function soon, from any thread, without waiting for it.

    `anyio.from_thread` waits, for ever where the event loop stops meanwhile.
    """
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
