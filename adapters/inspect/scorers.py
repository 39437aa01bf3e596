"""The scorers `infogain`, `knowledge`, `reasoning` (both in one) and `reliance` of `stepgauge/`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

from inspect_ai.event import Event
from inspect_ai.log import transcript
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ...metrics import ChainScore
from ...metrics.columns import CHAIN_COLUMNS, GAIN_COLUMNS, KNOWLEDGE_COLUMNS, RELIANCE_COLUMNS
from .chain_scoring import NotScored, prepare, score_sample
from .conclusions import print_conclusions
from .explanation import explain
from .options import Options


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


@scorer(metrics=_per_key(RELIANCE_COLUMNS))
def reliance(**options: Unpack[Options]) -> Scorer:
    """Whether the answer that the model gave depends on its chain of thought: as steps are left out, or put wrong.

    It is causal for the model under test where that is the scoring LM (`scorer="self"`), else about content.

    Args:
        **options: see `Options`. Metrics by default: early_answer_area, necessary_share and true_thinking, before
            the answer is stated.
    """
    return _chain_scorer("reliance", RELIANCE_COLUMNS, {"reliance": True, **options})


def _chain_scorer(name: str, usual: Sequence[str], options: Any) -> Scorer:
    settings = prepare(name, usual, options)

    async def score(state: TaskState, target: Target) -> Score:
        print_conclusions()
        done = await score_sample(settings, state, target, _events)
        if isinstance(done, NotScored):
            return Score.unscored(reason=done.code, explanation=done.explanation)
        return as_score(done.chain, done.reading.trace.model_answer, settings.metrics)

    return score


def _events() -> Sequence[Event]:
    """The sample's events so far; none where Inspect has dropped them to bound its memory."""
    try:
        return list(transcript().events)
    except RuntimeError:  # TranscriptHistoryUnavailableError, which is not in all versions
        return []


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
