"""`StepTask` inside lm-eval's own evaluator, with a scripted model and SmolLM2 as the scoring LM."""

from __future__ import annotations

import json
import logging
import math
import pickle
import statistics
import textwrap

import pytest
from columns import GAINS, REASONING, assert_numbers, lm_eval_table
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table
from scripted_lm import ScriptedLM, documents, evaluate, rows
from tiny_scorers import make_scorer

from stepgauge.adapters.lm_eval import StepTask, include_path, reasoning
from stepgauge.metrics import ChainScore, Gauge, ScorerError, Trace

APPLES = {"question": "Tom has 3 bags of 4 apples and eats 2. How many are left?", "answer": "3*4=12, less 2\n#### 10"}
COINS = {"question": "Ana has 5 coins and finds 7. How many has she?", "answer": "5+7\n#### 12"}
CHAINS = {
    APPLES["question"]: ["The bags hold 3 * 4 = 12 apples.\nHe keeps 12 - 2 = 10.\nThe answer is 10."],
    COINS["question"]: ["She has 5 + 7 = 13 coins.\nThe answer is 13."],
}
COLUMNS = list(REASONING)


def config(docs=(APPLES, COINS), **changes):
    return {
        "task": "sums",
        "class": StepTask,
        "custom_dataset": documents(list(docs)),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Q: {{question}}\nA:",
        "doc_to_target": "{{answer.split('####')[-1].strip()}}",
        "generation_kwargs": {"until": ["Q:"]},
        "filter_list": [
            {
                "name": "strict-match",
                "filter": [
                    {"function": "regex", "regex_pattern": r"The answer is (\d+)"},
                    {"function": "take_first"},
                ],
            },
            {
                "name": "flexible-extract",
                "filter": [
                    {"function": "regex", "group_select": -1, "regex_pattern": r"(\d+)"},
                    {"function": "take_first"},
                ],
            },
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        **changes,
    }


def plain(given):
    return {name: value for name, value in given.items() if name not in ("class", "stepgauge")}


def samples(results, task="sums"):
    return [sample for sample in results["samples"][task] if sample["filter"] == "reasoning"]


@pytest.fixture(scope="module")
def results():
    return evaluate(ScriptedLM(CHAINS), config())


def test_scores_stand_beside_an_accuracy_that_is_what_it_was_without_them(results):
    before = evaluate(ScriptedLM(CHAINS), plain(config()))
    for pipeline in ("strict-match", "flexible-extract"):
        assert rows(results, "sums", pipeline) == rows(before, "sums", pipeline)
    assert rows(results, "sums", "strict-match")["exact_match"] == 0.5
    shown = make_table(results)
    print(shown)
    table = lm_eval_table(shown)["sums"]
    assert set(table) == {"strict-match", "flexible-extract", "reasoning"}
    assert_numbers(table["strict-match"] | table["reasoning"], ["exact_match", *COLUMNS, "n_unscored"])


def test_numbers_are_those_of_the_core_on_the_same_chains(results):
    traces = [
        Trace(f"Q: {doc['question']}", CHAINS[doc["question"]][0], answer)
        for doc, answer in ((APPLES, "10"), (COINS, "12"))
    ]
    scores = Gauge().score(traces)
    got = rows(results, "sums", "reasoning")
    for name in COLUMNS:
        values = [score.metrics[name] for score in scores if name not in score.missing]
        assert got[name] == pytest.approx(statistics.mean(values), abs=1e-4), name
        if len(values) < 2:
            assert got[f"{name}_stderr"] == "N/A", name
            continue
        assert got[f"{name}_stderr"] == pytest.approx(statistics.stdev(values) / math.sqrt(2), abs=1e-4), name
    assert not [name for score in scores for name in score.missing if name in COLUMNS]
    assert got["ki"] == 0.5  # 3 * 4 = 12 and 12 - 2 = 10 hold, 5 + 7 = 13 does not
    assert got["n_unscored"] == 0


def test_each_sample_holds_its_chain_step_by_step(results):
    first, second = samples(results)
    [text] = first["filtered_resps"]
    written = json.loads(str(text))
    [chain] = written["chains"]
    score = ChainScore.from_dict(chain)
    assert [step.text for step in score.steps][:2] == ["The bags hold 3 * 4 = 12 apples.", "He keeps 12 - 2 = 10."]
    assert score.id == "sums/0"
    assert first["infogain"] == written["metrics"]["infogain"] == score.infogain
    assert "smollm2" in chain["provenance"]["scorer"].lower()
    assert second["ki"] == 0.0
    assert set(first["metrics"]) == {"n_unscored", *COLUMNS, *(f"{name}_stderr" for name in COLUMNS)}
    assert pickle.loads(pickle.dumps(text)) == text


def test_missing_numbers_are_left_out_of_the_mean_counted_and_explained(caplog):
    no_gold = {"question": "What is missing here, 2 + 2 = ?", "answer": "thinking\n#### "}
    script = {**CHAINS, no_gold["question"]: ["I see that 2 + 2 = 4."]}
    with caplog.at_level(logging.INFO, logger="lm_eval.stepgauge"):
        logging.getLogger("lm_eval").propagate = True
        results = evaluate(ScriptedLM(script), config([APPLES, no_gold]))
    messages = [record.message for record in caplog.records]
    got = rows(results, "sums", "reasoning")
    alone = rows(evaluate(ScriptedLM(CHAINS), config([APPLES])), "sums", "reasoning")
    assert got["n_unscored"] == 1
    assert got["infogain"] == pytest.approx(alone["infogain"], abs=1e-4)
    assert got["infogain_stderr"] == "N/A"
    assert got["ki"] == 1.0  # knowledge needs no gold answer
    _, unscored = samples(results)
    assert math.isnan(unscored["infogain"])
    assert "n_unscored" in unscored["metrics"]
    [line] = [message for message in messages if message.startswith("[sums] infogain of")]
    missing = ", ".join(GAINS)
    why = f"{missing} missing 1: 1 x no gold answer in the document"
    assert line == f"[sums] infogain of 1 of 2 chains | {why} | ki: arithmetic only"


def test_a_task_without_any_scored_chain_shows_nan_and_not_zero():
    results = evaluate(ScriptedLM({"": [""]}), config())
    got = rows(results, "sums", "reasoning")
    assert math.isnan(got["infogain"])
    assert math.isnan(got["ki"])
    assert got["n_unscored"] == 2
    assert "nan" in make_table(results).lower()


@pytest.mark.parametrize("response", [None, 7, ["a", "b"]])
def test_a_response_that_is_not_text_costs_its_own_document_only(response):
    docs = [APPLES, COINS]
    script = {**CHAINS, COINS["question"]: [response]}
    task = config(
        docs,
        filter_list=[{"name": "none", "filter": [{"function": "take_first"}]}],
        metric_list=[{"metric": "bypass", "aggregation": "bypass", "higher_is_better": True}],
    )
    results = evaluate(ScriptedLM(script), task)
    assert rows(results, "sums", "reasoning")["n_unscored"] == 1
    [chain] = json.loads(samples(results)[1]["filtered_resps"][0])["chains"]
    assert chain["missing"]["infogain"] == f"the model's response is {type(response).__name__}, not text"


def test_the_results_file_names_the_options_and_the_chain_names_the_scorer(tiny_scorer):
    options = {"scorer": tiny_scorer, "splitter": "lines", "metrics": ["infogain_bits"]}
    results = evaluate(ScriptedLM(CHAINS), config(stepgauge=options))
    assert results["configs"]["sums"]["stepgauge"] == options
    json.dumps(results["configs"]["sums"], default=str)
    got = rows(results, "sums", "reasoning")
    assert_numbers(got, ("infogain_bits", "infogain_bits_stderr", "n_unscored"))
    assert "n_steps" not in got
    [chain] = json.loads(samples(results)[0]["filtered_resps"][0])["chains"]
    assert chain["provenance"]["splitter"] == "lines"
    assert chain["provenance"]["scorer"] == tiny_scorer


def test_scoring_that_fails_keeps_accuracy_and_says_what_happened(tmp_path, tokenizers):
    folder = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    (folder / "model.safetensors").write_bytes(b"broken")
    results = evaluate(ScriptedLM(CHAINS), config(stepgauge={"scorer": str(folder)}))
    assert rows(results, "sums", "strict-match")["exact_match"] == 0.5
    got = rows(results, "sums", "reasoning")
    assert got["n_unscored"] == 2
    [chain] = json.loads(samples(results)[0]["filtered_resps"][0])["chains"]
    assert chain["missing"]["infogain"].startswith("scoring failed: ScorerError: ")


def test_scorer_that_is_not_there_is_refused_before_anything_is_generated():
    model = ScriptedLM({})  # which has an answer to nothing: a question asked of it would raise
    with pytest.raises(ScorerError, match="task 'sums', stepgauge options: scorer '/nowhere': no such folder"):
        evaluate(model, config(stepgauge={"scorer": "/nowhere"}))


def test_every_repeat_is_scored_averaged_and_its_spread_kept(tiny_scorer):
    script = {
        APPLES["question"]: ["3 * 4 = 12.\nThe answer is 10.", "3 * 4 = 13.\nThen 13 - 2 = 11.\nThe answer is 11."]
    }
    results = evaluate(
        ScriptedLM(script), config([APPLES], repeats=2, stepgauge={"scorer": tiny_scorer, "splitter": "lines"})
    )
    [sample] = samples(results)
    written = json.loads(sample["filtered_resps"][0])
    scores = [ChainScore.from_dict(chain) for chain in written["chains"]]
    assert [score.id for score in scores] == ["sums/0#0", "sums/0#1"]
    assert sample["infogain"] == pytest.approx(statistics.mean(score.infogain for score in scores))
    assert written["spread"]["ki"] == pytest.approx(statistics.stdev([1.0, 0.5]))
    assert [score.ki for score in scores] == [1.0, 0.5]


def test_the_response_that_pads_a_rank_is_not_scored(tiny_scorer):
    task = config(stepgauge={"scorer": tiny_scorer})
    single = evaluate(ScriptedLM(CHAINS), task)
    lm = ScriptedLM(CHAINS, world_size=2, longer_by=3)
    padded = evaluate(lm, task)
    assert lm.n_requests == 1 + 3  # rank 0 of 2 answers one of the two documents, and the padding
    [sample] = samples(padded)
    assert len(json.loads(sample["filtered_resps"][0])["chains"]) == 1
    assert len(sample["resps"][0]) == 4
    assert sample["infogain"] == pytest.approx(samples(single)[0]["infogain"], abs=1e-4)


def test_predict_only_scores_nothing():
    results = evaluate(ScriptedLM(CHAINS), config(stepgauge={"scorer": "/nowhere"}), predict_only=True)
    assert {sample["filter"] for sample in results["samples"]["sums"]} == {"strict-match", "flexible-extract"}
    assert {name.split(",")[0] for name in results["results"]["sums"]} >= {"bypass"}
    assert not rows(results, "sums", "reasoning")


def test_a_task_that_generates_nothing_is_left_alone_and_said_so(caplog):
    task = config(
        [{"question": "Is it?", "answer": 0}],
        output_type="multiple_choice",
        doc_to_choice=["no", "yes"],
        doc_to_target="answer",
        metric_list=None,
        filter_list=None,
        generation_kwargs=None,
    )
    with caplog.at_level(logging.WARNING, logger="lm_eval.stepgauge"):
        logging.getLogger("lm_eval").propagate = True
        results = evaluate(ScriptedLM({}), task)
    assert set(rows(results, "sums", "none")) >= {"acc", "acc_norm"}
    assert not rows(results, "sums", "reasoning")
    assert "output type is multiple_choice: the model writes no chain of thought" in caplog.text


def test_multiple_choice_letters_are_scored_as_the_option_they_stand_for(tiny_scorer):
    doc = {"question": "Which metal does haemoglobin need?", "choices": ["Zinc", "Iron", "Lead"], "answer": "B"}
    options = {"scorer": tiny_scorer, "metrics": ["entropy_drop_bits", "infogain_nats"]}
    task = config([doc], doc_to_target="answer", stepgauge=options)
    results = evaluate(ScriptedLM({"": ["Haemoglobin carries oxygen on iron.\nThe answer is B."]}), task)
    got = rows(results, "sums", "reasoning")
    [chain] = json.loads(samples(results)[0]["filtered_resps"][0])["chains"]
    expected = Gauge(tiny_scorer).score(
        [Trace("Q: Which metal does haemoglobin need?", samples(results)[0]["resps"][0][0], "Iron", doc["choices"])]
    )[0]
    assert got["infogain_nats"] == pytest.approx(expected.infogain_nats, abs=1e-4)
    assert got["entropy_drop_bits"] == pytest.approx(expected.metrics["entropy_drop_bits"], abs=1e-4)
    assert 0 < chain["steps"][0]["gold_probability"] < 1


def judge(doc, results):
    """As minerva_math does it: the task brings its own `process_results`."""
    return {"exact_match": int(doc["answer"] in results[0]), "length": len(results[0])}


def test_a_task_with_process_results_of_its_own_keeps_them(tiny_scorer):
    doc = {"question": "What is 1/2 + 1/3?", "answer": "\\frac{5}{6}"}
    task = config(
        [doc],
        doc_to_target="answer",
        process_results=judge,
        stepgauge={"scorer": tiny_scorer},
        filter_list=None,
        metric_list=[
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True},
            {"metric": "length", "aggregation": "mean", "higher_is_better": False},
        ],
    )
    results = evaluate(
        ScriptedLM({"": ["So \\frac{3}{6} + \\frac{2}{6} = \\frac{5}{6}.\nThe answer is \\frac{5}{6}."]}), task
    )
    assert rows(results, "sums", "none")["exact_match"] == 1
    assert rows(results, "sums", "none")["length"] > 10
    assert not math.isnan(rows(results, "sums", "reasoning")["infogain"])


