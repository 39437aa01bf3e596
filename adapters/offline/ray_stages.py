"""What runs in Ray's processes for `stepgauge score --ray`: one reads windows of chains, others turn them into rows."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...metrics import EngineStatistics, Gauge, StepgaugeError
from ...metrics.builtin import HuggingFace
from ..formats.entries import Entry
from ..formats.sources import Source
from ..formats.windows import Window, windows
from .out_folder import Ranges
from .run import failed_row, rows_of

# A window whose process died so often is scored chain by chain; it may be the machine, so not at the first time.
_WHOLE = 2

# Ray Data's blocks are tables; ours have a column of pickled objects.
COLUMN = "window"
Block = dict[str, list[bytes]]


@dataclass
class Read:
    """A window as it was read.

    Attributes:
        number: its place in the input, from 1.
        before: the chains of the window before.
        done: bytes of each source that are read.
        error: why reading stopped here.
    """

    number: int
    window: Window
    before: Sequence[Entry] = ()
    done: Sequence[int] = ()
    error: StepgaugeError | None = None


@dataclass
class Scored:
    """A window with its rows.

    Attributes:
        evidence: what its gauge says of it.
        work: what the scoring LM did for it.
        error: why none of it is scored.
    """

    read: Read
    rows: list[dict[str, Any]] = field(default_factory=list)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    work: EngineStatistics | None = None
    error: StepgaugeError | None = None


def read_windows(
    sources: Sequence[Source], size: int, limit: int | None, done: Sequence[Sequence[int]]
) -> Iterator[Block]:
    """Every window that is not among those done, in a block of its own: what comes in one block goes to one actor."""
    known = Ranges(done)
    before: Sequence[Entry] = ()
    number = 0
    try:
        for number, one in enumerate(windows(sources, size, limit), 1):
            last, before = before, one.entries
            if number not in known:
                yield {COLUMN: [pickle.dumps(Read(number, one, last, [source.done for source in sources]))]}
    except StepgaugeError as error:  # raised again by the driver
        yield {COLUMN: [pickle.dumps(Read(number + 1, Window(), error=error))]}


class Ledger:
    """An actor that knows what others have in hand, so that what kills them is told from what they lose by accident."""

    def __init__(self) -> None:
        self._seats: dict[str, int] = {}
        self._tries: Counter[int] = Counter()
        self._alone: dict[int, int] = {}
        self._deadly: dict[int, set[int]] = {}

    def seat(self, actor: str) -> int:
        """A number of its own for each actor, also when it is started again."""
        return self._seats.setdefault(actor, len(self._seats))

    def begin(self, window: int) -> tuple[int, set[int]]:
        """How often a window was begun, and which of its chains killed an actor while it had nothing else in hand."""
        self._tries[window] += 1
        deadly = self._deadly.setdefault(window, set())
        if window in self._alone:
            deadly.add(self._alone.pop(window))
        return self._tries[window], deadly

    def begin_alone(self, window: int, chain: int) -> None:
        self._alone[window] = chain

    def end(self, window: int) -> None:
        for known in (self._tries, self._alone, self._deadly):
            known.pop(window, None)


class WindowScorer:
    """An actor of Ray Data's pool: everything about a window but reading it and, with `devices`, the scoring LM.

    Args:
        options: those of `Gauge`.
        devices: actors with the scoring LM, of which each process asks always the same one; none: it has its own.
    """

    def __init__(self, options: Mapping[str, Any], ledger: Any, devices: Sequence[Any]) -> None:
        import ray

        self._ledger = ledger
        if devices:
            seat: Any = ray.get(ledger.seat.remote(ray.get_runtime_context().get_actor_id()))
            options = {**options, "backend": HuggingFace(there=devices[seat % len(devices)])}
        self._gauge = Gauge(**options, progress=False)
        self._has_scorer = options.get("scorer", "") is not None

    def __call__(self, block: Mapping[str, Iterable[bytes]]) -> Block:
        return {COLUMN: [pickle.dumps(self._scored(pickle.loads(one))) for one in block[COLUMN]]}

    def _scored(self, read: Read) -> Scored:
        if read.error is not None:
            return Scored(read, error=read.error)
        before = self._gauge.statistics()
        try:
            if self._has_scorer:
                _ = self._gauge.backend  # every row's provenance names it
            rows = self._rows(read)
        except StepgaugeError as error:  # raised again by the driver
            return Scored(read, error=error)
        now = self._gauge.statistics()
        work = None if now is None else now.since(before)
        sent = Read(read.number, Window([], read.window.skipped, read.window.passed, read.window.last), (), read.done)
        return Scored(sent, rows, self._gauge.evidence, work)

    def _rows(self, read: Read) -> list[dict[str, Any]]:
        import ray

        entries = read.window.entries
        tries, deadly = ray.get(self._ledger.begin.remote(read.number))
        if tries <= _WHOLE:
            rows = rows_of(self._gauge, entries, read.before)
        else:
            others = [*read.before, *entries]
            rows = []
            for i, entry in enumerate(entries):
                if i in deadly:
                    rows.append(failed_row(self._gauge, entry, f"scoring it killed {tries - 1} processes"))
                    continue
                ray.get(self._ledger.begin_alone.remote(read.number, i))
                rows += rows_of(self._gauge, [entry], others)
        self._ledger.end.remote(read.number)
        return rows
