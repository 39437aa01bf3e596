"""The metrics of each response of an lm-eval document, where the run wrote one number for all of its `repeats`.

lm-eval filters a document's responses down to one (`take_first`, `majority_vote`) before its metric sees them. Here the
run's own filters and metric, taken from lm-eval by their names, are applied to each response by itself. Whether that is
what the run did is checked on every document: all responses together must give the number that stands in the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.registry import filter_registry, get_metric, metric_registry
from lm_eval.api.task import ConfigurableTask
from lm_eval.filters import build_filter_ensemble

from ...metrics.errors import Missing
from ..grades import number
from .graded import Graded, answer_in

_DEFAULT = [{"name": "none", "filter": [{"function": "take_first"}]}]
_NOT_ARGUMENTS = {"metric", "aggregation", "higher_is_better", "hf_evaluate"}


class ResponseMetrics:
    """The filters and metrics of one finished task.

    Args:
        task: reads the documents' targets; is given the run's metrics here.
        config: the task's configuration from the results file.
        process_results: the registered task's function of that name where the run used one; never the source text in
            the results file.
    """

    def __init__(self, task: ConfigurableTask, config: Mapping[str, Any], process_results: Any) -> None:
        self._task = task
        self._problem: str | None = None
        self._pipelines: dict[str, Any] = {}
        task.OUTPUT_TYPE = "generate_until"
        task._config.process_results = process_results
        task._metric_fn_list, task._metric_fn_kwargs = {}, {}
        task._aggregation_list, task._higher_is_better = {}, {}
        if process_results is None and config.get("process_results") is not None:
            self._problem = "its metric is a function of the task, which is not registered here"
            return
        self._read_filters(config.get("filter_list") or _DEFAULT)
        if process_results is None:
            self._read_metrics(config.get("metric_list"))

    def _read_filters(self, listed: Any) -> None:
        for one in listed if isinstance(listed, list) else []:
            steps = one.get("filter") if isinstance(one, Mapping) else None
            names = [step.get("function") if isinstance(step, Mapping) else None for step in steps or []]
            if not all(isinstance(name, str) and name in filter_registry for name in names):
                continue  # a function of the task or of a plugin: nothing here knows what it does
            parts: list[Any] = [(step["function"], _arguments(step, {"function"})) for step in steps or []]
            try:
                self._pipelines[str(one.get("name"))] = build_filter_ensemble(str(one.get("name")), parts)
            except (TypeError, ValueError) as error:
                self._problem = f"lm-eval refuses its filters ({error})"

    def _read_metrics(self, listed: Any) -> None:
        import lm_eval.api.metrics  # noqa: F401  # registers lm-eval's own

        for one in listed if isinstance(listed, list) else [{"metric": "exact_match"}]:
            name = one.get("metric") if isinstance(one, Mapping) else None
            # Others would be fetched from a hub, or are functions of the task.
            if isinstance(name, str) and name in metric_registry and not one.get("hf_evaluate"):
                self._task._metric_fn_list[name] = get_metric(name)
                self._task._metric_fn_kwargs[name] = _arguments(one, _NOT_ARGUMENTS)
        if not self._task._metric_fn_list:
            self._problem = "lm-eval knows none of its metrics by name"

    def each(
        self, name: str, doc: Mapping[str, Any], responses: Sequence[str], given: Mapping[str, float]
    ) -> list[Graded]:
        """The metrics of each response under the filter `name`.

        Args:
            given: what the run wrote for all of them together.

        Raises:
            Missing: it cannot be computed, or all together do not give what the run wrote.
        """
        if self._problem:
            raise Missing(self._problem)
        if name not in self._pipelines:
            raise Missing(f"lm-eval does not know the parts of its filter {name!r} by their names")
        try:
            together, _ = self._grade(name, doc, responses)
            graded = [self._grade(name, doc, [response]) for response in responses]
        # A filter or a task's function may raise anything on a response that it was not written for.
        except Exception as error:
            raise Missing(f"its metric could not be computed again ({type(error).__name__}: {error})"[:200]) from error
        for metric, value in together.items():
            if metric in given and not math.isclose(given[metric], value, abs_tol=1e-9):
                raise Missing(f"computed again, {metric} is not what the run wrote")
        there = [metric for metric in given if metric in together]
        if not there:
            raise Missing("its metric could not be computed again")
        return [
            Graded({metric: values[metric] for metric in there if metric in values}, answer)
            for values, answer in graded
        ]

    def _grade(
        self, name: str, doc: Mapping[str, Any], responses: Sequence[str]
    ) -> tuple[dict[str, float], str | None]:
        filtered: Any = [list(responses)]
        for make in self._pipelines[name].filters:
            filtered = make().apply(filtered, [doc])
        (result,) = list(filtered)
        target = self._task.doc_to_target(doc)
        self._task.multiple_target = len(target) if isinstance(target, list) else 0
        values = self._task.process_results(doc, [result])
        return {str(key): found for key, value in values.items() if (found := number(value)) is not None}, answer_in(
            result
        )


def _arguments(entry: Mapping[str, Any], but: set[str]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in but}
