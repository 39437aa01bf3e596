"""What a user may write under `stepgauge:`, and what a mistake there says."""

from __future__ import annotations

import json

import pytest
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager
from scripted_lm import documents

from stepgauge.adapters.lm_eval import StepTask, include_path
from stepgauge.adapters.lm_eval.options import ENVIRONMENT, read_options

pytestmark = pytest.mark.usefixtures("shipped_tasks_once")


def config(**changes):
    return {
        "task": "sums",
        "custom_dataset": documents([{"question": "1 + 1?", "answer": "2"}]),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Q: {{question}}\nA:",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["Q:"]},
        **changes,
    }


@pytest.mark.parametrize(
    ("stepgauge", "said"),
    [
        ({"scorrer": "gpt2"}, ["task 'sums'", "unknown option 'scorrer'", "did you mean 'scorer'?"]),
        ({"splitter": "lnes"}, ["task 'sums'", "unknown splitter 'lnes'", "did you mean 'lines'?"]),
        ({"template": "plane"}, ["task 'sums'", "unknown template 'plane'", "did you mean 'plain'?"]),
        ({"variant": "papr"}, ["task 'sums'", "unknown variant 'papr'", "did you mean 'paper'?"]),
        ({"judges": "exact"}, ["task 'sums'", "judges 'exact'", "expected a list of names"]),
        ({"epsilon": -1}, ["task 'sums'", "epsilon -1", "0 or more"]),
        ({"metrics": ["infogian"]}, ["task 'sums'", "option 'metrics'", "unknown metric 'infogian'", "'infogain'?"]),
        ({"metrics": []}, ["task 'sums'", "option 'metrics' must be a list of metric names, got []"]),
        ({"metrics": 7}, ["task 'sums'", "option 'metrics' must be a list of metric names, got 7"]),
        ({"gold": ["72"]}, ["task 'sums'", "option 'gold' must be text, got ['72']"]),
        ({"gold": "{{anwser}}"}, ["task 'sums'", "option 'gold'", "'anwser' is undefined", "question, answer"]),
        ({"question": "{{question"}, ["task 'sums'", "option 'question'", "{{question"]),
        ("scorer: gpt2", ["task 'sums'", "must hold options by name, got 'scorer: gpt2'"]),
        ({"base": "gsm8k_cott"}, ["task 'sums'", "unknown task 'gsm8k_cott'", "did you mean 'gsm8k_cot'?"]),
        ({"base": "mmlu_flan_cot_zeroshot"}, ["task 'sums'", "'mmlu_flan_cot_zeroshot' is a group"]),
        ({"base": "squadv2"}, ["task 'sums'", "'squadv2' is the Python class", "reasoning("]),
    ],
)
def test_a_mistake_is_one_error_that_names_task_option_and_way_out(stepgauge, said):
    with pytest.raises((ValueError, TypeError)) as caught:
        StepTask(config=config(stepgauge=stepgauge))
    for part in said:
        assert part in str(caught.value)


def test_a_name_that_lm_eval_does_not_know_is_an_error_when_the_configuration_is_not_complete():
    with pytest.raises(ValueError, match=r"task 'gsm8k_cott' is not configured in full.*did you mean 'gsm8k_cot'\?"):
        StepTask(config={"task": "gsm8k_cott", "class": StepTask})


@pytest.mark.parametrize("name", ["reasoning"])
def test_a_pipeline_that_holds_the_scores_may_not_exist_already(name):
    filters = [{"name": name, "filter": [{"function": "take_first"}]}]
    with pytest.raises(ValueError, match="task 'sums': filter_list has a pipeline 'reasoning'"):
        StepTask(config=config(filter_list=filters))


def test_a_metric_of_the_task_with_the_name_of_ours_is_an_error():
    own = [{"metric": "ki", "aggregation": "mean", "higher_is_better": True}]
    process = {"process_results": lambda doc, results: {"ki": 1}}  # noqa: ARG005
    with pytest.raises(ValueError, match="task 'sums': metric_list already has ki"):
        StepTask(config=config(metric_list=own, **process))
    StepTask(config=config(metric_list=own, stepgauge={"metrics": ["infogain"]}, **process))


def test_sources_merge_from_environment_to_task_to_metadata(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, json.dumps({"scorer": "a", "splitter": "lines", "epsilon": 0.1}))
    given = {
        "stepgauge": {"scorer": "b", "metrics": "ki, n_steps"},
        "metadata": {"stepgauge": {"splitter": "sentences"}},
    }
    options = read_options("sums", given)
    assert options.gauge == {"scorer": "b", "splitter": "sentences", "epsilon": 0.1}
    assert options.metrics == ("ki", "n_steps")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{scorer: gpt2}", "environment variable STEPGAUGE_OPTIONS must hold a JSON object of options"),
        ('["scorer"]', "environment variable STEPGAUGE_OPTIONS must hold options by name"),
        ('{"devise": "cpu"}', "unknown option 'devise'; did you mean 'device'"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(monkeypatch, text, said):
    monkeypatch.setenv(ENVIRONMENT, text)
    with pytest.raises((ValueError, TypeError), match=ENVIRONMENT) as caught:
        read_options("sums", {})
    assert said in str(caught.value)


def test_metadata_of_one_run_reaches_the_task():
    manager = TaskManager(
        include_defaults=False, include_path=include_path(), metadata={"stepgauge": {"splitter": "sentences"}}
    )
    task = manager.load(["stepgauge_demo_arithmetic"])["tasks"]["stepgauge_demo_arithmetic"]
    assert task.dump_config()["stepgauge"]["splitter"] == "sentences"


def test_without_scorer_the_columns_are_those_that_need_none():
    task = StepTask(config=config(stepgauge={"scorer": None}))
    assert {"ki", "ki_coverage"} <= set(task.aggregation())
    assert "infogain" not in task.aggregation()


def test_the_reference_variant_adds_its_own_column():
    task = StepTask(config=config(stepgauge={"variant": "reference"}))
    assert {"infogain", "infogain_reference"} <= set(task.aggregation())


def test_arrows_of_the_tasks_own_metrics_stay():
    task, plain = StepTask(config=config()), ConfigurableTask(config=config())
    assert {name: task.higher_is_better()[name] for name in plain.higher_is_better()} == plain.higher_is_better()
    assert task.higher_is_better()["infogain"] is True
    assert task.higher_is_better()["n_unscored"] is False
    assert set(task.aggregation()) > set(plain.aggregation())
