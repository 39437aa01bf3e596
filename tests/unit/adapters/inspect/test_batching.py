"""The micro-batcher between Inspect's concurrent scorers and the core, on both event loop libraries."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable

import anyio
import pytest
from sweeps import sweep

pytest.importorskip("inspect_ai")

from stepgauge.adapters.inspect.batching import MicroBatcher
from stepgauge.metrics.servers.stop import Stop

pytestmark = pytest.mark.parametrize("backend", sweep(["asyncio", "trio"], ["asyncio"]))


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    if backend == "trio":
        pytest.importorskip("trio")

    async def bounded() -> None:
        with anyio.fail_after(30):
            await main()

    anyio.run(bounded, backend=backend)


class Recorder:
    """A call that doubles numbers, refuses the ones it is told to, and notes every batch it was given."""

    def __init__(self, refuses: tuple[int, ...] = (), seconds: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.refuses = refuses
        self.seconds = seconds
        self.running = 0
        self.most_running = 0
        self.started = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(list(items))
        self.threads.add(threading.get_ident())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.started.set()
        try:
            time.sleep(self.seconds)
            for item in items:
                if item in self.refuses:
                    raise ValueError(f"{item} refused")
            return [2 * item for item in items]
        finally:
            self.running -= 1


async def submit_all(batcher: MicroBatcher[int, int], items: list[int]) -> dict[int, object]:
    """What each item got: its result, or the text of its error."""
    got: dict[int, object] = {}

    async def one(item: int) -> None:
        try:
            got[item] = await batcher.submit(item)
        except ValueError as error:
            got[item] = str(error)

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(one, item)
    return got


def test_items_submitted_at_the_same_time_share_one_call_and_each_gets_its_own_result(backend: str) -> None:
    call = Recorder()

    async def main() -> None:
        assert await submit_all(MicroBatcher(call), list(range(20))) == {item: 2 * item for item in range(20)}

    run(backend, main)
    assert [sorted(batch) for batch in call.batches] == [list(range(20))]


def test_the_call_runs_outside_the_event_loop_thread(backend: str) -> None:
    call = Recorder()

    async def main() -> None:
        await MicroBatcher(call).submit(1)

    run(backend, main)
    assert threading.get_ident() not in call.threads


def test_items_whose_tasks_keep_the_event_loop_busy_still_go_together(backend: str) -> None:
    call = Recorder()
    batcher = MicroBatcher(call)

    async def twice(item: int) -> None:
        await batcher.submit(item)
        time.sleep(0.03)  # as a scorer does that draws what it has found
        await batcher.submit(item + 10)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for item in range(5):
                group.start_soon(twice, item)

    run(backend, main)
    assert [sorted(batch) for batch in call.batches] == [[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]]


def test_the_next_call_begins_before_what_is_done_with_the_last_ones_results(backend: str) -> None:
    call = Recorder(seconds=0.05)
    batcher = MicroBatcher(call, max_batch=4)
    begun: list[int] = []

    async def one(item: int) -> None:
        await batcher.submit(item)
        begun.append(len(call.batches))
        time.sleep(0.02)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for item in range(8):
                group.start_soon(one, item)

    run(backend, main)
    assert [len(batch) for batch in call.batches] == [4, 4]
    assert begun[1:4] == [2, 2, 2], "the other results of the first batch were used while the second one ran"


def test_no_call_gets_more_than_max_batch_items(backend: str) -> None:
    call = Recorder()

    async def main() -> None:
        got = await submit_all(MicroBatcher(call, max_batch=4), list(range(10)))
        assert got == {item: 2 * item for item in range(10)}

    run(backend, main)
    assert sorted(len(batch) for batch in call.batches) == [2, 4, 4]


def test_items_that_arrive_during_a_call_wait_for_it_and_then_go_together(backend: str) -> None:
    call = Recorder(seconds=0.3)
    batcher = MicroBatcher(call)

    async def late() -> None:
        await anyio.sleep(0.15)
        await submit_all(batcher, [10, 11, 12])

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(submit_all, batcher, [1, 2])
            group.start_soon(late)

    run(backend, main)
    assert [sorted(batch) for batch in call.batches] == [[1, 2], [10, 11, 12]]
    assert call.most_running == 1


def test_a_trickle_of_items_cannot_hold_up_a_batch_for_ever(backend: str) -> None:
    call = Recorder()
    batcher = MicroBatcher(call, linger=0.05, max_linger=0.2)

    async def one(item: int) -> None:
        await batcher.submit(item)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for item in range(30):
                group.start_soon(one, item)
                await anyio.sleep(0.02)

    run(backend, main)
    assert len(call.batches) >= 2


def test_a_single_item_is_not_noticeably_delayed(backend: str) -> None:
    took: list[float] = []

    async def main() -> None:
        batcher = MicroBatcher(Recorder())
        await batcher.submit(0)  # starts the worker thread
        for item in range(5):
            start = time.perf_counter()
            await batcher.submit(item)
            took.append(time.perf_counter() - start)

    run(backend, main)
    assert sorted(took)[2] < 0.1


@pytest.mark.parametrize(
    ("items", "refuses"),
    [
        pytest.param([1, 2, 3, 4, 5], (3,), id="one of five"),
        pytest.param([1, 2, 3, 4, 5], (1, 5), id="the first and the last"),
        pytest.param([1, 2], (1, 2), id="all"),
        pytest.param([1], (1,), id="a batch of one"),
    ],
)
def test_an_error_reaches_exactly_the_items_that_cause_it(
    backend: str, items: list[int], refuses: tuple[int, ...]
) -> None:
    async def main() -> None:
        got = await submit_all(MicroBatcher(Recorder(refuses=refuses)), items)
        assert got == {item: f"{item} refused" if item in refuses else 2 * item for item in items}

    run(backend, main)


def test_a_batcher_works_on_after_an_error(backend: str) -> None:
    async def main() -> None:
        batcher = MicroBatcher(Recorder(refuses=(1,)))
        assert await submit_all(batcher, [1, 2]) == {1: "1 refused", 2: 4}
        assert await submit_all(batcher, [3, 4]) == {3: 6, 4: 8}

    run(backend, main)


def test_an_error_that_concerns_the_whole_call_is_not_provoked_once_per_item(backend: str) -> None:
    calls: list[int] = []

    class NoModel(ValueError):
        pass

    def call(items: list[int]) -> list[int]:
        calls.append(len(items))
        raise NoModel("no model")

    async def main() -> None:
        got = await submit_all(MicroBatcher(call, not_retried=(NoModel,)), [1, 2, 3])
        assert got == {1: "no model", 2: "no model", 3: "no model"}

    run(backend, main)
    assert calls == [3]


def test_a_call_that_returns_too_few_results_is_an_error_for_every_item(backend: str) -> None:
    async def main() -> None:
        batcher: MicroBatcher[int, int] = MicroBatcher(lambda _: [])
        with pytest.raises(RuntimeError, match=r"1 items were scored, 0 results came back"):
            await batcher.submit(1)

    run(backend, main)


def test_cancelling_the_leader_while_it_waits_for_company_leaves_the_others_unharmed(backend: str) -> None:
    call = Recorder()
    got: dict[int, object] = {}

    async def main() -> None:
        batcher = MicroBatcher(call, linger=0.2)
        cancelled = anyio.CancelScope()

        async def leader() -> None:
            with cancelled:
                await batcher.submit(1)

        async with anyio.create_task_group() as group:
            group.start_soon(leader)
            await anyio.sleep(0.05)
            group.start_soon(lambda: collect(batcher, [2, 3], got))
            await anyio.sleep(0.05)
            cancelled.cancel()
        assert cancelled.cancelled_caught

    run(backend, main)
    assert got == {2: 4, 3: 6}
    assert [sorted(batch) for batch in call.batches] == [[2, 3]], "a cancelled item is not scored"


async def collect(batcher: MicroBatcher[int, int], items: list[int], got: dict[int, object]) -> None:
    got.update(await submit_all(batcher, items))


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_cancelling_any_one_waiter_during_the_call_neither_loses_nor_repeats_the_others(
    backend: str, victim: int
) -> None:
    call = Recorder(seconds=0.3)
    got: dict[int, int] = {}

    async def main() -> None:
        batcher = MicroBatcher(call)
        scopes = [anyio.CancelScope() for _ in range(3)]

        async def one(item: int) -> None:
            with scopes[item]:
                got[item] = await batcher.submit(item)

        async with anyio.create_task_group() as group:
            for item in range(3):
                group.start_soon(one, item)
            while not call.started.is_set():
                await anyio.sleep(0.01)
            scopes[victim].cancel()

    run(backend, main)
    assert {item: value for item, value in got.items() if item != victim} == {
        item: 2 * item for item in range(3) if item != victim
    }
    assert [sorted(batch) for batch in call.batches] == [[0, 1, 2]]


def test_cancelling_everything_leaves_the_batcher_usable(backend: str) -> None:
    call = Recorder(seconds=0.1)

    async def main() -> None:
        batcher = MicroBatcher(call)
        with anyio.move_on_after(0.05):
            await submit_all(batcher, [1, 2, 3])
        assert await submit_all(batcher, [4, 5]) == {4: 8, 5: 10}

    run(backend, main)
    assert sorted(call.batches[-1]) == [4, 5]


@pytest.mark.parametrize("leaving", [[0, 1, 2], [2, 1, 0], [0, 2]])
def test_call_that_waits_for_a_server_ends_when_nobody_waits_for_it(backend: str, leaving: list[int]) -> None:
    begun, stopped = threading.Event(), []

    def call(items: list[int]) -> list[int]:
        begun.set()
        stopped.append(Stop().wait(20 if len(leaving) == 3 else 0.5))  # as whatever asks a server does
        return items

    got: list[int] = []

    async def main() -> None:
        batcher = MicroBatcher(call)
        scopes = [anyio.CancelScope() for _ in range(3)]

        async def one(item: int) -> None:
            with scopes[item]:
                got.append(await batcher.submit(item))

        async with anyio.create_task_group() as group:
            for item in range(3):
                group.start_soon(one, item)
            while not begun.is_set():
                await anyio.sleep(0.01)
            for item in leaving:
                scopes[item].cancel()
                await anyio.sleep(0.05)

    before = time.monotonic()
    run(backend, main)
    assert time.monotonic() - before < 5
    assert stopped == [len(leaving) == 3]
    assert set(got) >= {0, 1, 2} - set(leaving)


def test_one_batcher_serves_several_event_loops_one_after_the_other(backend: str) -> None:
    batcher = MicroBatcher(Recorder())

    async def main() -> None:
        assert await submit_all(batcher, [1, 2]) == {1: 2, 2: 4}

    for _ in range(3):
        run(backend, main)


def test_one_batcher_serves_event_loops_in_several_threads_with_one_call_at_a_time(backend: str) -> None:
    call = Recorder(seconds=0.05)
    batcher = MicroBatcher(call)
    failures: list[BaseException] = []

    async def main() -> None:
        assert await submit_all(batcher, [1, 2]) == {1: 2, 2: 4}

    def thread() -> None:
        try:
            run(backend, main)
        except BaseException as error:  # reported by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=thread) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    assert call.most_running == 1


def test_nothing_is_left_behind_when_the_event_loop_ends(backend: str) -> None:
    if backend == "trio":
        pytest.skip("trio keeps idle worker threads for ten seconds, for every user of its thread pool")
    before = set(threading.enumerate())
    still_running: list[int] = []

    async def main() -> None:
        await submit_all(MicroBatcher(Recorder()), list(range(5)))
        still_running.append(len(asyncio.all_tasks()))

    run(backend, main)
    assert still_running == [1], "only the main task may be left"
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
    assert set(threading.enumerate()) <= before


@pytest.mark.slow
def test_a_batcher_no_one_holds_is_freed_while_its_event_loop_runs_on(backend: str) -> None:
    async def main() -> None:
        batcher = MicroBatcher(Recorder())
        await batcher.submit(1)
        reference = weakref.ref(batcher)
        del batcher
        gc.collect()
        assert reference() is None

    run(backend, main)


def test_a_natively_cancelled_asyncio_leader_does_not_let_two_calls_overlap(backend: str) -> None:
    if backend == "trio":
        pytest.skip("trio has one kind of cancellation")
    call = Recorder(seconds=0.2)

    async def main() -> None:
        batcher = MicroBatcher(call)
        leader = asyncio.ensure_future(batcher.submit(1))
        follower = asyncio.ensure_future(batcher.submit(2))
        while not call.started.is_set():
            await asyncio.sleep(0.01)
        leader.cancel()  # asyncio's own cancel: no shield holds it
        assert await follower == 4

    run(backend, main)
    assert call.most_running == 1


def test_a_batch_size_below_one_is_refused(backend: str) -> None:
    del backend
    with pytest.raises(ValueError, match="max_batch"):
        MicroBatcher(Recorder(), max_batch=0)
