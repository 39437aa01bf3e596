"""The Inspect scorers through Inspect's own `eval` and `score`: values, missing numbers, options, failures."""

from __future__ import annotations

import gc
import math
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from columns import GAINS, IN_PANEL

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, EvalScore
from inspect_ai.model import ChatMessageAssistant, ContentReasoning, ContentText, Model, ModelOutput, ModelUsage
from inspect_ai.model import get_model as inspect_model
from inspect_ai.scorer import Score, Scorer, accuracy, match, scorer, stderr
from rich.console import Console

from stepgauge.adapters.inspect import infogain, knowledge, reasoning
from stepgauge.adapters.inspect import shared_gauge as gauges
from stepgauge.adapters.inspect.explanation import fenced
from stepgauge.adapters.inspect.options import OptionError
from stepgauge.metrics import ChainScore, Gauge, ScorerError, StepScore, Trace
from stepgauge.metrics import columns as columns_of_tables

RIGHT = "First 2 * 3 = 6.\nThen 6 + 1 = 7.\nThe answer is 7."


class FakeGauge:
    """Stands in for the core: gains follow from the response's text, and each call is noted."""

    regrows = False

    def __init__(self, seconds: float = 0.0, refuse: str = "", broken: Exception | None = None, **_: Any) -> None:
        self.calls: list[list[Trace]] = []
        self.seconds = seconds
        self.refuse = refuse
        self.broken = broken
        self.closed = threading.Event()

    @property
    def backend(self) -> object:
        if self.broken:
            raise self.broken
        return self

    def metric_info(self) -> dict[str, object]:
        return dict(Gauge(scorer=None).metric_info())

    def preflight(self) -> None:
        pass

    def needs_scorer(self, traces: Iterable[Trace]) -> bool:
        return any(trace.answers for trace in traces)

    def statistics(self) -> None:
        return None

    def close(self) -> None:
        self.closed.set()

    def score(
        self, traces: Sequence[Trace], *, foreign_from: Iterable[Trace] = (), continuations: None = None
    ) -> list[ChainScore]:
        del foreign_from, continuations
        self.calls.append(list(traces))
        time.sleep(self.seconds)
        for trace in traces:
            if self.refuse and self.refuse in trace.response:
                raise RuntimeError(f"cannot take {self.refuse!r}")
        return [self._one(trace) for trace in traces]

    def _one(self, trace: Trace) -> ChainScore:
        lines = [line for line in trace.response.split("\n") if line.strip()]
        numbers: dict[str, float] = {
            "n_steps": float(len(lines)),
            "infogain": 0.5 if trace.answers else math.nan,
            "infogain_before_answer": 0.25 if trace.answers else math.nan,
            "infogain_nats": float(len(lines)) if trace.answers else math.nan,
            "infogain_nats_before_answer": float(len(lines) - 1) if trace.answers else math.nan,
            "leak_share": 1 / len(lines) if trace.answers else math.nan,
            "ki": 1.0 if "=" in trace.response else math.nan,
            "ki_coverage": sum("=" in line for line in lines) / len(lines),
        }
        gains = ("infogain", "infogain_before_answer", "infogain_nats", "infogain_nats_before_answer", "leak_share")
        missing = {**dict.fromkeys(gains, "no gold answer"), "ki": "no checkable step"}
        return ChainScore(
            id=trace.id,
            trace_hash=trace.hash,
            steps=[StepScore(line, 0, len(line), gain=1.0) for line in lines],
            log_likelihoods=[],
            n_answer_tokens=None,
            metrics=numbers,
            missing={name: why for name, why in missing.items() if math.isnan(numbers[name])},
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeGauge]:
    """`fake(...)` makes every scorer built after it use one FakeGauge."""

    def install(**options: Any) -> FakeGauge:
        gauge = FakeGauge(**options)
        shared = gauges.SharedGauge(gauge)  # type: ignore[arg-type]
        monkeypatch.setattr("stepgauge.adapters.inspect.chain_scoring.shared_gauge", lambda _: shared)
        return gauge

    return install


def output(content: Any) -> ModelOutput:
    out = ModelOutput.from_message(ChatMessageAssistant(content=content))
    out.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # without it, mockllm fetches a tokenizer
    return out


def says(*contents: Any) -> Model:
    """A model under test that gives these responses in turn."""
    return inspect_model("mockllm/model", custom_outputs=[output(content) for content in contents])


