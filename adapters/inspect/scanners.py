"""The scanners `stepgauge/reasoning`, `stepgauge/infogain`, `stepgauge/knowledge` and `stepgauge/reliance` of
inspect_scout, and scan jobs of the same names.

A scanner gives a transcript the numbers that the scorer of the same name gives its sample. `scout scan` takes the job
before the scanner: it would otherwise load a scoring LM in each of four processes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from inspect_scout import Result, ScanJob, Scanner, Transcript, scanjob, scanner

from ...metrics.columns import CHAIN_COLUMNS, GAIN_COLUMNS, KNOWLEDGE_COLUMNS, RELIANCE_COLUMNS
from .chain_scoring import NotScored, Scored, prepare, score_sample
from .explanation import explain
from .options import OptionError, Options
from .scan_transcript import EVENTS, state_of
from .step_references import step_references

# Without `metrics`: scout takes missing numbers out of a value before it computes means, and ends the scan over that.
_scanner = scanner(messages="all", events=list(EVENTS))  # type: ignore[call-overload, arg-type]


@_scanner
def reasoning(**options: Unpack[Options]) -> Scanner[Transcript]:
    """InfoGain and Knowledge Index of a transcript's chain of thought; options as for the scorer `reasoning`."""
    return _chain_scanner("reasoning", CHAIN_COLUMNS, options)


@_scanner
def infogain(**options: Unpack[Options]) -> Scanner[Transcript]:
    """How much each step of a transcript tells a scoring LM about the gold answer; options as for `infogain`."""
    return _chain_scanner("infogain", GAIN_COLUMNS, options)


@_scanner
def knowledge(**options: Unpack[Options]) -> Scanner[Transcript]:
    """The share of checkable steps whose knowledge is right; options as for the scorer `knowledge`."""
    return _chain_scanner("knowledge", KNOWLEDGE_COLUMNS, {"scorer": None, **options})


@_scanner
def reliance(**options: Unpack[Options]) -> Scanner[Transcript]:
    """Whether a transcript's own answer depends on its steps; options as for the scorer `reliance`, without `regrow`.

    The scoring LM is never known to be the model that wrote the transcript: the numbers are about content.
    """
    return _chain_scanner("reliance", RELIANCE_COLUMNS, {"reliance": True, **options})


@scanjob(name="reasoning")
def reasoning_job(**options: Unpack[Options]) -> ScanJob:
    return _one_process(reasoning(**options))


@scanjob(name="infogain")
def infogain_job(**options: Unpack[Options]) -> ScanJob:
    return _one_process(infogain(**options))


@scanjob(name="knowledge")
def knowledge_job(**options: Unpack[Options]) -> ScanJob:
    return _one_process(knowledge(**options))


@scanjob(name="reliance")
def reliance_job(**options: Unpack[Options]) -> ScanJob:
    return _one_process(reliance(**options))


def _one_process(one: Scanner[Transcript]) -> ScanJob:
    return ScanJob(scanners=[one], max_processes=1)


def _chain_scanner(name: str, usual: Sequence[str], options: Mapping[str, Any]) -> Scanner[Transcript]:
    if options.get("regrow"):
        raise OptionError(f"stepgauge/{name}, option 'regrow': a transcript has no model at hand to go on with it")
    settings = prepare(name, usual, options)

    async def scan(transcript: Transcript) -> Result:
        state = state_of(transcript)
        done = await score_sample(settings, state, state.target, lambda: transcript.events)
        if isinstance(done, NotScored):
            return Result(value=None, explanation=done.explanation, metadata={"reason": done.code})
        return _result(done, settings.metrics, transcript)

    return scan


def _result(done: Scored, metrics: Sequence[str], transcript: Transcript) -> Result:
    """A chain's score in scout's form; a missing number is null, and the value as a whole is where all are missing."""
    numbers = {name: done.chain.metrics.get(name, math.nan) for name in metrics}
    value: dict[str, Any] = {name: None if math.isnan(number) else number for name, number in numbers.items()}
    places = {message.id: place for place, message in enumerate(transcript.messages, 1) if message.id}
    cited = step_references(done.chain, done.reading.turns, places)
    told = [f"- {one.cite} {' and '.join(one.why)}" for one in cited]
    return Result(
        value=None if all(number is None for number in value.values()) else value,
        answer=done.reading.trace.model_answer,
        explanation="\n\n".join(["\n".join(told), explain(done.chain, metrics)]).lstrip(),
        metadata=done.chain.to_dict(),
        references=[one.as_reference() for one in cited],
    )
