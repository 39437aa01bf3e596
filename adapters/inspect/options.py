"""The options of our Inspect scorers (`-S name=value`), and one clear error for a wrong one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from inspect_ai._util.error import PrerequisiteError
from rich.markup import escape

from ...metrics.errors import StepgaugeError
from ...metrics.knowledge.components import Part
from ...metrics.names import unknown_name


class Options(TypedDict, total=False):
    """What `infogain`, `knowledge`, `reliance` and `reasoning` accept; see `stepgauge.metrics.Gauge` for the values.

    Attributes:
        metrics: names of the metrics to report, in order, or `all`; plugins' metrics are added to them.
        scorer: the scoring LM (hub id, local folder, `smollm2`), or None to compute no likelihoods.
        device, dtype, quantization, token_budget, backend, revision, trust_remote_code: how the scoring LM is loaded
            and run.
        base_url, server: the server that runs it, for the backends `vllm` and `sglang`.
        allow_overlap: score questions that had a part in fitting the scoring LM, too.
        splitter: how a response is cut into steps.
        template: how question, steps and answer are put to the scoring LM.
        variant: which definition of InfoGain is computed.
        controls: texts put in the place of each chain's steps: `filler`, `foreign`, `shuffled` (docs/controls.md).
        target: the answer toward which numbers are measured: `gold`, or `own`, the one that the chain itself gives.
        reliance: also measure whether the chain's own answer depends on its steps (docs/reliance.md).
        regrow: behind how many steps of each chain, put wrong, the model under test writes the rest anew; or `all`.
            Whether its answer stays is shown in columns of their own. Two generations a step.
        judges, claims, retriever, corpus: how steps' claims are found and checked. `model` is a judge here, too: an
            Inspect model, by default the one in the role `grader` (see `model_judge.make`).
        policy: how verdicts count towards the Knowledge Index.
        preset, endpoint: options that belong together, and the server that their language model runs on.
        epsilon: gains within ± this many nats count as neither informative nor regressive.
        turns: `all` assistant turns after the sample's input are the chain, or those after the `last` user message.
    """

    metrics: Sequence[str] | str | None
    scorer: str | None
    device: str | Sequence[str]
    dtype: str
    quantization: str | None
    token_budget: int | str
    backend: str
    base_url: str | None
    server: Mapping[str, Any] | None
    splitter: str | Mapping[str, Any]
    template: str
    variant: str
    controls: Sequence[str] | str
    target: str
    reliance: bool
    regrow: int | str
    judges: Sequence[Part] | str
    claims: Sequence[str] | str
    retriever: Part | None
    corpus: str | None
    policy: str
    preset: str | None
    endpoint: Mapping[str, Any] | None
    epsilon: float
    revision: str | None
    trust_remote_code: bool
    allow_overlap: bool
    turns: str


class OptionError(StepgaugeError, PrerequisiteError):
    """A wrong option. Inspect prints it as one line, without a traceback.

    It is no ValueError: Inspect's loader replaces those, when a scorer is made by name, by advice to name a file.
    """

    def __init__(self, message: str) -> None:
        super().__init__(escape(message))
        self.text = message

    def __str__(self) -> str:
        return self.text


LISTS = ("metrics", "controls", "judges", "claims")


def check_names(scorer_name: str, given: dict[str, Any]) -> None:
    """Raise OptionError for the first name that is not in `Options`."""
    for name in given:
        if name not in Options.__annotations__:
            problem = unknown_name("option", name, Options.__annotations__)
            raise OptionError(f"stepgauge/{scorer_name}: {problem}")


def as_list(value: Sequence[Part] | Part | None) -> tuple[Part, ...]:
    """`-S metrics=ki` gives a text, `-S metrics=ki,infogain` a list; a judge may be a mapping of its options."""
    return () if value is None else (value,) if isinstance(value, str | Mapping) else tuple(value)
