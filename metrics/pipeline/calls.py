"""A list of chains on its way through a gauge: cut in parts, measured in windows, scored."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tqdm import tqdm

from ..answers.abstaining import Stance
from ..chain import NO_RELIANCE, NOT_REGROWN, Regrown
from ..controls.other_chains import ForeignSteps
from ..likelihood import Unscored
from ..reliance.regrowing import Continuations
from ..score import ChainScore
from ..segment import Segmentation
from ..trace import Step, Trace
from .chain_work import Cut, Measured, Verdicts
from .scheduling import FIRST_WINDOW, NO_GOLD, WINDOW, WINDOW_REQUESTS, Found, Questions

Assess = Callable[[Sequence[Trace], Sequence[Sequence[Step]]], list[Verdicts]]


@dataclass
class Call:
    """What one call of `Gauge.score` is given, and what is known so far. Chains are named by their index.

    Attributes:
        foreign_from: see `Gauge.score`.
        has_scorer: whether there is a scoring LM to ask.
        own_asked: whether it is asked about the chains' own answers, so that chains without a gold one count, too.
        seen: chains whose questions had a part in fitting the scorer.
        cuts: of the first chains.
        measured: of the chains that the scoring LM was asked about.
        stances: what the judge of abstention says; empty until it was asked.
        continuations: the model under test, which writes ends of its chains anew.
        regrown: what came of that; empty until it was asked.
        scores: of the first chains.
        error: why the call fails.
        waiting: chains that are to be measured and in no window yet.
        open: the window that is being filled.
    """

    traces: Sequence[Trace]
    foreign_from: Sequence[Trace]
    has_scorer: bool
    own_asked: bool = False
    continuations: Continuations | None = None
    seen: set[int] = field(default_factory=set)
    cuts: list[Cut] = field(default_factory=list)
    foreign: ForeignSteps | None = None
    measured: dict[int, Found] = field(default_factory=dict)
    stances: Sequence[Stance | None] = ()
    regrown: Sequence[Regrown | Unscored] = ()
    scores: list[ChainScore] = field(default_factory=list)
    error: Exception | None = None
    waiting: deque[int] = field(default_factory=deque)
    _bar: tqdm | None = None

    def __post_init__(self) -> None:
        self.open = Window(self, most=FIRST_WINDOW)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """What is raised inside fails the call."""
        try:
            yield
        except Exception as error:  # raised by `Gauge.score`, or given in the place of the scores
            self.error = self.error or error

    def add(self, cuts: Sequence[Cut]) -> None:
        for i, cut in enumerate(cuts, len(self.cuts)):
            if self.has_scorer and isinstance(cut.segmentation, Segmentation) and cut.has_answer:
                self.waiting.append(i)
        self.cuts += cuts

    def next_window(self, *, last: bool) -> Window:
        """The window that was being filled; the next one is begun."""
        window, self.open = self.open, Window(self)
        window.last = last
        window.end = len(self.traces) if last else max(window.written) + 1
        return window

    def steps(self, chain: int) -> Sequence[Step]:
        found = self.cuts[chain].segmentation
        return () if isinstance(found, Unscored) else found.steps

    def judge(self, assess: Assess) -> None:
        """Ask a panel about all chains at once."""
        usable = [i for i, cut in enumerate(self.cuts) if isinstance(cut.segmentation, Segmentation)]
        judged = assess([self.traces[i] for i in usable], [self.steps(i) for i in usable])
        for i, verdicts in zip(usable, judged, strict=True):
            self.cuts[i] = replace(self.cuts[i], verdicts=verdicts)

    def unfinished(self, window: Window) -> list[Measured]:
        """The chains without score up to the window's end."""
        return [
            Measured(
                self.traces[i],
                self.cuts[i],
                *self._found(i),
                self.stances[i] if self.stances else None,
                self.regrown[i] if self.regrown else NOT_REGROWN,
            )
            for i in range(len(self.scores), window.end)
        ]

    def _found(self, i: int) -> Found:
        if not self.has_scorer:
            reason = Unscored("no scoring LM (scorer=None)")
            return reason, reason
        cut = self.cuts[i]
        if isinstance(cut.segmentation, Unscored):
            return cut.segmentation, cut.segmentation
        return self.measured.pop(i, (NO_GOLD, cut.own if isinstance(cut.own, Unscored) else NO_RELIANCE))

    def progress(self, shown: bool | None) -> tqdm:
        """The bar of the chains that are measured; `shown`: None: where standard error is a terminal."""
        if self._bar is None:
            total = len(self.traces) if self.own_asked else sum(bool(trace.answers) for trace in self.traces)
            self._bar = tqdm(total=total, desc="scoring", unit="chain", disable=None if shown is None else not shown)
        return self._bar

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@dataclass
class CallPart:
    """Some chains of a call whose steps are being cut.

    Attributes:
        cuts: waits for them.
        last: whether no more of the call's chains follow.
    """

    call: Call
    cuts: Callable[[], list[Cut]]
    last: bool


@dataclass
class Window:
    """Chains of a call that are measured together.

    Attributes:
        most: chains that it holds at most.
        last: whether it is the call's last one.
        end: of the chains up to here all is known once it is measured.
        written: what the scoring LM is asked about each, by its index.
        about: what the provenance of their scores says.
        requests: how many that are.
    """

    call: Call
    most: int = WINDOW
    last: bool = False
    end: int = 0
    written: dict[int, Questions] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    requests: int = 0

    @property
    def full(self) -> bool:
        return len(self.written) >= self.most or self.requests >= WINDOW_REQUESTS

    def add(self, chain: int, questions: Questions) -> None:
        self.written[chain] = questions
        self.requests += len(questions.requests)
