"""`StepTask`: an lm-eval task that scores its chains of thought after its own filters and metrics.

It overrides only public methods. `apply_filters` scores every response of the task in one call and stores the results
under a separate pipeline, `reasoning`; `process_results` reports them there and leaves every other pipeline to the
task, so accuracy does not change. In a YAML of output type `generate_until`:

    class: !function stepgauge.adapters.lm_eval.StepTask
    stepgauge: {scorer: Qwen/Qwen2.5-7B}
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask, Task

from .inherit import complete
from .options import KEY, read_options
from .records import ReasoningRecord
from .scorer import ChainScorer, Request, log
from .thinking import warn_of_stripped_thinking

PIPELINE = "reasoning"
AnyTask = TypeVar("AnyTask", bound=Task)


@functools.cache
def reasoning(cls: type[AnyTask]) -> type[AnyTask]:
    """A subclass of a task class that scores chains as `StepTask` does, for tasks that have their own class.

    Assign the result to a module-level name, so that a YAML's `class: !function` finds it. Calling this again with the
    same class returns the same subclass.
    """

    base: Any = cls  # a type checker cannot follow a base class that is a parameter

    class Reasoning(base):
        def __init__(self, *args: Any, config: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
            given = dict(config or {})
            given.pop("class", None)
            if issubclass(cls, ConfigurableTask) and cls.CONFIG is None and _passes_config_on(cls):
                given = complete(given)
            name = str(given.get("task") or cls.__name__)
            options = read_options(name, given)
            given.pop(KEY, None)
            scorer = ChainScorer(options)  # before any data set is read: names and values are checked here
            if "config" in inspect.signature(cls.__init__).parameters:
                kwargs["config"] = given
            super().__init__(*args, **kwargs)
            self._begin_scoring(scorer)

        def _begin_scoring(self, scorer: ChainScorer) -> None:
            """Finish the setup once the task is built, by the constructor or by lm-eval (see `score_chains`)."""
            name = scorer.options.task
            self._reasoning: ChainScorer | None = scorer
            self._reasoning_options = {KEY: scorer.options.to_dict()}
            if self.OUTPUT_TYPE != "generate_until":
                log.warning(
                    "[%s] output type is %s: the model writes no chain of thought, so there is nothing to score; "
                    "reasoning scores need `output_type: generate_until`",
                    name,
                    self.OUTPUT_TYPE,
                )
                self._reasoning = None
                return
            if scorer.options.templates:
                scorer.check_templates(self.eval_docs[0])
            _refuse_collisions(name, self.config.filter_list, super().aggregation(), scorer.aggregation())
            warn_of_stripped_thinking(getattr(self.config, "metadata", None))

        def override_metric(self, metric_name: str) -> None:
            if metric_name == "bypass":  # --predict_only: the user wants responses but no numbers
                self._reasoning = None
            super().override_metric(metric_name)

        def build_all_requests(self, **kwargs: Any) -> None:
            if self._reasoning is not None:  # here, since --predict_only is known by now
                self._reasoning.preflight()
            super().build_all_requests(**kwargs)
            if self._reasoning is not None:
                name = self._reasoning.options.task
                self._reasoning.check_overlap((_request(instance, name) for instance in self.instances), self)

        def apply_filters(self) -> list[Instance] | None:
            filtered = super().apply_filters()
            if self._reasoning is not None:
                requests = [_request(instance, self._reasoning.options.task) for instance in self.instances]
                records = self._reasoning.score(requests, self)
                for instance, scored in zip(self.instances, records, strict=True):
                    instance.filtered_resps[PIPELINE] = scored
            return filtered

        def process_results(self, doc: Any, results: Any) -> dict[str, Any]:
            records = [result for result in results if isinstance(result, ReasoningRecord)]
            if self._reasoning is not None and records:
                return self._reasoning.numbers(records)
            return super().process_results(doc, results)

        def aggregation(self) -> dict[str, Any]:
            return {**super().aggregation(), **(self._reasoning.aggregation() if self._reasoning else {})}

        def higher_is_better(self) -> dict[str, Any]:
            return {**super().higher_is_better(), **(self._reasoning.higher_is_better() if self._reasoning else {})}

        def dump_config(self) -> dict[str, Any]:
            return {**super().dump_config(), **self._reasoning_options}  # written to the results file

    Reasoning.__name__ = Reasoning.__qualname__ = f"Reasoning{cls.__name__}"
    Reasoning.__module__ = cls.__module__
    return cast(type[AnyTask], Reasoning)


def score_chains(task: Task, metadata: Mapping[str, Any]) -> None:
    """Make a finished `generate_until` task score its chains, as if its class had been `reasoning(…)`.

    Tasks of other output types and tasks that already score are not changed.

    Args:
        metadata: the run's metadata; its `stepgauge` key holds the options.

    Raises:
        ValueError, TypeError: a wrong option; see `options.read_options`.
    """
    if getattr(task, "OUTPUT_TYPE", None) != "generate_until" or scorer_of(task) is not None:
        return
    options = read_options(task.task_name, {"metadata": metadata})
    task.__class__ = reasoning(type(task))  # single inheritance without slots: the layout is the same
    cast(Any, task)._begin_scoring(ChainScorer(options))


def scorer_of(task: Task) -> ChainScorer | None:
    """The object that scores a task's chains; None for a task without reasoning scores."""
    return getattr(task, "_reasoning", None)


def _passes_config_on(cls: type) -> bool:
    """Whether the class takes its configuration from outside; a class with its own `__init__` has it built in."""
    return cls.__init__ is ConfigurableTask.__init__


def _request(instance: Instance, task: str) -> Request:
    # Under data parallelism a rank is padded by repeating its last request: only `repeats` responses count. A request
    # of another type (squadv2 also asks for a log-likelihood) has no chain.
    responses = instance.resps[: instance.repeats or 1] if instance.request_type == "generate_until" else []
    prompt = instance.args[:2] if len(instance.args) == 2 and isinstance(instance.args[1], Mapping) else None
    return Request(f"{task}/{instance.doc_id}", instance.doc, responses, prompt)


def _refuse_collisions(name: str, filter_list: Any, own: Mapping[str, Any], added: Mapping[str, Any]) -> None:
    pipelines = [entry.get("name") for entry in filter_list or [] if isinstance(entry, Mapping)]
    if PIPELINE in pipelines:
        raise ValueError(
            f"task {name!r}: filter_list has a pipeline {PIPELINE!r}, which holds the chains' scores; rename it"
        )
    if clash := sorted(set(own) & set(added)):
        raise ValueError(
            f"task {name!r}: metric_list already has {', '.join(clash)}; drop it there, "
            "or choose others with `stepgauge: {metrics: [...]}`"
        )


class StepTask(reasoning(ConfigurableTask)):
    """`ConfigurableTask` with reasoning scores; options under the YAML key `stepgauge:`, see `options.py`."""
