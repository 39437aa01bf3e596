"""The filter route: `filter_list` and `metric_list` alone, and what stands in samples and aggregates."""

from __future__ import annotations

import json
import math
import pickle
import textwrap
from importlib.metadata import entry_points

import pytest
from columns import lm_eval_table
from lm_eval.api.registry import get_aggregation, get_filter, get_metric
from lm_eval.utils import make_table
from scripted_lm import ScriptedLM, evaluate, rows

from stepgauge.adapters.lm_eval import ReasoningFilter, ReasoningRecord, stepgauge
from stepgauge.adapters.lm_eval.aggregate import nan_mean, nan_stderr
from stepgauge.adapters.lm_eval.records import record, unscored
from stepgauge.metrics import ChainScore, Gauge, Trace

DOCS = [{"question": "Ana has 5 coins and finds 7. How many has she?", "answer": "12"}]
CHAIN = "She has 5 + 7 = 12 coins.\nThe answer is 12."


def test_a_yaml_without_our_task_class_shows_the_scores(tmp_path, tiny_scorer):
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in DOCS))
    (tmp_path / "coins.yaml").write_text(
        textwrap.dedent(
            f"""\
            task: coins
            dataset_path: json
            dataset_kwargs:
              data_files: {{test: {tmp_path / "docs.jsonl"}}}
              cache_dir: {tmp_path / "cache"}
            test_split: test
            output_type: generate_until
            doc_to_text: "Q: {{{{question}}}}\\nA:"
            doc_to_target: answer
            generation_kwargs: {{until: ["Q:"]}}
            filter_list:
              - name: strict-match
                filter:
                  - {{function: regex, regex_pattern: "The answer is (\\\\d+)"}}
                  - {{function: take_first}}
              - name: reasoning
                filter:
                  - function: !function stepgauge.adapters.lm_eval.ReasoningFilter
                    question: "Q: {{{{question}}}}"
                    gold: answer
                    scorer: {tiny_scorer}
                    splitter: lines
            metric_list:
              - metric: exact_match
                aggregation: mean
                higher_is_better: true
              - metric: !function stepgauge.adapters.lm_eval.stepgauge
                aggregation: !function stepgauge.adapters.lm_eval.nan_mean
                higher_is_better: true
            """
        )
    )
    results = evaluate(ScriptedLM({"": [CHAIN]}), "coins", include_path=str(tmp_path))
    shown = make_table(results)
    print(shown)
    got = rows(results, "coins", "reasoning")
    [expected] = Gauge(tiny_scorer, splitter="lines").score([Trace(f"Q: {DOCS[0]['question']}", CHAIN, "12")])
    assert got["infogain"] == pytest.approx(expected.infogain, abs=1e-4)
    assert got["ki_coverage"] == expected.ki_coverage
    assert lm_eval_table(shown)["coins"]["reasoning"]["infogain"] == pytest.approx(expected.infogain, abs=1e-4)
    assert rows(results, "coins", "strict-match")["exact_match"] == 1
    assert "infogain" not in rows(results, "coins", "strict-match")


def test_names_resolve_in_lm_evals_registries():
    assert get_filter("stepgauge") is ReasoningFilter
    assert get_metric("stepgauge") is stepgauge
    assert get_aggregation("stepgauge_nan_mean") is nan_mean


@pytest.mark.parametrize("group", ["lm_eval.filters", "lm_eval.metrics", "lm_eval.aggregations"])
def test_entry_points_name_the_object_that_the_decorator_registers(group):
    points = [point for point in entry_points(group=group) if point.value.startswith("stepgauge.")]
    assert points
    for point in points:
        found = point.load()
        # lm-eval reconciles entry point and decorator by this equality.
        assert point.value == f"{found.__module__}:{found.__name__}"
        getter = {"filters": get_filter, "metrics": get_metric, "aggregations": get_aggregation}[group.split(".")[1]]
        assert getter(point.name) is found


@pytest.mark.parametrize("left_out", ["question", "gold"])
def test_a_filter_without_templates_says_which_it_needs(left_out):
    options = {"question": "question", "gold": "answer"}
    del options[left_out]
    with pytest.raises(ValueError, match=f"option '{left_out}' is required"):
        ReasoningFilter(**options)


def test_a_filters_unknown_option_is_an_error():
    with pytest.raises(ValueError, match="unknown option 'goldd'; did you mean 'gold'"):
        ReasoningFilter(question="question", goldd="answer")


@pytest.mark.parametrize(
    ("values", "mean", "stderr"),
    [
        ([1.0, 3.0], 2.0, 1.0),
        ([1.0, math.nan, 3.0], 2.0, 1.0),
        ([5, None], 5.0, "N/A"),
        ([math.nan], math.nan, "N/A"),
        ([], math.nan, "N/A"),
    ],
)
def test_aggregates_leave_missing_numbers_out(values, mean, stderr):
    assert nan_mean(values) == pytest.approx(mean, nan_ok=True)
    assert nan_stderr(values) == stderr


def test_a_record_is_text_that_survives_pickle_and_json_and_holds_no_nan():
    made = record([unscored(["infogain", "ki"], "no gold answer", "t/0")])
    assert isinstance(made, str)
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is ReasoningRecord
    assert again == made
    assert "NaN" not in made
    assert math.isnan(made.numbers(["infogain"])["infogain"])
    assert ChainScore.from_dict(made.chains[0]).missing == {"infogain": "no gold answer", "ki": "no gold answer"}
