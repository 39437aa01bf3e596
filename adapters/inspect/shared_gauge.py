"""One `Gauge` for all scorers with the same options, so that a scoring LM is in memory once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from ...metrics import ChainScore, Gauge, ModelInMemory, OutOfMemory, OverlapError, Trace
from ...metrics.likelihood import Unscored
from .batching import MicroBatcher
from .model_judge import ModelJudge, make_judges
from .regrowing import Conversation, RunningModel

log = logging.getLogger(__name__)
# Under Inspect the root logger passes warnings only. Its handler decides for itself: INFO goes into the eval's log, and
# to the terminal with `--log-level info`.
log.setLevel(logging.INFO)


# Inspect hands in samples as they come, maybe one at a time: `foreign` needs steps of others all the same.
_RECENT = 64


class GaugeFailure(Exception):
    """The run cannot go on: no scoring LM, no memory for it, or questions that it was fitted on."""


class SharedGauge:
    """A gauge with the batcher that feeds it; the model is freed with the last scorer that holds this object."""

    def __init__(self, gauge: Gauge, *, model_judges: Sequence[ModelJudge] = ()) -> None:
        self.gauge = gauge
        self._model_judges = model_judges
        self._itself = RunningModel() if gauge.regrows else None
        # A function of the gauge, not a method of this object: the batcher must not keep this object alive.
        self._batcher: MicroBatcher[Trace, ChainScore] = MicroBatcher(
            functools.partial(_score, gauge, deque(maxlen=_RECENT), self._itself),
            not_retried=(GaugeFailure,),
        )
        weakref.finalize(self, gauge.close).atexit = False

    async def score(
        self, trace: Trace, tested: str | None = None, conversation: Conversation | Unscored | None = None
    ) -> ChainScore:
        """Score one trace, together with whatever else arrives at the same time.

        What judges ask of Inspect models, and the model under test for `regrow`, is asked in the calling task, and
        counts for its sample.

        Args:
            tested: name of the model under test.
            conversation: for `regrow`, what that was asked before it wrote the response; or why it cannot go on.

        Raises:
            GaugeFailure: no chain at all can be scored.
            One of `FOR_INSPECT`: a judge's model reached a limit of the sample, or there is no such model.
        """
        names: dict[str, str] = {}
        work = functools.partial(self._batcher.submit, trace)
        if self._itself is not None and conversation is not None:
            work = functools.partial(self._itself.attend, trace, conversation, work)
        for judge in self._model_judges:
            grader = judge.grader(tested)
            names[judge.name] = grader.name
            work = functools.partial(judge.attend, trace, grader, work)
        chain = await work()
        if not names:
            return chain
        judges = [names.get(name, name) for name in chain.provenance["judges"]]
        return dataclasses.replace(chain, provenance={**chain.provenance, "judges": judges})


def _score(gauge: Gauge, recent: deque[Trace], itself: RunningModel | None, traces: list[Trace]) -> list[ChainScore]:
    """Runs in the batcher's worker thread.

    Args:
        recent: the chains scored last, which the control `foreign` draws on beside the batch's.
        itself: the model under test, for `regrow`.
    """
    if gauge.needs_scorer(traces):
        try:
            _ = gauge.backend
        except Exception as error:  # whatever a backend raises while it loads is no single chain's fault
            raise GaugeFailure(str(error) or type(error).__name__) from error
    try:
        scores = gauge.score(traces, foreign_from=recent, continuations=itself)
    except (OutOfMemory, OverlapError) as error:
        raise GaugeFailure(str(error)) from error
    recent.extend(traces)
    # Nothing says which batch is the last one: each tells the sum so far.
    if statistics := gauge.statistics():
        log.info("%s", statistics.summary())
    return scores


_shared: weakref.WeakValueDictionary[Any, SharedGauge] = weakref.WeakValueDictionary()
_creating = threading.Lock()


def shared_gauge(options: Mapping[str, Any]) -> SharedGauge:
    """The gauge for these `Gauge` options; a new one unless a living scorer uses one with equal options.

    Raises:
        TypeError, ValueError: what `Gauge` says of a bad option.
    """
    bound = inspect.signature(Gauge).bind(**options, progress=False)
    bound.apply_defaults()  # so that naming a default does not load a second model
    key = tuple((name, _hashable(value)) for name, value in bound.arguments.items())
    with _creating:
        shared = _shared.get(key)
        if shared is None:
            judges = make_judges(bound.arguments["judges"])
            shared = SharedGauge(
                Gauge(**{**bound.arguments, "judges": judges}),
                model_judges=[judge for judge in judges if isinstance(judge, ModelJudge)],
            )
            _shared[key] = shared
        return shared


def _hashable(value: Any) -> Any:
    if isinstance(value, ModelInMemory):
        return id(value.model)
    if isinstance(value, Mapping):
        return tuple(sorted((key, _hashable(inner)) for key, inner in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_hashable(inner) for inner in value)
    return value