def run(
    tmp_path: Path, contents: Sequence[Any], scorers: Sequence[Scorer], targets: Sequence[Any] = (), **options: Any
) -> EvalLog:
    targets = targets or ["7"] * len(contents)
    task = Task(
        dataset=[Sample(id=i, input="What is 2 * 3 + 1?", target=target) for i, target in enumerate(targets)],
        scorer=list(scorers),
    )
    options = {"max_samples": 1, **options}  # one by one, so that responses go to samples in order
    (log,) = inspect_eval(task, model=says(*contents), log_dir=str(tmp_path), display="none", **options)
    return log


@pytest.mark.parametrize("others", [[], [match()]])
def test_inspects_panel_of_80_columns_cuts_no_name_and_no_number(tmp_path, fake, others):
    from inspect_ai._display.core.results import task_scores  # what lays out the panel; Inspect has no other door to it

    fake()
    log = run(tmp_path, [RIGHT], [*others, reasoning()])
    assert log.results is not None
    console = Console(width=80)
    with console.capture() as shown:
        console.print(*task_scores(log.results.scores), sep="\n")
    assert "…" not in shown.get()
    names = re.findall(r"[a-z_]{2,}", re.sub(r"\b(accuracy|mean|stderr)\b", "", shown.get()))
    assert names == [*(["match"] if others else []), *IN_PANEL]


def columns(log: EvalLog) -> dict[str, EvalScore]:
    assert log.results is not None
    return {column.name: column for column in log.results.scores}


def scores(log: EvalLog, name: str = "reasoning") -> list[Score]:
    assert log.samples is not None
    return [sample.scores[name] for sample in log.samples if sample.scores]


def mean_of(column: EvalScore) -> float:
    return column.metrics["mean"].value


def test_the_results_hold_a_column_per_metric_beside_accuracy(tmp_path: Path, fake: Callable[..., FakeGauge]) -> None:
    fake()
    log = run(tmp_path, [RIGHT, "1 + 1 = 2\nThe answer is 2."], [match(numeric=True), reasoning()])
    found = columns(log)
    assert list(found) == ["match", *IN_PANEL]
    assert found["match"].metrics["accuracy"].value == 0.5
    assert mean_of(found["infogain_nats"]) == pytest.approx((3 + 2) / 2)
    assert found["infogain_nats"].metrics["stderr"].value == pytest.approx(0.5)


def test_a_missing_number_is_left_out_of_its_columns_mean_and_counted_there_only(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake()
    log = run(tmp_path, [RIGHT, "no equation\nhere"], [reasoning()], targets=["7", "7"])
    found = columns(log)
    assert mean_of(found["ki"]) == 1.0
    assert (found["ki"].scored_samples, found["ki"].unscored_samples) == (1, 1)
    assert (found["infogain"].scored_samples, found["infogain"].unscored_samples) == (2, 0)
    missing = scores(log)[1]
    assert math.isnan(missing.as_dict()["ki"])  # type: ignore[arg-type]
    assert "no ki: no checkable step" in (missing.explanation or "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param([ContentReasoning(reasoning="gAA", redacted=True), ContentText(text="7")], "reasoning_redacted"),
        pytest.param("", "no_response"),
    ],
)
def test_a_sample_without_a_chain_is_unscored_and_counted_and_says_why(
    tmp_path: Path, fake: Callable[..., FakeGauge], content: Any, reason: str
) -> None:
    gauge = fake()
    log = run(tmp_path, [RIGHT, content], [reasoning()])
    unscored = scores(log)[1]
    assert isinstance(unscored.value, float)
    assert math.isnan(unscored.value)
    assert unscored.reason == reason
    assert "not scored" in (unscored.explanation or "")
    for column in columns(log).values():
        assert (column.scored_samples, column.unscored_samples) == (1, 1)
    assert sum(len(call) for call in gauge.calls) == 1, "what cannot be scored never reaches the core"


