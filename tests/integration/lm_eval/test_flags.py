"""What becomes of reasoning scores under lm-eval's own flags, one test each."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys

import pytest
from repo import REPO
from scripted_lm import ScriptedLM, documents, evaluate, rows
from tiny_scorers import make_scorer

from stepgauge.adapters.lm_eval import StepTask, thinking
from stepgauge.adapters.lm_eval.manager import ScoringTaskManager

EGGS = "Lena packs 6 eggs into each of 12 boxes. How many eggs?"
PENS = "A pen costs 3 dollars. How much do 5 pens cost?"
CARS = "A lot holds 4 rows of 9 cars. How many cars?"
DOCS = [{"question": q, "answer": a} for q, a in ((EGGS, "72"), (PENS, "15"), (CARS, "36"))]
SCRIPT = {
    EGGS: ["6 * 12 = 72.\nThe answer is 72", "The answer is 71"],
    PENS: ["There are 5 pens.\n3 * 5 = 16.\nThe answer is 16"],
    CARS: ["4 * 9 = 36.\nSo 36 cars.\nThat is 36.\nThe answer is 36"],
}
REASONING = {"ki", "ki_coverage", "n_steps", "n_unscored"}


def task(name="one", **config):
    return {
        "task": name,
        "class": StepTask,
        "custom_dataset": documents(DOCS),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Question:"]},
        "metric_list": [{"metric": "exact_match"}],
        "stepgauge": {"scorer": None, "splitter": "lines", "metrics": ["ki", "ki_coverage", "n_steps"]},
        **config,
    }


def chains(results, name="one"):
    return [
        chain
        for sample in results["samples"][name]
        if sample["filter"] == "reasoning"
        for chain in json.loads(sample["filtered_resps"][0])["chains"]
    ]


def values(results, name="one"):
    return {key: value for key, value in rows(results, name, "reasoning").items() if not key.endswith("_stderr")}


def test_limit_scores_the_first_documents_alone():
    results = evaluate(ScriptedLM(SCRIPT), task(), limit=2)
    assert len(chains(results)) == 2
    assert values(results)["n_steps"] == 2.5


def test_samples_scores_the_documents_named():
    results = evaluate(ScriptedLM(SCRIPT), task(), samples={"one": [0, 2]})
    assert [len(chain["steps"]) for chain in chains(results)] == [2, 4]
    assert values(results)["n_steps"] == 3
    assert [sample["doc_id"] for sample in results["samples"]["one"] if sample["filter"] == "reasoning"] == [0, 2]


def test_repeats_are_all_scored_averaged_and_their_spread_kept():
    results = evaluate(ScriptedLM(SCRIPT), task(repeats=2), limit=1)
    [sample] = [sample for sample in results["samples"]["one"] if sample["filter"] == "reasoning"]
    record = json.loads(sample["filtered_resps"][0])
    assert [len(chain["steps"]) for chain in record["chains"]] == [2, 1]
    assert record["metrics"]["n_steps"] == values(results)["n_steps"] == 1.5
    assert record["spread"]["n_steps"] == pytest.approx(0.5**0.5)


def test_predict_only_writes_responses_and_scores_nothing():
    lm = ScriptedLM(SCRIPT)
    results = evaluate(lm, task(stepgauge={"scorer": "/no/such/scorer"}), predict_only=True)
    assert lm.n_requests == 3
    assert values(results) == {}
    assert {sample["filter"] for sample in results["samples"]["one"]} == {"none"}


def test_use_cache_gives_the_same_table_without_asking_the_model_again(tmp_path):
    first, second = ScriptedLM(SCRIPT), ScriptedLM(SCRIPT)
    cache = str(tmp_path / "cache")
    once = evaluate(first, task(), use_cache=cache)
    again = evaluate(second, task(), use_cache=cache)
    assert (first.n_requests, second.n_requests) == (3, 0)
    assert values(again) == values(once)
    assert set(values(once)) == REASONING


def test_cache_requests_gives_the_same_table_from_stored_prompts(tmp_path, monkeypatch):
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(tmp_path))
    once = evaluate(ScriptedLM(SCRIPT), task(), cache_requests=True)
    assert list(tmp_path.iterdir())
    again = evaluate(ScriptedLM(SCRIPT), task(), cache_requests=True)
    assert values(again) == values(once)
    assert [chain["steps"] for chain in chains(again)] == [chain["steps"] for chain in chains(once)]


class ChattyLM(ScriptedLM):
    """Wraps every prompt as a chat model's template would."""

    tokenizer_name = "chatty"

    def chat_template(self, _=False):
        return "chatty"

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        text = "".join(f"<|{turn['role']}|>{turn['content']}" for turn in chat_history)
        return text + ("<|assistant|>" if add_generation_prompt else "")


