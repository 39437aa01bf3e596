"""Sends many questions to a server, some at a time, in the order that suits it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Place = TypeVar("Place", bound=Hashable)
Found = TypeVar("Found")


def ask_all(
    lines: Sequence[Sequence[Sequence[Place]]],
    ask: Callable[[Place], Found],
    answered: Callable[[Place, Found], None],
    wanted: Callable[[Place], bool],
    pool: ThreadPoolExecutor,
    most: int,
) -> None:
    """Ask about every place of every stage of every line.

    Args:
        lines: see `Dialect.stages`. A line is begun when the lines before it leave room.
        ask: runs in a thread of the pool.
        answered: called here with each answer as it comes.
        wanted: asked just before a place is sent; those that nobody wants any more are passed over.
        most: questions under way at once.
    """
    ahead = deque(enumerate(lines))
    ready: deque[tuple[int, Place]] = deque()
    stage = dict.fromkeys(range(len(lines)), -1)
    open_places = dict.fromkeys(range(len(lines)), 0)
    pending: dict[Future[Found], tuple[int, Place]] = {}

    def step(line: int) -> None:
        """A place of a line is done with: if it was the stage's last, the next stage is ready."""
        while not open_places[line] and stage[line] + 1 < len(lines[line]):
            stage[line] += 1
            places = lines[line][stage[line]]
            open_places[line] = len(places)
            ready.extendleft((line, place) for place in reversed(places))

    try:
        while ready or ahead or pending:
            while len(pending) < most and (ready or ahead):
                if not ready:
                    step(ahead.popleft()[0])
                    continue
                line, place = ready.popleft()
                if wanted(place):
                    pending[pool.submit(ask, place)] = line, place
                else:
                    open_places[line] -= 1
                    step(line)
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                line, place = pending.pop(future)
                answered(place, future.result())
                open_places[line] -= 1
                step(line)
    except BaseException:  # an interrupt: what is not under way is not begun
        for future in pending:
            future.cancel()
        raise