class Shouting(ConfigurableTask):
    """A task class of a user's own, with its own constructor and metric."""

    def __init__(self, config=None):
        super().__init__(config={**(config or {}), "fewshot_delimiter": "\n"})

    def process_results(self, doc, results):
        return {"shouts": int(str(results[0]).isupper() and doc["answer"] is not None)}

    def aggregation(self):
        return {"shouts": max}

    def higher_is_better(self):
        return {"shouts": False}


def test_a_task_class_of_its_own_is_wrapped_by_reasoning(tiny_scorer):
    wrapped = reasoning(Shouting)
    assert issubclass(wrapped, Shouting)
    assert reasoning(Shouting) is wrapped
    task = config([COINS], stepgauge={"scorer": tiny_scorer}, **{"class": wrapped})
    results = evaluate(ScriptedLM({"": ["SO IT IS 5 + 7 = 12.\nTHE ANSWER IS 12."]}), task)
    assert rows(results, "sums", "flexible-extract")["shouts"] == 0  # "12" is not upper case
    assert "exact_match" not in rows(results, "sums", "flexible-extract")
    assert rows(results, "sums", "reasoning")["ki"] == 1.0


def write_jsonl(path, docs):
    path.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    return str(path)


def test_one_line_in_a_yaml_is_enough_also_for_the_members_of_a_group(tmp_path, tiny_scorer):
    data = write_jsonl(tmp_path / "docs.jsonl", [APPLES, COINS])
    template = textwrap.dedent(
        f"""\
        task: sums_{{n}}
        class: !function stepgauge.adapters.lm_eval.StepTask
        stepgauge: {{{{scorer: {tiny_scorer}, metrics: [infogain_nats, n_steps]}}}}
        dataset_path: json
        dataset_kwargs: {{{{data_files: {{{{test: {data}}}}}, cache_dir: {tmp_path / "cache"}}}}}
        test_split: test
        output_type: generate_until
        doc_to_text: "Q: {{{{{{{{question}}}}}}}}\\nA:"
        doc_to_target: "{{{{{{{{answer}}}}}}}}"
        generation_kwargs: {{{{until: ["Q:"]}}}}
        """
    )
    for n in (1, 2):
        (tmp_path / f"sums_{n}.yaml").write_text(template.format(n=n))
    (tmp_path / "group.yaml").write_text(
        "group: all_sums\n"
        f"task: [sums_1, {{task: sums_2, stepgauge: {{scorer: {tiny_scorer}, splitter: lines, "
        "metrics: [infogain_nats, n_steps]}}]\n"
        "aggregate_metric_list: [{metric: infogain_nats, filter_list: reasoning}]\n"
    )
    results = evaluate(ScriptedLM(CHAINS), "all_sums", include_path=str(tmp_path))
    print(make_table(results))
    one, two = (rows(results, f"sums_{n}", "reasoning") for n in (1, 2))
    group = results["groups"]["all_sums"]
    assert group["infogain_nats,reasoning"] == pytest.approx((one["infogain_nats"] + two["infogain_nats"]) / 2)
    assert group["infogain_nats_stderr,reasoning"] > 0