def test_apply_chat_template_leaves_the_scored_question_the_tasks_own(monkeypatch):
    asked = []
    from stepgauge.metrics import Gauge

    score = Gauge.score
    monkeypatch.setattr(
        Gauge, "score", lambda self, traces, **more: asked.extend(traces) or score(self, traces, **more)
    )
    results = evaluate(
        ChattyLM(SCRIPT),
        task(),
        limit=1,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        system_instruction="Think.",
    )
    [sample] = [sample for sample in results["samples"]["one"] if sample["filter"] == "reasoning"]
    assert sample["arguments"][0][0].startswith("<|system|>Think.<|user|>Question: ")
    assert [trace.question for trace in asked] == [f"Question: {EGGS}"]
    plain = evaluate(ScriptedLM(SCRIPT), task(), limit=1)
    assert values(results) == values(plain)


@pytest.mark.parametrize("route", ["class", "command line"])
def test_a_think_end_token_takes_the_chain_away_and_the_run_says_so(caplog, route):
    thinking._warn.cache_clear()
    metadata = {"pretrained": "x", "think_end_token": "</think>"}
    manager = ScoringTaskManager if route == "command line" else None
    with caplog.at_level(logging.WARNING, logger="lm_eval.stepgauge"):
        # As lm-eval's hf model does: what stands before the token never leaves the model.
        answers = {EGGS: ["<think>6 * 12 = 72.\nYes.</think>The answer is 72".rpartition("</think>")[2]]}
        if manager is None:
            results = evaluate(ScriptedLM(answers), task(), limit=1, metadata=metadata)
        else:
            made = manager(include_defaults=False, metadata=metadata)
            results = evaluate(ScriptedLM(answers), task(), limit=1, task_manager=made)
    assert values(results)["n_steps"] == 1
    [said] = [record.message for record in caplog.records if "think_end_token" in record.message]
    assert said.startswith("model argument think_end_token=</think>: lm-eval drops everything before that token")


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


@pytest.mark.slow
def test_two_processes_give_the_table_that_one_gives(tmp_path, tokenizers):
    model = make_scorer(tmp_path, "llama", tokenizers["qwen"], max_position_embeddings=1024)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in DOCS))
    lines = [
        "task: one",
        "dataset_path: json",
        f"dataset_kwargs: {{data_files: {{test: {tmp_path / 'rows.jsonl'}}}}}",
        "test_split: test",
        "output_type: generate_until",
        'doc_to_text: "Question: {{question}} 1 + 1 = 2.\\nAnswer:"',
        'doc_to_target: "{{answer}}"',
        "generation_kwargs: {until: ['Question:'], max_gen_toks: 24, do_sample: false}",
        "metric_list: [{metric: exact_match}]",
    ]
    (tmp_path / "one.yaml").write_text("\n".join(lines) + "\n")

    def run(*launcher):
        arguments = ["lm-eval", "run", "--model", "hf-parallel", "--model_args", f"pretrained={model},dtype=float32"]
        arguments += ["--device", "cpu", "--batch_size", "1", "--tasks", str(tmp_path / "one.yaml")]
        arguments += [
            "--stepgauge",
            f"scorer={model}",
            "device=cpu",
            "dtype=float32",
            "splitter=sentences",
            "metrics=all",
        ]
        # `accelerate launch --cpu` starts one process whatever it is told; its launcher for GPUs, kept off them, two.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
        env["HF_DATASETS_CACHE"] = str(tmp_path / f"cache{len(launcher)}")
        out = tmp_path / f"out{len(launcher)}"
        command = [
            sys.executable,
            *launcher,
            str(REPO / "tests" / "support" / "lm_eval_in_parallel.py"),
            *arguments,
            "--output_path",
            str(out),
        ]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=400)
        print(done.stdout[-3000:], done.stderr[-6000:])
        assert done.returncode == 0
        table = [line for line in done.stdout.splitlines() if line.startswith("|")]
        (results,) = out.rglob("results_*.json")
        numbers = json.loads(results.read_text())["results"]["one"]
        return [[cell.strip() for cell in line.split("|")] for line in table], numbers, done.stderr

    launcher = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    launcher += " --dynamo_backend no --main_process_port 0"
    one, exact, _ = run()
    two, exact_of_two, log = run(*launcher.split())
    assert "on rank 1" in log
    # Chains that are batched otherwise round otherwise.
    assert exact_of_two == {
        name: pytest.approx(value, rel=1e-4, nan_ok=True) if isinstance(value, float) else value
        for name, value in exact.items()
    }
    for ours, theirs in zip(two, one, strict=True):
        assert [number(cell) for cell in ours] == [
            # Four decimals are printed; the last may round otherwise.
            pytest.approx(number(cell), rel=1e-4, abs=1.01e-4, nan_ok=True) if isinstance(number(cell), float) else cell
            for cell in theirs
        ]
    numbers = {row[5]: float(row[7]) for row in one if row[5] in ("exact_match", "infogain", "n_steps", "n_unscored")}
    assert len(numbers) == 4
    assert all(map(math.isfinite, numbers.values()))
