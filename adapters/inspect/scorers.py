"""The scorers `stepgauge/infogain`, `stepgauge/knowledge` and `stepgauge/reasoning` (both in one)."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from typing import Any, Unpack

from inspect_ai.event import Event
from inspect_ai.log import transcript
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ...metrics import ChainScore
from ...metrics.columns import CHAIN_COLUMNS, GAIN_COLUMNS, KNOWLEDGE_COLUMNS, table_columns
from ...metrics.names import unknown_name
from .conclusions import print_conclusions
from .explanation import explain, fenced
from .options import LISTS, OptionError, Options, as_list, check_names
from .sample_calls import FOR_INSPECT
from .shared_gauge import GaugeFailure, SharedGauge, shared_gauge
from .traces import Reading, Unscorable, read_trace
from .transcript import TURNS, Turns

log = logging.getLogger(__name__)


def _per_key(keys: Sequence[str]) -> dict[str, Any]:
    """Mean and standard error for each key of the score; `*` stands for the keys that options and plugins add.

    Inspect's panel puts four scores side by side in this order, and cuts names where they have no room: short names
    first leaves the long ones a row of their own, so that 80 columns do where another scorer stands before ours.
    """
    return {key: [mean(), stderr()] for key in (*sorted(keys, key=len), "*")}


@scorer(metrics=_per_key(CHAIN_COLUMNS))
def reasoning(**options: Unpack[Options]) -> Scorer:
    """InfoGain and Knowledge Index of the model's chain of thought.

    Args:
        **options: see `Options`. Metrics by default: infogain_nats before the answer is stated and of the whole
            chain, infogain (the paper's), ki, ki_coverage.
    """
    return _chain_scorer("reasoning", CHAIN_COLUMNS, options)


@scorer(metrics=_per_key(GAIN_COLUMNS))
def infogain(**options: Unpack[Options]) -> Scorer:
    """How much each step of the model's chain of thought tells a scoring LM about the gold answer.

    Args:
        **options: see `Options`. Metrics by default: infogain_nats before the answer is stated and of the whole
            chain, infogain (the paper's).
    """
    return _chain_scorer("infogain", GAIN_COLUMNS, options)


@scorer(metrics=_per_key(KNOWLEDGE_COLUMNS))
def knowledge(**options: Unpack[Options]) -> Scorer:
    """The share of the chain's checkable steps whose knowledge is right; loads no scoring LM unless one is named.

    Args:
        **options: see `Options`. Metrics by default: ki, ki_coverage.
    """
    return _chain_scorer("knowledge", KNOWLEDGE_COLUMNS, {"scorer": None, **options})


def _chain_scorer(name: str, usual: Sequence[str], options: Any) -> Scorer:
    given = dict(options)
    turns = _turns(name, given.pop("turns", "all"))
    shared, metrics = _prepare(name, usual, given)

    async def score(state: TaskState, target: Target) -> Score:
        print_conclusions()
        try:
            reading = read_trace(state, target, turns, _events)
        except Unscorable as problem:
            return Score.unscored(reason=problem.code, explanation=fenced(f"not scored: {problem}"))
        try:
            chain = await shared.score(reading.trace, str(state.model))
        except GaugeFailure as error:  # concerns every sample, so it ends the run
            raise OptionError(f"stepgauge/{name}: {error}") from error
        except FOR_INSPECT:  # a limit of the sample, or a grader that cannot be had
            raise
        except Exception as error:  # concerns this chain alone: its batch was tried again one by one
            reason = f"scoring failed: {type(error).__name__}: {error}"
            log.warning("stepgauge/%s, sample %s: %s", name, reading.trace.id, reason, exc_info=error)
            return Score.unscored(reason="scoring_failed", explanation=fenced(reason))
        return as_score(_told(chain, reading), reading.trace.model_answer, metrics)

    return score


def _events() -> Sequence[Event]:
    """The sample's events so far; none where Inspect has dropped them to bound its memory."""
    try:
        return list(transcript().events)
    except RuntimeError:  # TranscriptHistoryUnavailableError, which is not in all versions
        return []


def _turns(name: str, given: Any) -> Turns:
    if given not in TURNS:
        raise OptionError(f"stepgauge/{name}, option 'turns': {unknown_name('value', str(given), TURNS)}")
    return given


def _prepare(name: str, usual: Sequence[str], options: dict[str, Any]) -> tuple[SharedGauge, list[str]]:
    """The gauge for these options and the metrics to report. Raises OptionError."""
    check_names(name, options)
    options = {key: as_list(value) if key in LISTS else value for key, value in options.items()}
    chosen = options.pop("metrics", ())
    try:
        shared = shared_gauge(options)
        shared.gauge.preflight()  # a scorer that is not there shows now, not after the last sample
    except (TypeError, ValueError) as error:
        raise OptionError(f"stepgauge/{name}: {error}") from error
    try:
        return shared, table_columns(shared.gauge.metric_info(), usual, chosen=chosen)
    except ValueError as error:
        raise OptionError(f"stepgauge/{name}, option 'metrics': {error}") from error


def _told(chain: ChainScore, reading: Reading) -> ChainScore:
    """The chain's score with where the chain was read from, and what a reader should know about that."""
    return dataclasses.replace(
        chain,
        notes=[*chain.notes, *reading.notes],
        provenance={**chain.provenance, "chain_source": reading.source},
    )


def as_score(chain: ChainScore, answer: str | None, metrics: Sequence[str]) -> Score:
    """A chain's score in Inspect's form: a number per metric, the step table, and all of it as metadata.

    Args:
        answer: the model's own final answer.
        metrics: names of the metrics to report; where every one is missing, the sample counts as unscored.
    """
    value = {metric: chain.metrics.get(metric, math.nan) for metric in metrics}
    told: dict[str, Any] = {
        "answer": answer,
        "explanation": explain(chain, metrics),
        "metadata": chain.to_dict(),
    }
    if all(math.isnan(number) for number in value.values()):
        return Score.unscored(reason="scoring_failed", **told)
    return Score(value=value, **told)
