"""The plain filter route: `reasoning` scores through `filter_list` and `metric_list`, without `StepTask`.

`!function` works with every version of lm-eval. Names (entry points `lm_eval.filters` and `lm_eval.metrics`) need a
version that finds plugins, which no release does yet (docs/lm-eval.md). A filter sees responses and documents but
neither task nor prompt, so question and gold answer must be given as templates:

    filter_list:
      - name: reasoning
        filter:
          - function: !function stepgauge.adapters.lm_eval.ReasoningFilter
            question: "{{question}}"
            gold: "{{answer}}"
    metric_list:
      - metric: !function stepgauge.adapters.lm_eval.stepgauge
        aggregation: !function stepgauge.adapters.lm_eval.nan_mean
        higher_is_better: true

lm-eval applies every metric to every pipeline, so the task's other metrics show meaningless rows under `reasoning`;
`StepTask` has no such rows, and shows standard errors and the number of unscored documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lm_eval.api.filter import Filter
from lm_eval.api.registry import register_filter, register_metric

from .aggregate import NAN_MEAN
from .options import KEY, read_options
from .records import ReasoningRecord
from .scorer import ChainScorer, Request

NAME = "stepgauge"


@register_filter(NAME)
class ReasoningFilter(Filter):
    """Replaces the responses of each request with a `ReasoningRecord`.

    Args:
        options: as under `stepgauge:` (see `options.py`); `question` and `gold` are required.

    Raises:
        ValueError, TypeError: an unknown option, a value of the wrong type, no `question` or `gold`, or `regrow`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        given = read_options(f"filter {NAME}", {KEY: options})
        for name in ("question", "gold"):
            if name not in given.templates:
                raise ValueError(
                    f"filter {NAME!r}: option {name!r} is required: the name of a document field, or a Jinja template"
                )
        if given.gauge.get("regrow"):
            raise ValueError(f"filter {NAME!r}, option 'regrow': a filter sees no prompt, a StepTask does")
        self._scorer = ChainScorer(given)

    def apply(self, resps: list[Any] | Iterable[Any], docs: Sequence[Mapping[str, Any]]) -> list[ReasoningRecord]:
        """Score all chains of the task in one call; `resps[i]` are the responses to the request for `docs[i]`."""
        requests = [
            Request(f"{NAME}/{i}", doc, [responses] if isinstance(responses, str) else list(responses))
            for i, (responses, doc) in enumerate(zip(resps, docs, strict=True))
        ]
        return self._scorer.score(requests, None)


@register_metric(metric=NAME, aggregation=NAN_MEAN)
def stepgauge(
    references: Sequence[Any], predictions: Sequence[Any], metrics: Sequence[str] | None = None, **_: Any
) -> dict[str, float]:
    """The numbers of one document scored by `ReasoningFilter`; empty for responses of other pipelines.

    Args:
        metrics: their names; None: the default columns, and those that the filter's options and plugins add.
    """
    del references  # the record was scored against the filter's own `gold`
    if predictions and isinstance(predictions[0], ReasoningRecord):
        record = predictions[0]
        return record.numbers(record.columns if metrics is None else metrics)
    return {}
