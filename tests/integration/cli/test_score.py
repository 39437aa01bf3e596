"""`stepgauge score`: runs that are killed, interrupted or go wrong, and what they write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from columns import REASONING, score_table
from scoring import CHEAP, PLUGIN, rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.adapters.offline.out_folder import OutFolder
from stepgauge.metrics import ChainScore

PROGRAM = "import sys; from stepgauge.adapters.cli import main; sys.exit(main())"
# Malformed rows between, so that windows hold both; a window of 4 is full after 4 rows, whichever they are.
ROWS = [row for i, row in enumerate(traces(22)) for row in ([row, "{"] if i % 5 == 2 else [row])]
WINDOW = ("--window", 4)


def in_another_process(*args: object, seconds: float) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(PLUGIN), "STEPGAUGE_CHEAP_SECONDS": str(seconds)}
    command = [sys.executable, "-c", PROGRAM, "score", *map(str, args), *CHEAP]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_windows(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    journal = out / "windows.jsonl"
    while not journal.exists() or journal.read_text().count("\n") < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.slow
def test_run_that_was_killed_and_interrupted_goes_on_to_the_very_file_of_an_uninterrupted_one(tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", ROWS)
    assert score(source, "--out", tmp_path / "whole", *WINDOW) == 0

    out = tmp_path / "out"
    killed = in_another_process(source, "--out", out, *WINDOW, seconds=0.2)
    wait_for_windows(out, 1, killed)
    time.sleep(0.3)  # into the next window
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    with (out / "scores.jsonl").open("a") as file:  # as if it had been killed while it wrote
        file.write('{"key": {"file": "in.js')
    with (out / "windows.jsonl").open("a") as file:
        file.write('{"window": 9')

    interrupted = in_another_process(source, "--out", out, *WINDOW, seconds=0.6)
    wait_for_windows(out, 3, interrupted)
    interrupted.send_signal(signal.SIGINT)
    said, error = interrupted.communicate()
    assert interrupted.returncode == 130
    assert "going on after" in said
    on_disk = json.loads((out / "windows.jsonl").read_text().splitlines()[-1])["counts"]
    assert 10 <= on_disk["scored"] < 22
    assert error.splitlines()[-1] == (
        f"stepgauge: interrupted: {on_disk['scored']} scored, {sum(on_disk['skipped'].values())} skipped, 0 failed; "
        "the same command goes on from here"
    )
    assert "Traceback" not in error

    assert score(source, "--out", out, *WINDOW) == 0
    for name in ("scores.jsonl", "skipped.jsonl", "summary.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert [row["id"] for row in rows(out)] == [f"q{i}" for i in range(22)]


def test_complete_run_is_not_scored_again(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", ROWS)
    score(source, "--out", tmp_path / "out")
    before = (tmp_path / "out" / "scores.jsonl").stat().st_mtime_ns
    capsys.readouterr()
    assert score(source, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "this run is complete" in said
    assert "22 scored, 4 skipped, 0 failed" in said
    assert (tmp_path / "out" / "scores.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("args", "changed", "said"),
    [
        (["--set", "splitter=lines"], False, 'options.splitter was null, is "lines"'),
        (["--limit", "3"], False, "limit was null, is 3"),
        (["--window", "8"], False, "window was 64, is 8"),
        (["--where", "id=q1"], False, "where was [], is"),
        ([], True, "inputs[0].size was"),
    ],
)
def test_other_run_into_the_same_folder_is_refused_by_what_differs_and_restart_overwrites_it(
    tmp_path, capsys, args, changed, said
):
    source = write_jsonl(tmp_path / "in.jsonl", traces(3))
    score(source, "--out", tmp_path / "out")
    if changed:
        write_jsonl(source, traces(4))
    capsys.readouterr()
    assert score(source, "--out", tmp_path / "out", *args) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "--restart to overwrite" in error
    assert len(rows(tmp_path / "out")) == 3
    assert score(source, "--out", tmp_path / "out", *args, "--restart") == 0


def test_second_writer_into_a_folder_is_refused(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(3))
    with OutFolder(tmp_path / "out", {}):
        assert score(source, "--out", tmp_path / "out") == 2
    assert "another process is scoring into this folder" in capsys.readouterr().err


def test_chain_that_fails_is_a_row_with_its_reason_and_takes_no_other_down(tmp_path, capsys):
    many = traces(5)
    many[3]["response"] = "This CANNOT BE SCORED."
    source = write_jsonl(tmp_path / "in.jsonl", many)
    assert score(source, "--out", tmp_path / "out") == 0
    assert "4 scored, 0 skipped, 1 failed" in capsys.readouterr().out
    written = rows(tmp_path / "out")
    assert [row["failed"] is None for row in written] == [True, True, True, False, True]
    failed = written[3]
    reason = "likelihood backend 'cheap' failed: RuntimeError: this text cannot be scored"
    assert failed["failed"] == reason
    assert "".join(step["text"] for step in failed["score"]["steps"]) == "This CANNOT BE SCORED."
    gains = [name for name in failed["score"]["metrics"] if name.startswith(("infogain", "informative", "regressive"))]
    assert len(gains) > 8
    assert {failed["score"]["metrics"][name] for name in gains} == {None}
    assert {failed["score"]["missing"][name] for name in gains} == {reason}
    together = tmp_path / "others.jsonl"
    write_jsonl(together, [row for i, row in enumerate(many) if i != 3])
    score(together, "--out", tmp_path / "others")
    alone = [row["score"]["log_likelihoods"] for row in written if row["failed"] is None]
    assert alone == [row["score"]["log_likelihoods"] for row in rows(tmp_path / "others")]


def test_window_of_failures_alone_ends_the_run_and_is_tried_again(tmp_path, capsys, monkeypatch):
    source = write_jsonl(tmp_path / "in.jsonl", [*traces(8), *traces(8, question="This CANNOT BE SCORED.")])
    assert score(source, "--out", tmp_path / "out", "--window", 8) == 2
    assert "not one of 8 chains could be scored, so nothing was written for them" in capsys.readouterr().err
    assert len(rows(tmp_path / "out")) == 8
    from stepgauge.metrics.plugins import registry

    def well_again(self, groups, done):
        del done
        return [[self._one(request) for request in group] for group in groups]

    monkeypatch.setattr(registry().backends["cheap"], "score", well_again)
    assert score(source, "--out", tmp_path / "out", "--window", 8) == 0
    assert len(rows(tmp_path / "out")) == 16


def test_chain_without_gold_answer_is_scored_as_far_as_it_goes_and_says_why_the_rest_is_missing(tmp_path):
    chat = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "2 + 2 = 4."}]}
    assert score(write_jsonl(tmp_path / "in.jsonl", [chat]), "--out", tmp_path / "out") == 0
    (row,) = rows(tmp_path / "out")
    assert row["score"]["metrics"]["ki"] == 1.0
    assert row["score"]["metrics"]["infogain"] is None
    assert row["score"]["missing"]["infogain"].startswith("no gold answer under answer, target")
    (group,) = json.loads((tmp_path / "out" / "summary.json").read_text())["groups"]
    assert group["metrics"]["infogain"] == {
        "mean": None,
        "n": 0,
        "questions": 0,
        "missing": {row["score"]["missing"]["infogain"]: 1},
    }


def test_summary_weights_by_question_however_many_repeats_each_has(tmp_path):
    """As lm-eval's table and Inspect's reducers do; a repeat without the number does not count for its question."""
    first, second = traces(2)
    repeats = [first | {"response": text} for text in ("0 + 1 = 1", "0 + 1 = 2", "0 + 1 = 3", "We add.")]
    source = write_jsonl(tmp_path / "in.jsonl", [*repeats, second | {"response": "1 + 1 = 2"}])
    assert score(source, "--out", tmp_path / "out") == 0
    (group,) = json.loads((tmp_path / "out" / "summary.json").read_text())["groups"]
    ki = group["metrics"]["ki"]
    assert (ki["mean"], ki["n"], ki["questions"]) == (pytest.approx((1 / 3 + 1) / 2), 4, 2)
    nats = [row["score"]["metrics"]["infogain_nats"] for row in rows(tmp_path / "out")]
    assert group["metrics"]["infogain_nats"]["mean"] == pytest.approx((sum(nats[:4]) / 4 + nats[4]) / 2)


def test_every_row_names_the_scorer_whether_or_not_its_window_needed_it(tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", [traces(1, answer=None)[0], traces(1)[0]])
    score(source, "--out", tmp_path / "out", "--window", 1, "--scorer", "some-lm")
    provenance = [row["score"]["provenance"] for row in rows(tmp_path / "out")]
    assert [one["scorer"] for one in provenance] == ["some-lm", "some-lm"]


def test_null_is_no_scorer_as_a_flag_and_as_an_option(tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    for name, how in (("flag", ("--scorer", "null")), ("option", ("--set", "scorer=null"))):
        assert score(source, "--out", tmp_path / name, *how, cheap=False) == 0
    flag, option = (rows(tmp_path / name) for name in ("flag", "option"))
    assert flag == option
    assert [(one["score"]["log_likelihoods"], one["score"]["provenance"]["scorer"]) for one in flag] == [([], None)] * 2


def test_summary_holds_means_with_their_counts_by_file_task_and_model(tmp_path, capsys):
    first = traces(3, meta={"task": "sums", "model": "a", "accuracy": 1})
    first[1]["response"] = "No number here."
    second = traces(2, meta={"task": "sums", "model": "b", "accuracy": 0})
    source = write_jsonl(tmp_path / "in.jsonl", [*first, *second])
    assert score(source, "--out", tmp_path / "out") == 0
    groups = json.loads((tmp_path / "out" / "summary.json").read_text())["groups"]
    assert [(group["model"], group["chains"], group["accuracy"]["accuracy"]["mean"]) for group in groups] == [
        ("a", 3, 1.0),
        ("b", 2, 0.0),
    ]
    nats = [row["score"]["metrics"]["infogain_nats"] for row in rows(tmp_path / "out")]
    assert groups[0]["metrics"]["infogain_nats"]["mean"] == pytest.approx(sum(nats[:3]) / 3)
    assert groups[0]["metrics"]["ki"] == {
        "mean": 1.0,
        "n": 2,
        "questions": 2,
        "missing": {"no checkable step": 1},
    }
    printed = capsys.readouterr().out
    assert "n=2" in printed
    assert [row["accuracy"] for row in score_table(printed)] == [1.0, 0.0]
    for shown, group in zip(score_table(printed), groups, strict=True):
        for name in ("infogain", "infogain_nats", "infogain_nats_before_answer", "ki", "ki_coverage"):
            assert shown[name] == pytest.approx(group["metrics"][name]["mean"], abs=6e-4), name


def test_parquet_holds_a_row_a_chain_with_the_same_numbers(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    many = traces(5, meta={"accuracy": {"exact": 1}})
    many[0]["response"] = "A lone surrogate: \ud800.\nThe answer is 1."
    score(write_jsonl(tmp_path / "in.jsonl", many), "--out", tmp_path / "out", "--parquet")
    table = pq.read_table(tmp_path / "out" / "scores.parquet").to_pylist()
    written = rows(tmp_path / "out")
    assert [row["id"] for row in table] == [row["id"] for row in written]
    for flat, row in zip(table, written, strict=True):
        metrics = row["score"]["metrics"]
        assert {name: flat[name] for name in metrics} == metrics
        assert flat["accuracy.exact"] == 1.0
        assert [step["gain"] for step in flat["steps"]] == [step["gain"] for step in row["score"]["steps"]]
        assert json.loads(flat["provenance"]) == row["score"]["provenance"]


def test_show_reads_what_score_wrote(tmp_path, capsys):
    score(write_jsonl(tmp_path / "in.jsonl", traces(3)), "--out", tmp_path / "out")
    capsys.readouterr()
    assert main(["show", str(tmp_path / "out"), "--id", "q2", "--width", "100"]) == 0
    said = capsys.readouterr().out
    assert "What is 2 plus 1?" in said
    assert "2 + 1 = 3" in said
    restored = [ChainScore.from_dict(row["score"]) for row in rows(tmp_path / "out")]
    numbers = restored[2].metrics
    before = numbers["infogain_nats_before_answer"]
    assert f"infogain_nats {numbers['infogain_nats']:.3f}  before the answer {before:.3f}" in said
    assert "ki 1.000 (arithmetic only)  ki_coverage " in said
    assert [name for name in REASONING if not name.endswith("_before_answer") and f"{name} " not in said] == []
    assert f"ki_coverage {numbers['ki_coverage']:.3f}  n_steps 3" in said
    assert [chain.id for chain in restored] == ["q0", "q1", "q2"]


def test_runs_scored_together_are_cut_by_one_splitter_and_one_run_alone_by_what_fits_each_chain(tmp_path, capsys):
    """Two of three chains have a line a step; the third is one paragraph."""
    lines, paragraph = "2 + 3 = 5.\n5 + 1 = 6.\nThe answer is 6.", "2 + 3 = 5. Then 5 + 1 = 6. The answer is 6."
    sources = []
    for name, responses in (("base", [lines, lines, lines]), ("tuned", [lines, paragraph, paragraph])):
        given = [{**row, "response": text} for row, text in zip(traces(3), responses, strict=True)]
        sources.append(write_jsonl(tmp_path / f"{name}.jsonl", given))

    def splitters(*paths, options=()):
        out = tmp_path / "-".join([*(path.stem for path in paths), *options])
        score(*paths, "--out", out, *options)
        return {row["score"]["provenance"]["splitter"] for row in rows(out)}

    assert splitters(sources[1]) == {"auto:lines", "auto:sentences"}
    assert splitters(*sources) == {"auto:lines"}
    assert "all chains are cut by auto:lines" in capsys.readouterr().out
    assert splitters(*sources, options=("--set", "splitter=auto")) == {"auto:lines", "auto:sentences"}
