"""Runs what comes before and behind a computation beside it, for the neighbours of the item that it works on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Finished behind the computation at most; more would only fill the memory.
_FINISHING = 2


def overlapped(
    items: Iterator[Item],
    compute: Callable[[Item], None],
    finish: Callable[[Item], Iterable[Result]],
    stop: Callable[[], None],
) -> Iterator[Result]:
    """What `finish` gives of each item, in order.

    `compute` runs in the calling thread, where Ctrl-C reaches it. `items` and `finish` run in one other thread, one at
    a time: while an item is computed, the one before it is finished and the next one is made.

    Args:
        stop: called where the iteration ends early, to end what the other thread is busy with.

    Raises what `items`, `compute` and `finish` raise; what `items` raises only behind the results of earlier items,
    what `compute` raises behind those that are there. A device may have worked on the item before for minutes.
    """
    host = ThreadPoolExecutor(1, thread_name_prefix="stepgauge-host")
    finishing: deque[Future[Iterable[Result]]] = deque()
    failed: Exception | None = None
    try:
        ready = host.submit(next, items, None)
        while True:
            try:
                item = ready.result()
            except Exception as error:  # raised below
                failed, item = error, None
            if item is None:
                break
            ready = host.submit(next, items, None)
            try:
                compute(item)
            except BaseException:
                while finishing and finishing[0].done():
                    yield from finishing.popleft().result()
                raise
            finishing.append(host.submit(finish, item))
            while finishing and (len(finishing) > _FINISHING or finishing[0].done()):
                yield from finishing.popleft().result()
        while finishing:
            yield from finishing.popleft().result()
        if failed is not None:
            raise failed
    except BaseException:
        stop()
        raise
    finally:
        host.shutdown(cancel_futures=True)


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """The same items; each is given when `count` more have been made, or all.

    Raises what `items` raises, behind the items before.
    """
    waiting: deque[Item] = deque()
    source = iter(items)
    failed: Exception | None = None
    while failed is None:
        try:
            waiting.append(next(source))
        except StopIteration:
            break
        except Exception as error:  # raised below
            failed = error
        else:
            if len(waiting) > count:
                yield waiting.popleft()
    yield from waiting
    if failed is not None:
        raise failed
