"""`stepgauge compare` and `stepgauge repeats` on logs that no scorer of ours has seen, written by real runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from raw_runs import SUMS, N, inspect_run, lm_eval_run, said, sure
from scoring import score, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.adapters.runs import load_runs

FAST = ("--resamples", "999")


def chats(path: Path, rights: list[list[bool]]) -> Path:
    rows = [
        {
            "messages": [
                {"role": "user", "content": row["question"]},
                {"role": "assistant", "content": said(i, right)},
            ],
            "answer": row["answer"],
            "correct": right,
            "model": path.stem,
        }
        for i, row in enumerate(SUMS)
        for right in rights[i]
    ]
    return write_jsonl(path, rows)


MAKERS = {
    "lm-eval": lambda folder, name, rights: lm_eval_run(folder / name, rights, repeats=len(rights[0])),
    "Inspect": lambda folder, name, rights: inspect_run(folder / name, rights),
    "chats": lambda folder, name, rights: chats(folder / f"{name}.jsonl", rights),
}


def compared(*args: object, capsys: Any) -> dict[str, Any]:
    assert main(["compare", *map(str, args), "--format", "json", *FAST]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)
    return comparison


@pytest.mark.parametrize("maker", MAKERS)
def test_raw_logs_give_accuracy_its_test_a_verdict_and_the_flips(maker, tmp_path, capsys):
    make = MAKERS[maker]
    tuned = [[i < 2 or i > 3] for i in range(N)]  # base is right on 0 to 3
    runs = (f"base={make(tmp_path, 'base', sure(4))}", f"tuned={make(tmp_path, 'tuned', tuned)}")
    comparison = compared(*runs, capsys=capsys)
    (task,) = comparison["tasks"]
    (accuracy,) = [row for row in task["rows"] if row["measure"] == "accuracy"]
    assert (accuracy["base"], accuracy["tuned"], accuracy["n"]) == (pytest.approx(4 / N), pytest.approx(10 / N), N)
    assert accuracy["p"] == pytest.approx(2 * (1 + 10 + 45) / 2**10)  # McNemar's exact test of 8 against 2
    assert task["verdict"]["name"] == "underpowered"
    assert task["verdict"]["reasoning"] == "not measured"
    flips = task["flips"]
    assert (flips["both_right"], flips["both_wrong"], len(flips["up"]), len(flips["down"])) == (2, 0, 8, 2)
    assert [flip["question"] for flip in flips["down"]] == [SUMS[2]["question"], SUMS[3]["question"]]
    assert (flips["up"][0]["base_answer"], flips["up"][0]["tuned_answer"]) == ("7", SUMS[4]["answer"])
    assert comparison["repeats"] == []
    assert main(["compare", *runs, *FAST]) == 0
    printed = capsys.readouterr().out
    assert "8 wrong → right, 2 right → wrong; 2 right in both, 0 wrong in both" in printed
    assert f"“{SUMS[2]['question']}”: {SUMS[2]['answer']} → 7" in printed
    assert "infogain" not in printed
    assert "PPL_0" not in printed


@pytest.mark.parametrize("maker", MAKERS)
def test_repeats_of_every_kind_of_run_are_told_apart_alone_and_compared(maker, tmp_path, capsys):
    make = MAKERS[maker]
    base = make(tmp_path, "base", [[i % 2 == 0] * 4 for i in range(N)])
    tuned = make(tmp_path, "tuned", [[True, False, True, True]] * N)
    assert main(["repeats", f"a={base}", "--format", "json", *FAST]) == 0
    (alone,) = json.loads(capsys.readouterr().out)
    numbers = {row["measure"]: row["all"]["base"]["value"] for row in alone["rows"] if not row["bucket"]}
    assert numbers["pass@1"] == numbers["pass@4"] == numbers["pass^4"] == numbers["maj@4"] == 0.5
    assert (numbers["within"], numbers["entropy"]) == (0, 0)
    comparison = compared(f"a={base}", f"b={tuned}", capsys=capsys)
    (both,) = comparison["repeats"]
    numbers = {row["measure"]: row["all"]["tuned"]["value"] for row in both["rows"] if not row["bucket"]}
    assert (numbers["pass@1"], numbers["pass@4"], numbers["pass^4"], numbers["pass^2"]) == (0.75, 1, 0, 0.5)
    assert numbers["within"] == pytest.approx(0.25)
    assert numbers["between"] == pytest.approx(-0.25 / 4)
    for command in ("repeats", "compare"):
        assert main([command, f"a={base}", f"b={tuned}", "--width", "160", *FAST]) == 0
        printed = capsys.readouterr().out
        assert "12 questions with repeats (4 responses each)" in printed
        assert "the variance within questions rose" in printed


NUMBER = {"function": "regex", "regex_pattern": r"answer is (\d+)"}
FIRST = {"function": "take_first"}


@pytest.mark.parametrize(
    ("filters", "row"), [([NUMBER, {"function": "majority_vote"}, FIRST], 1.0), ([FIRST], 0.0)], ids=["vote", "first"]
)
def test_each_of_lm_evals_repeats_has_its_own_accuracy(filters, row, tmp_path):
    lm_eval_run(
        tmp_path,
        [[False, True, True]] * N,
        repeats=3,
        filter_list=[{"name": "f", "filter": filters}],
        metric_list=[
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "regexes_to_ignore": [r"(?s)^.*answer is ", r"\."],
            }
        ],
    )
    (run,) = load_runs([str(tmp_path)])
    assert [record.accuracy["exact_match"] for record in run.records[:3]] == [0.0, 1.0, 1.0]
    assert all(record.accuracy_shared is None for record in run.records)
    (samples,) = tmp_path.rglob("samples_*.jsonl")
    written = json.loads(samples.read_text().splitlines()[0])["exact_match"]
    assert written == row


def own_metric(doc: dict[str, Any], results: list[Any]) -> dict[str, float]:
    return {"own": float(doc["answer"] in str(results[0]))}


def test_a_metric_that_is_a_function_stands_for_all_repeats_and_says_so(tmp_path, capsys):
    lm_eval_run(
        tmp_path,
        [[True, False]] * N,
        repeats=2,
        process_results=own_metric,
        metric_list=[{"metric": "own", "aggregation": "mean", "higher_is_better": True}],
    )
    (run,) = load_runs([str(tmp_path)])
    assert {record.accuracy["own"] for record in run.records} == {1.0}
    assert main(["repeats", str(tmp_path), *FAST]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "12 × the run has one number for all responses to a question: its metric is a function of the task" in printed
    )


def test_tasks_with_different_metrics_have_each_their_own_and_a_choice(tmp_path, capsys):
    for name, right in (("base", 4), ("tuned", 8)):
        lm_eval_run(tmp_path / name, sure(right))
        weighed = {
            "task": "weighed",
            "output_type": "multiple_choice",
            "doc_to_choice": ["1", "2"],
            "doc_to_target": 0,
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "filter_list": None,
            "generation_kwargs": None,
        }
        lm_eval_run(tmp_path / name, sure(right), **weighed)
    comparison = compared(f"b={tmp_path / 'base'}", f"t={tmp_path / 'tuned'}", capsys=capsys)
    labels = {task["task"]: task["rows"][0]["label"] for task in comparison["tasks"]}
    assert labels == {"sums": "accuracy (exact_match)", "weighed": "accuracy (acc)"}
    assert comparison["overall"]["rows"][0]["n"] == 2 * N
    two = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("exact_match", "bleu")][:1]
    patterns = ((r"answer is (\d+)", "strict"), (r"(\d+)", "loose"))
    filters = [
        {"name": name, "filter": [{"function": "regex", "regex_pattern": p}, {"function": "take_first"}]}
        for p, name in patterns
    ]
    for name in ("c", "d"):
        lm_eval_run(tmp_path / name, sure(4), filter_list=filters, metric_list=two)
    runs = (f"c={tmp_path / 'c'}", f"d={tmp_path / 'd'}")
    assert main(["compare", *runs, *FAST]) == 0
    assert "--accuracy NAME takes another: exact_match,loose" in capsys.readouterr().out
    chosen = compared(*runs, "--accuracy", "exact_match,loose", capsys=capsys)
    assert chosen["accuracy_name"] == "exact_match,loose"


def test_scores_of_one_run_alone_leave_accuracy_to_compare(tmp_path, capsys):
    base, tuned = chats(tmp_path / "base.jsonl", sure(4)), chats(tmp_path / "tuned.jsonl", sure(9))
    assert score(base, "--out", tmp_path / "scored") == 0
    capsys.readouterr()
    comparison = compared(tmp_path / "scored", tuned, capsys=capsys)
    assert {row["measure"] for row in comparison["tasks"][0]["rows"]} >= {"accuracy"}
    assert "tuned has no reasoning scores: accuracy alone is compared" in comparison["notes"]
    assert score(tuned, "--out", tmp_path / "scored too") == 0
    capsys.readouterr()
    comparison = compared(tmp_path / "scored", tmp_path / "scored too", capsys=capsys)
    assert {"accuracy", "infogain_nats"} <= {row["measure"] for row in comparison["tasks"][0]["rows"]}
    assert len(comparison["tasks"][0]["flips"]["up"]) == 5


def test_inspect_says_which_responses_were_cut_off(tmp_path, capsys):
    base = inspect_run(tmp_path / "base", sure(4))
    tuned = inspect_run(tmp_path / "tuned", sure(12), stop="max_tokens")
    comparison = compared(f"b={base}", f"t={tuned}", capsys=capsys)
    rows = {row["measure"]: row for row in comparison["tasks"][0]["rows"]}
    assert (rows["truncated"]["base"], rows["truncated"]["tuned"]) == (0, 1)


def test_inspect_sample_in_which_nothing_was_written_counts_as_its_scorer_says(tmp_path, capsys, monkeypatch):
    base = inspect_run(tmp_path / "base", sure(12))
    monkeypatch.setattr("raw_runs.said", lambda i, _: "" if i == 0 else f"The answer is {SUMS[i]['answer']}.")
    tuned = inspect_run(tmp_path / "tuned", sure(12))
    comparison = compared(f"b={base}", f"t={tuned}", capsys=capsys)
    (task,) = comparison["tasks"]
    assert task["rows"][0]["n"] == N
    (flip,) = task["flips"]["down"]
    assert (flip["doc_id"], flip["base_answer"], flip["tuned_answer"]) == ("q0", SUMS[0]["answer"], None)


def test_text_of_models_cannot_break_out_of_terminal_or_markdown(tmp_path, capsys):
    hostile = "x](http://evil) <script>|[bold]\x1b[31m"
    for name, right in (("base", 0), ("tuned", 12)):
        rows = [json.loads(line) for line in chats(tmp_path / f"{name}.jsonl", sure(right)).read_text().splitlines()]
        for row in rows:
            row["messages"][0]["content"] += hostile
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    for form in ("table", "markdown"):
        assert main(["compare", f"{tmp_path}/base.jsonl", f"{tmp_path}/tuned.jsonl", "--format", form, *FAST]) == 0
        printed = capsys.readouterr().out
        assert "wrong → right" in printed
        assert "\x1b" not in printed
    assert "<script>" not in printed
    assert "x](http" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("maker", MAKERS)
def test_nothing_that_runs_a_language_model_is_imported(maker, tmp_path):
    runs = [
        str(MAKERS[maker](tmp_path, name, [[i < right] * 2 for i in range(N)])) for name, right in (("a", 3), ("b", 9))
    ]
    program = (
        "import sys; from stepgauge.adapters.cli import main\n"
        f"code = main(['compare', 'a={runs[0]}', 'b={runs[1]}', '--resamples', '999'])\n"
        "loaded = [name for name in ('torch', 'transformers', 'vllm') if name in sys.modules]\n"
        "assert not loaded, loaded; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "with repeats (2 responses each)" in done.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["repeats", "{base}"], "no question has two responses or more"),
        (["repeats", "{base}", "--resamples", "5"], "--resamples 5: expected 999 or more"),
        (["report", "{base}", "{base2}"], "holds no scores, which a report shows; score it first: stepgauge score"),
        (["compare", "{base}", "{base2}", "--accuracy", "corect"], "unknown accuracy metric of both runs 'corect'"),
    ],
)
def test_what_cannot_be_done_is_one_line(args, told, tmp_path, capsys):
    paths = {name: str(chats(tmp_path / f"{name}.jsonl", sure(4))) for name in ("base", "base2")}
    assert main([one.format(**paths) for one in args]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
