"""A user's script, never run: `make check` types it against the installed stepgauge, which must resolve."""

# pyright: strict

import math

from inspect_ai import Task, task
from inspect_ai.scorer import match

from stepgauge.adapters.inspect import reasoning, steps_df
from stepgauge.adapters.lm_eval import StepTask
from stepgauge.adapters.runs import load_runs
from stepgauge.metrics import Chain, ChainMetric, ChainScore, Gauge, Trace
from stepgauge.metrics.comparison import Settings, compare_runs
from stepgauge.metrics.models.loading import resolve

with Gauge(scorer=resolve("smollm2"), splitter="lines", controls=["filler"]) as gauge:
    scores: list[ChainScore] = gauge.score([Trace("How many clips?", "48 / 2 = 24", "24", id="clips")])
gains: list[float] = [step.gain for step in scores[0].steps if not math.isnan(step.gain)]
labels: list[str | None] = [verdict.label for step in scores[0].steps for verdict in step.verdicts]
print(scores[0].ki, scores[0].metrics["infogain"], scores[0].missing, gains, labels)
base, tuned = load_runs(["base=scores/base", "tuned=scores/tuned"])
print([row.difference for one in compare_runs(base, tuned, Settings(alpha=0.01)).tasks for row in one.rows])
print(steps_df("logs").columns)


@task
def clips() -> Task:
    return Task(scorer=[match(numeric=True), reasoning(splitter="lines", metrics=["infogain_nats", "ki"])])


class ClipsTask(StepTask):
    VERSION = 1


def n_steps(chain: Chain) -> float:
    return len(chain.steps)


metric = ChainMetric("steps", n_steps, higher_is_better=None, unit="steps")
