"""Our scorer beside those of any task, without editing it: in Python, from the command line alone, in an eval set."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from columns import IN_PANEL

pytest.importorskip("inspect_ai")

from agent_turns import calls, model_that, says
from inspect_ai import Epochs, Task, eval_set, task, task_with
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import (
    Score,
    Scorer,
    Target,
    includes,
    match,
    max_score,
    mean,
    mean_score,
    median_score,
    mode_score,
    scorer,
    std,
)
from inspect_ai.solver import TaskState, basic_agent
from inspect_ai.util import registry_info
from inspect_ai.viewer import ScoreColorScale, TaskSamplesView, ViewerConfig

from stepgauge.adapters.inspect import reasoning, with_reasoning
from stepgauge.adapters.inspect.options import OptionError
from stepgauge.metrics import ChainScore
from stepgauge.tasks.inspect_tasks.with_reasoning import with_reasoning as registered

RESPONSE = "2 * 3 = 6\n6 + 1 = 7\nANSWER: 7"
COLUMNS = list(IN_PANEL)
NO_LM: Any = {"scorer": None}


def answers(*responses: str) -> Any:
    """A model under test that gives these responses in turn, the last one for ever."""
    left = list(responses)

    def respond(*_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", left.pop(0) if len(left) > 1 else left[0])
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/model", custom_outputs=respond)


def made(scorers: Any, **options: Any) -> Task:
    return Task(dataset=[Sample(id="s", input="What is 2 * 3 + 1?", target="7")], scorer=scorers, **options)


def run(of: Task, path: Path, *responses: str, **options: Any) -> EvalLog:
    (log,) = inspect_eval(of, model=answers(*(responses or (RESPONSE,))), log_dir=str(path), display="none", **options)
    assert log.status == "success", log.error
    return log


def columns(log: EvalLog) -> dict[str, dict[str, float]]:
    assert log.results is not None
    return {score.name: {name: one.value for name, one in score.metrics.items()} for score in log.results.scores}


@scorer(metrics={"a": [mean()], "b": [mean()]})
def two_keys() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        del state, target
        return Score(value={"a": 1, "b": 2})

    return score


@pytest.mark.parametrize(
    ("scorers", "own"),
    [
        pytest.param(lambda: match(numeric=True), ["match"], id="one scorer"),
        pytest.param(lambda: [match(numeric=True), includes()], ["match", "includes"], id="a list"),
        pytest.param(lambda: None, [], id="none"),
        pytest.param(lambda: two_keys(), ["a", "b"], id="one with a dict of values"),
        pytest.param(lambda: [match(numeric=True), reasoning(**NO_LM)], ["match"], id="ours already"),
    ],
)
def test_our_columns_follow_those_of_the_tasks_own_scorers(
    tmp_path: Path, scorers: Callable[[], Any], own: list[str]
) -> None:
    found = columns(run(with_reasoning(made(scorers()), **NO_LM), tmp_path))
    assert list(found) == [*own, *COLUMNS]


def test_metrics_that_a_task_sets_stay_on_its_own_scorers(tmp_path: Path) -> None:
    found = columns(run(with_reasoning(made(match(numeric=True), metrics=[std()]), **NO_LM), tmp_path))
    assert list(found["match"]) == ["std"]
    assert list(found["ki"]) == ["mean", "stderr"]


def test_a_task_that_is_passed_in_is_not_changed() -> None:
    task = made(match(numeric=True))
    before = list(task.scorer or [])
    wrapped = with_reasoning(task, **NO_LM)
    assert task.scorer == before
    assert wrapped is not task
    assert wrapped.dataset is task.dataset
    assert task_with(task, name="x") is task, "what with_reasoning() guards against: task_with() changes its task"


def test_our_columns_are_coloured_and_the_tasks_own_view_stays(tmp_path: Path) -> None:
    view = TaskSamplesView(name="mine", compact_scores=True, score_color_scales={"ki": "good-low", "grade": "neutral"})
    own = ViewerConfig(trust_content=False, task_samples_view=view)
    found = run(with_reasoning(made(match(numeric=True), viewer=own), **NO_LM), tmp_path).eval.viewer
    assert found is not None
    assert found.trust_content is False
    shown = found.task_samples_view
    assert isinstance(shown, TaskSamplesView)
    assert (shown.name, shown.compact_scores) == ("mine", True)
    scales = shown.score_color_scales or {}
    assert (scales["ki"], scales["grade"]) == ("good-low", "neutral")
    assert scales["infogain_nats"] == ScoreColorScale(palette="good-high")
    assert scales["ki_coverage"] == ScoreColorScale(palette="neutral", min=0, max=1)
    assert view.score_color_scales == {"ki": "good-low", "grade": "neutral"}


def test_options_reach_the_scorer(tmp_path: Path) -> None:
    log = run(with_reasoning(made(match(numeric=True)), splitter="sentences", metrics=["n_steps"], **NO_LM), tmp_path)
    assert list(columns(log)) == ["match", "n_steps"]
    (sample,) = log.samples or []
    chain = ChainScore.from_dict((sample.scores or {})["reasoning"].metadata or {})
    assert chain.provenance["splitter"] == "sentences"


@task
def counted(n: int = 1) -> Task:
    dataset = [Sample(input="What is 2 * 3 + 1?", target="7") for _ in range(n)]
    return Task(dataset=dataset, scorer=match(numeric=True))


@pytest.mark.slow
def test_a_task_function_is_called_with_its_arguments_and_the_log_names_it(tmp_path: Path) -> None:
    log = run(with_reasoning(counted, {"n": 3}, **NO_LM), tmp_path)
    assert (log.eval.task, log.eval.task_args) == ("counted", {"n": 3})
    assert len(log.samples or []) == 3


TASK_FILE = textwrap.dedent(
    """
    from inspect_ai import Task, task
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match

    def respond(*_):
        output = ModelOutput.from_content("mockllm/model", "2 * 3 = 6\\n6 + 1 = 7\\nANSWER: 7")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    @task
    def seven(n: int = 2) -> Task:
        return Task(
            dataset=[Sample(input="What is 2 * 3 + 1?", target="7") for _ in range(n)],
            scorer=match(numeric=True),
            model=get_model("mockllm/model", custom_outputs=respond),
        )

    @task
    def eight() -> Task:
        return seven()
    """
)


@pytest.mark.parametrize(
    ("what", "arguments", "message"),
    [
        pytest.param("stepgauge_demoo", {}, r"unknown task 'stepgauge_demoo'", id="no such name"),
        pytest.param("no_file.py", {}, r"unknown task 'no_file.py'", id="no such file"),
        pytest.param("my_tasks.py", {}, r"holds 2: name one of my_tasks.py@seven, my_tasks.py@eight", id="two tasks"),
        pytest.param(made(None), {"n": 1}, r"already made; give task_args=\{'n': 1\}", id="arguments too late"),
        pytest.param(lambda: 5, {}, r"function that returns a Task, got 5", id="a function of something else"),
    ],
)
def test_what_is_not_one_task_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Any, arguments: dict[str, Any], message: str
) -> None:
    (tmp_path / "my_tasks.py").write_text(TASK_FILE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=message):
        with_reasoning(what, arguments, **NO_LM)


def test_a_task_whose_epochs_are_collected_is_refused_before_anything_runs() -> None:
    with pytest.raises(OptionError, match="reduces epochs by 'collect'"):
        with_reasoning(made(match(numeric=True), epochs=Epochs(2, "collect")), **NO_LM)


def test_a_wrong_option_is_refused_before_the_task_is_made() -> None:
    def never() -> Task:
        raise AssertionError("made")

    with pytest.raises(OptionError, match=r"'spliter'.*did you mean 'splitter'"):
        with_reasoning(never, **{"spliter": "lines"})  # type: ignore[arg-type]


@pytest.mark.slow
def test_in_an_eval_set_tasks_keep_their_names_and_a_second_run_finds_them_done(tmp_path: Path) -> None:
    def tasks() -> list[Task]:
        return [with_reasoning(counted, {"n": n}, **NO_LM) for n in (1, 2)]

    for _ in range(2):
        done, logs = eval_set(tasks(), log_dir=str(tmp_path), model=answers(RESPONSE), display="none", retry_attempts=0)
        assert done
        assert sorted(len(read_eval_log(log.location).samples or []) for log in logs) == [1, 2]
        assert {log.eval.task for log in logs} == {"counted"}
        assert all({"match", "ki"} <= set(columns(log)) for log in logs)
    assert len(list(tmp_path.glob("*.eval"))) == 2


def test_what_an_agent_learns_between_attempts_comes_from_the_tasks_own_scorer(tmp_path: Path) -> None:
    of = with_reasoning(made(match(numeric=True), solver=basic_agent(max_attempts=3)), **NO_LM)
    outputs = [calls("2 * 3 = 6", "submit", answer="6"), calls("6 + 1 = 7", "submit", answer="7"), says("never")]
    (log,) = inspect_eval(of, model=model_that(outputs), log_dir=str(tmp_path), display="none")
    assert columns(log)["match"]["accuracy"] == 1.0
    (sample,) = log.samples or []
    assert sum(message.role == "assistant" for message in sample.messages) == 2


@pytest.mark.parametrize(
    ("reducer", "ki", "coverage"),
    [
        pytest.param(mean_score(), 0.5, 7 / 18, id="mean"),
        pytest.param(median_score(), 0.5, 0.5, id="median"),
        pytest.param(max_score(), 1.0, 2 / 3, id="max"),
        pytest.param(mode_score(), 1.0, 2 / 3, id="mode"),
    ],
)
def test_epochs_are_scored_each_and_a_missing_number_is_left_out_of_the_reduced_one(
    tmp_path: Path, reducer: Any, ki: float, coverage: float
) -> None:
    responses = [RESPONSE, "2 * 3 = 5\nANSWER: 7", "just seven", ""]  # ki 1, 0, none checkable, nothing to score
    of = made(match(numeric=True), epochs=Epochs(4, reducer))
    log = run(with_reasoning(of, splitter="lines", **NO_LM), tmp_path, *responses, max_connections=1, max_samples=1)
    found = columns(log)
    assert found["ki"]["mean"] == ki
    assert found["ki_coverage"]["mean"] == pytest.approx(coverage)
    assert [score.scored_samples for score in log.results.scores if score.name == "ki"] == [1]  # type: ignore[union-attr]
    ids = [(sample.scores or {})["reasoning"].metadata for sample in log.samples or []]
    assert [one and one["id"] for one in ids] == ["s", "s, epoch 2", "s, epoch 3", None]


def test_where_a_number_is_missing_in_every_epoch_the_sample_counts_as_unscored(tmp_path: Path) -> None:
    of = made(match(numeric=True), epochs=2)
    log = run(with_reasoning(of, splitter="lines", **NO_LM), tmp_path, "just seven", "only seven", max_samples=1)
    assert log.results is not None
    (ki,) = [score for score in log.results.scores if score.name == "ki"]
    assert (ki.scored_samples, ki.unscored_samples) == (0, 1)


def test_the_registered_task_wraps_another_by_its_name_and_the_log_names_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_tasks.py").write_text(TASK_FILE)
    monkeypatch.chdir(tmp_path)
    arguments = {"task": "my_tasks.py@seven", "task_args": {"n": 3}, "scorer": None, "splitter": "lines"}
    (log,) = inspect_eval(registry_info(registered).name, task_args=arguments, log_dir="logs", display="none")
    assert (log.eval.task, log.eval.task_args) == ("seven", arguments)
    assert list(columns(log)) == ["match", *COLUMNS]
    assert log.results is not None
    assert log.results.total_samples == 3