@pytest.mark.usefixtures("shipped_tasks_once")
def test_simple_evaluate_takes_a_registered_task_by_name_and_keeps_what_its_yaml_says(
    tmp_path, shared_data, tiny_scorer
):
    results = evaluate(
        ScriptedLM({"": ["Some 2 * 9 = 18 dollars.\nThe answer is 18."]}),
        {
            "task": "gsm8k_cot",
            "class": StepTask,
            "stepgauge": {"scorer": tiny_scorer},
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {
                "data_files": {"test": str(shared_data / "gsm8k/test.jsonl")},
                "cache_dir": str(tmp_path),
            },
        },
        limit=2,
    )
    assert rows(results, "gsm8k_cot", "strict-match")["exact_match"] == 0.5
    assert rows(results, "gsm8k_cot", "flexible-extract")["exact_match"] == 0.5
    assert rows(results, "gsm8k_cot", "reasoning")["n_unscored"] == 0
    assert results["n-shot"]["gsm8k_cot"] == 8
    assert results["versions"]["gsm8k_cot"] == 3.0


@pytest.mark.usefixtures("shipped_tasks_once")
def test_gsm8k_stepgauge_is_lm_evals_gsm8k_cot(tmp_path, shared_data):
    (tmp_path / "local.yaml").write_text(
        textwrap.dedent(
            f"""\
            include: {include_path()}/gsm8k_stepgauge.yaml
            task: gsm8k_local
            dataset_path: json
            dataset_name: null
            dataset_kwargs:
              data_files: {{test: {shared_data / "gsm8k/test.jsonl"}}}
              cache_dir: {tmp_path / "cache"}
            """
        )
    )
    no_scorer = {"scorer": None}  # only what is asked counts here
    manager = TaskManager(include_path=[include_path(), str(tmp_path)], metadata={"stepgauge": no_scorer})
    assert "gsm8k_stepgauge" in manager.all_subtasks
    assert "gsm8k_stepgauge" not in manager.task_index["chain_of_thought"].tags
    lm = ScriptedLM({"": ["Some 2 * 9 = 18 dollars.\nThe answer is 18."]})
    results = evaluate(lm, "gsm8k_local", task_manager=manager, limit=1)
    built_in = evaluate(
        lm,
        {
            "task": "gsm8k_cot",
            "class": StepTask,
            "stepgauge": no_scorer,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": results["configs"]["gsm8k_local"]["dataset_kwargs"],
        },
        limit=1,
    )
    [ours], [theirs] = (samples(run, name) for run, name in ((results, "gsm8k_local"), (built_in, "gsm8k_cot")))
    assert ours["arguments"] == theirs["arguments"]
    assert ours["prompt_hash"] == theirs["prompt_hash"]


def test_the_demo_group_runs_on_the_packaged_samples(tiny_scorer):
    lm = ScriptedLM({"\nB. ": ["It is the pancreas. The answer is B."], "": ["So 4 * 3 = 12.\nThe answer is 14."]})
    metadata = {"stepgauge": {"scorer": tiny_scorer}}
    results = evaluate(lm, "stepgauge_demo", include_path=include_path(), metadata=metadata, limit=2)
    print(make_table(results))
    print(make_table(results, "groups"))
    assert rows(results, "stepgauge_demo_arithmetic", "strict-match")["exact_match"] == 0.5
    assert rows(results, "stepgauge_demo_medical", "strict-match")["exact_match"] == 0.5
    assert rows(results, "stepgauge_demo_medical", "reasoning")["n_unscored"] == 0
    group = results["groups"]["stepgauge_demo"]
    for key in ("exact_match,strict-match", "infogain,reasoning", "infogain_nats,reasoning"):
        assert math.isfinite(group[key]), key
    prompt = results["samples"]["stepgauge_demo_medical"][0]["arguments"][0][0]
    assert prompt.count("Question:") == 3
    assert "The answer is C.\n\nQuestion:" in prompt
