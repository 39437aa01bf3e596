"""What scorers and scanners share: the gauge that their options ask for, and one sample's chain with its score."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from ...metrics import ChainScore, ScorerError
from ...metrics.columns import table_columns
from ...metrics.models.in_memory import SELF
from ...metrics.names import unknown_name
from .explanation import fenced
from .model_under_test import is_known, model_under_test
from .options import LISTS, OptionError, as_list, check_names
from .regrowing import check_continues, conversation_of
from .sample_calls import FOR_INSPECT
from .sample_files import with_files
from .shared_gauge import GaugeFailure, SharedGauge, shared_gauge
from .shuffled import Events
from .traces import Reading, Unscorable, read_trace
from .transcript import TURNS, Turns

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What one scorer or scanner was asked for.

    Attributes:
        name, usual, options: what `prepare` was called with.
        shared: the gauge; for `scorer: self` one that knows the options and has no model.
        metrics: names of the metrics to report, in order.
        of_models: for `scorer: self` the gauge of each model under test, which lives as long as this object.
    """

    name: str
    usual: Sequence[str]
    options: Mapping[str, Any]
    shared: SharedGauge
    metrics: Sequence[str]
    turns: Turns
    of_models: dict[int, SharedGauge] = field(default_factory=dict)

    def gauge(self) -> SharedGauge:
        """The gauge that scores the sample of the task that calls this. Raises ScorerError: see `model_under_test`."""
        if self.options.get("scorer") != SELF:
            return self.shared
        model = model_under_test()
        key = id(model.model)  # which the gauge holds, so that no other object gets the number
        if key not in self.of_models:
            self.of_models[key] = shared_gauge({**_of_gauge(self.options), "scorer": model})
        return self.of_models[key]

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process the gauge is made anew: inspect_scout sends scanners to its own."""
        return prepare, (self.name, self.usual, self.options)


@dataclass(frozen=True)
class Scored:
    """A chain's score, and how the chain was read."""

    chain: ChainScore
    reading: Reading


@dataclass(frozen=True)
class NotScored:
    """Why a sample has no score.

    Attributes:
        code: machine-readable, as for `Score.reason`.
        explanation: the same for people, as Markdown in which nothing a model wrote is markup.
    """

    code: str
    explanation: str


def prepare(name: str, usual: Sequence[str], options: Mapping[str, Any]) -> Settings:
    """The gauge for these options and the metrics to report.

    Args:
        name: of the scorer or scanner, without the package: for messages.
        usual: the metrics that are reported where the options name none.
        options: see `Options`.

    Raises:
        OptionError: a wrong option, or a scorer that is not there.
    """
    turns = _turns(name, options.get("turns", "all"))
    check_names(name, {key: value for key, value in options.items() if key != "turns"})
    chosen: Any = as_list(options.get("metrics", ()))
    try:
        shared = shared_gauge(_of_gauge(options))
        # A scorer that is not there shows now, not after the last sample.
        if options.get("scorer") != SELF:
            shared.gauge.preflight()
        elif is_known():
            model_under_test()
        if shared.gauge.regrows and is_known():
            check_continues()
    except (TypeError, ValueError) as error:
        raise OptionError(f"stepgauge/{name}: {error}") from error
    try:
        metrics = table_columns(shared.gauge.metric_info(), usual, chosen=chosen)
    except ValueError as error:
        raise OptionError(f"stepgauge/{name}, option 'metrics': {error}") from error
    return Settings(name, usual, options, shared, metrics, turns)


async def score_sample(settings: Settings, state: TaskState, target: Target, events: Events) -> Scored | NotScored:
    """Read one sample's chain and score it, together with whatever else arrives at the same time.

    Args:
        events: gives the sample's events, which hold what a solver has overwritten.

    Raises:
        OptionError: no chain at all can be scored.
        One of `FOR_INSPECT`: a judge's model reached a limit of the sample, or there is no such model.
    """
    try:
        reading = read_trace(state, target, settings.turns, events)
    except Unscorable as problem:
        return NotScored(problem.code, fenced(f"not scored: {problem}"))
    reading = dataclasses.replace(reading, trace=await with_files(reading.trace))
    try:
        shared = settings.gauge()
        conversation = conversation_of(state, reading, events) if shared.gauge.regrows else None
        chain = await shared.score(reading.trace, str(state.model), conversation)
    except (GaugeFailure, ScorerError) as error:  # concerns every sample, so it ends the run
        raise OptionError(f"stepgauge/{settings.name}: {error}") from error
    except FOR_INSPECT:  # a limit of the sample, or a grader that cannot be had
        raise
    except Exception as error:  # concerns this chain alone: its batch was tried again one by one
        reason = f"scoring failed: {type(error).__name__}: {error}"
        log.warning("stepgauge/%s, sample %s: %s", settings.name, reading.trace.id, reason, exc_info=error)
        return NotScored("scoring_failed", fenced(reason))
    return Scored(_told(chain, reading), reading)


def _of_gauge(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are `Gauge`'s, as it takes them."""
    given = {key: value for key, value in options.items() if key not in ("turns", "metrics")}
    return {key: as_list(value) if key in LISTS else value for key, value in given.items()}


def _turns(name: str, given: Any) -> Turns:
    if given not in TURNS:
        raise OptionError(f"stepgauge/{name}, option 'turns': {unknown_name('value', str(given), TURNS)}")
    return given


def _told(chain: ChainScore, reading: Reading) -> ChainScore:
    """The chain's score with where the chain was read from, and what a reader should know about that."""
    return dataclasses.replace(
        chain,
        notes=[*chain.notes, *reading.notes],
        provenance={**chain.provenance, "chain_source": reading.source},
    )
