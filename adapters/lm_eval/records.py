"""`ReasoningRecord`: the scores of one lm-eval request's chains, as the text stored under the pipeline `reasoning`.

lm-eval passes filtered responses through `str()` for the samples file, pickles them under data parallelism, and gives
them to `process_results`. A `str` that holds JSON survives all three.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from ...metrics import ChainScore
from ...metrics.columns import table_columns
from .aggregate import nan_mean, nan_spread


class ReasoningRecord(str):
    """JSON text: `{"chains": [ChainScore.to_dict(), …], "metrics": {…}, "spread": {…}}`, one chain per repeat.

    `metrics` holds means over the repeats that have the number, `spread` their sample standard deviations (only for
    two or more repeats). Missing numbers are null.
    """

    __slots__ = ()

    @property
    def chains(self) -> list[dict[str, Any]]:
        """One dict per repeat; `ChainScore.from_dict` restores each."""
        return json.loads(self)["chains"]

    @property
    def columns(self) -> list[str]:
        """Names of the default metrics, and of those that options and plugins add."""
        return table_columns(json.loads(self)["metrics"])

    def numbers(self, names: Iterable[str]) -> dict[str, float]:
        """The document's value of each named metric; nan if missing."""
        metrics = json.loads(self)["metrics"]
        return {name: math.nan if metrics.get(name) is None else metrics[name] for name in names}


def record(scores: Sequence[ChainScore]) -> ReasoningRecord:
    """A record of the scores of one request's repeats; `scores` is empty for a request without a chain."""
    names = list(dict.fromkeys(name for score in scores for name in score.metrics))
    values = {name: [score.metrics.get(name) for score in scores] for name in names}
    content: dict[str, Any] = {
        "chains": [score.to_dict() for score in scores],
        "metrics": {name: _or_null(nan_mean(values[name])) for name in names},
    }
    if len(scores) > 1:
        content["spread"] = {name: _or_null(nan_spread(values[name])) for name in names}
    return ReasoningRecord(json.dumps(content, allow_nan=False))


def unscored(names: Iterable[str], reason: str, chain_id: str | None) -> ChainScore:
    """The score of a chain that never reached the core or failed there: every metric is missing for that reason."""
    names = list(names)
    return ChainScore(
        id=chain_id,
        trace_hash="",
        steps=[],
        log_likelihoods=[],
        n_answer_tokens=None,
        metrics=dict.fromkeys(names, math.nan),
        missing=dict.fromkeys(names, reason),
    )


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