@pytest.mark.slow
def test_a_chain_of_which_no_asked_metric_can_be_computed_is_unscored_with_the_reason(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake()
    log = run(tmp_path, [RIGHT], [reasoning(metrics=["infogain"])], targets=[""])
    (score,) = scores(log)
    assert isinstance(score.value, float)
    assert math.isnan(score.value)
    assert "no infogain: no gold answer" in (score.explanation or "")


def test_the_metadata_restores_the_chain_score_with_steps_and_where_the_chain_was_read(tmp_path: Path) -> None:
    log = run(tmp_path, [RIGHT], [knowledge()])
    (score,) = scores(log, "knowledge")
    chain = ChainScore.from_dict(score.metadata or {})
    assert [step.text for step in chain.steps] == RIGHT.split("\n")
    assert chain.provenance["chain_source"] == "completion"
    assert score.answer == "7"


@pytest.mark.slow
def test_epochs_with_a_missing_number_are_reduced_over_the_others(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake()
    log = run(tmp_path, [RIGHT, "no equation", ""], [reasoning(metrics="all")], targets=["7"], epochs=3)
    found = columns(log)
    assert mean_of(found["ki"]) == 1.0
    assert mean_of(found["n_steps"]) == pytest.approx(2.0)


@pytest.mark.slow
def test_concurrent_samples_are_scored_in_few_calls(tmp_path: Path, fake: Callable[..., FakeGauge]) -> None:
    gauge = fake()
    log = run(tmp_path, [RIGHT] * 20, [reasoning()], max_samples=20, max_connections=20)
    assert log.status == "success"
    assert sum(len(call) for call in gauge.calls) == 20
    assert len(gauge.calls) <= 4


@pytest.mark.slow
def test_one_process_can_run_eval_twice_with_the_same_scorer(tmp_path: Path, fake: Callable[..., FakeGauge]) -> None:
    gauge = fake()
    same = reasoning()
    for _ in range(2):
        assert run(tmp_path, [RIGHT, RIGHT], [same]).status == "success"
    assert sum(len(call) for call in gauge.calls) == 4


def test_a_chain_the_core_fails_on_is_unscored_by_name_and_the_others_are_scored(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake(refuse="POISON")
    log = run(tmp_path, [RIGHT, "POISON = 1", RIGHT], [reasoning()], max_samples=3)
    assert log.status == "success"
    poisoned = [score for score in scores(log) if score.reason == "scoring_failed"]
    assert len(poisoned) == 1
    assert "RuntimeError: cannot take 'POISON'" in (poisoned[0].explanation or "")
    assert columns(log)["infogain"].scored_samples == 2


def test_a_scoring_model_that_cannot_be_loaded_ends_the_run_with_its_message(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake(broken=ScorerError("scorer 'nope/nope': no such model"))
    log = run(tmp_path, [RIGHT, RIGHT], [reasoning()])
    assert log.status == "error"
    assert log.error is not None
    assert "scorer 'nope/nope': no such model" in log.error.message


@pytest.mark.parametrize("action", ["append", "overwrite"])
def test_a_log_can_be_scored_later(tmp_path: Path, fake: Callable[..., FakeGauge], action: Any) -> None:
    fake()
    log = run(tmp_path, [RIGHT, "The answer is 7."], [match(numeric=True)])
    later = inspect_score(log, reasoning(), action=action, display="none")
    assert mean_of(columns(later)["infogain"]) == 0.5
    assert ("match" in columns(later)) == (action == "append")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            infogain,
            [*reversed(GAINS)],
        ),
        (knowledge, ["ki", "ki_coverage"]),
        (
            reasoning,
            [*IN_PANEL],
        ),
    ],
)
def test_each_scorer_has_its_default_metrics(
    tmp_path: Path, fake: Callable[..., FakeGauge], make: Callable[..., Scorer], expected: list[str]
) -> None:
    fake()
    assert list(columns(run(tmp_path, [RIGHT], [make()]))) == expected


@pytest.mark.parametrize("metrics", [["ki_coverage", "infogain"], ("ki_coverage", "infogain")])
def test_metrics_can_be_chosen(tmp_path: Path, fake: Callable[..., FakeGauge], metrics: Any) -> None:
    fake()
    log = run(tmp_path, [RIGHT], [reasoning(metrics=metrics)])
    assert set(columns(log)) == {"ki_coverage", "infogain"}
    assert list(scores(log)[0].as_dict()) == ["ki_coverage", "infogain"]


def test_metrics_of_plugins_are_added_to_the_ones_chosen(
    tmp_path: Path, fake: Callable[..., FakeGauge], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake()
    monkeypatch.delitem(columns_of_tables.METRICS, "n_steps")  # as if a plugin had brought it
    assert set(columns(run(tmp_path, [RIGHT], [reasoning(metrics="ki")]))) == {"ki", "n_steps"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"scorr": "x"}, r"stepgauge/knowledge.*'scorr'.*did you mean 'scorer'", id="unknown option"),
        pytest.param({"splitter": "lnes"}, r"stepgauge/knowledge.*'lnes'.*did you mean 'lines'", id="unknown splitter"),
        pytest.param({"judges": ["exakt"]}, r"'exakt'.*did you mean 'exact'", id="unknown judge"),
        pytest.param({"judges": "exakt"}, r"'exakt'.*did you mean 'exact'", id="a list option given as one name"),
        pytest.param({"variant": "papr"}, r"'papr'.*did you mean 'paper'", id="unknown variant"),
        pytest.param({"metrics": ["infogian"]}, r"option 'metrics'.*'infogian'.*'infogain'", id="unknown metric"),
        pytest.param({"epsilon": -1}, r"epsilon -1", id="number out of range"),
    ],
)
def test_a_wrong_option_is_one_error_that_names_it_and_the_nearest_valid_one(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        knowledge(**options)


def test_an_option_error_survives_inspects_loader_which_replaces_value_errors() -> None:
    with pytest.raises(OptionError) as raised:
        knowledge(splitter="[bold]x[/bold]")
    assert not isinstance(raised.value, ValueError)
    assert "[bold]x" in str(raised.value)
    assert r"\[bold]x" in str(raised.value.message), "Inspect prints the message through rich's markup"


def test_scorers_with_equal_options_share_one_gauge_and_others_do_not() -> None:
    plain = gauges.shared_gauge({"scorer": None})
    assert gauges.shared_gauge({"scorer": None}) is plain
    assert gauges.shared_gauge({"scorer": None, "epsilon": 0.05}) is plain, "naming a default changes nothing"
    assert gauges.shared_gauge({"scorer": None, "judges": ["exact"]}) is plain
    assert gauges.shared_gauge({"scorer": None, "splitter": "lines"}) is not plain


@pytest.mark.slow
def test_a_gauge_is_closed_when_the_last_scorer_that_uses_it_is_gone() -> None:
    gauge = FakeGauge()
    shared = gauges.SharedGauge(gauge)  # type: ignore[arg-type]
    reference = weakref.ref(shared)
    del shared
    gc.collect()
    assert reference() is None
    assert gauge.closed.is_set()


HOSTILE = [
    "```\n<script>alert(1)</script>",
    "`" * 50 + "\n</code><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m \u202e reversed \x00 \u2028 next",
    "~~~\n# heading | cell |\n| - |",
    "$\\frac{1}{2}$ [link](javascript:alert(1))",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_the_explanations_code_block(text: str) -> None:
    lines = fenced(text).split("\n")
    fence = lines[0].removesuffix("text")
    assert set(fence) == {"`"}
    assert len(fence) >= 3
    assert lines[-1] == fence
    assert not any(line.strip(" ").startswith(fence) for line in lines[1:-1])
    assert not any(char in "\n".join(lines) for char in "\x1b\x00\u202e\u2028\r")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_response_ends_up_inside_one_code_block(tmp_path: Path, text: str) -> None:
    log = run(tmp_path, [text], [knowledge()])
    (score,) = scores(log, "knowledge")
    lines = (score.explanation or "").split("\n")
    assert lines[0] == lines[-1] + "text"
    assert set(lines[-1]) == {"`"}
    assert not any(line.startswith(lines[-1]) for line in lines[1:-1])


@pytest.mark.slow
def test_a_chain_of_thousands_of_steps_is_cut_in_the_explanation_and_whole_in_the_metadata(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake()
    log = run(tmp_path, ["\n".join(f"{i} + 0 = {i}" for i in range(3000))], [reasoning()])
    (score,) = scores(log)
    assert len((score.explanation or "").split("\n")) < 300
    assert "the first 200 of 3000 steps" in (score.explanation or "")
    assert "n_steps 3000" in (score.explanation or "")
    assert len((score.metadata or {})["steps"]) == 3000


def test_a_step_of_a_hundred_thousand_characters_is_cut_in_the_explanation(
    tmp_path: Path, fake: Callable[..., FakeGauge]
) -> None:
    fake()
    log = run(tmp_path, ["x" * 100_000], [reasoning()])
    assert len(scores(log)[0].explanation or "") < 10_000


def test_our_scorers_stand_beside_any_other(tmp_path: Path, fake: Callable[..., FakeGauge]) -> None:
    @scorer(metrics=[accuracy(), stderr()], name="always")
    def always() -> Scorer:
        async def score(state: Any, target: Any) -> Score:
            del state, target
            return Score(value="C")

        return score

    fake()
    found = columns(run(tmp_path, [RIGHT], [infogain(), always(), knowledge()]))
    assert {"infogain", "always", "ki"} <= set(found)
