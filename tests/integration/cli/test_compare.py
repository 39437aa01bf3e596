"""`stepgauge compare` and the options it shares with `stepgauge report`: what is printed, written and refused."""

from __future__ import annotations

import copy
import csv
import json
import re
from pathlib import Path

import pytest
from columns import NUMBER
from scoring import gain_after_each_step, rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main

N = 60
FAST = ("--resamples", "999")


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    """Folders `base`, `trap` (answers right, gains lower) and `same`, scored by `stepgauge score`, then changed."""
    out = tmp_path_factory.mktemp("scored")
    source = write_jsonl(out / "traces.jsonl", traces(N, meta={"accuracy": 0.0}))
    assert score(source, "--out", out / "base") == 0
    base = rows(out / "base")
    for row in base:  # of the cheap backend's numbers only the spread is kept
        metrics = row["score"]["metrics"]
        for name in ("infogain_nats", "infogain_nats_without_final"):
            metrics[name] = 4 + metrics["infogain_nats"] / 20
        gain_after_each_step(row, metrics["infogain_nats"])
        row["accuracy"]["accuracy"] = float(row["key"]["row"] % 4 == 0)
    trap = copy.deepcopy(base)
    for row in trap:
        for name in ("infogain_nats", "infogain_nats_without_final"):
            row["score"]["metrics"][name] -= 3
        gain_after_each_step(row, row["score"]["metrics"]["infogain_nats"])
        row["accuracy"]["accuracy"] = 1.0
    for name, changed in (("base", base), ("trap", trap), ("same", base)):
        (out / name).mkdir(exist_ok=True)
        write_jsonl(out / name / "scores.jsonl", changed)
    return out


def compare(*args: object) -> int:
    return main(["compare", *map(str, args), *FAST])


def test_table_has_both_runs_their_difference_and_a_verdict(scored, capsys):
    assert compare(f"before={scored / 'base'}", f"after={scored / 'trap'}", "--width", 150) == 0
    printed = capsys.readouterr().out
    assert "after against before" in printed
    assert f"{N} questions in both" in printed
    assert re.search(r"accuracy \(accuracy\) +share +0\.250 +1\.00 +\+0\.750 +\[\+0\.\d+, \+0\.\d+\] +\+300 %", printed)
    assert re.search(r"infogain_nats +nats +\S+ +\S+ +−3\.00 +\[−3\.00, −3\.00\]", printed)
    assert "verdict: trap: accuracy (accuracy) up 0.250 → 1.00 (p" in printed
    for confounder in ("PPL_0", "question length", "ends mid-sentence", "steps with the answer"):
        assert re.search(rf"^ *{confounder} +\w+ +{NUMBER} +{NUMBER} ", printed, re.MULTILINE), confounder
    assert not re.search("^ *cut off +share", printed, re.MULTILINE), "a row without any number is left out"
    assert "the run does not say whether a response was cut off" in printed


@pytest.mark.parametrize(
    ("tuned", "fail_on", "code"),
    [
        ("trap", ["trap"], 3),
        ("trap", ["regression,trap"], 3),
        ("trap", ["gain"], 0),
        ("same", ["trap"], 0),
        ("same", ["trap", "no change"], 3),
    ],
)
def test_fail_on_is_an_exit_code(scored, tuned, fail_on, code, capsys):
    options = [part for verdict in fail_on for part in ("--fail-on", verdict)]
    assert compare(scored / "base", scored / tuned, *options) == code
    assert ("--fail-on:" in capsys.readouterr().err) == (code == 3)


def test_json_and_markdown_say_what_the_table_says(scored, tmp_path, capsys):
    runs = (f"b={scored / 'base'}", f"t={scored / 'trap'}")
    assert compare(*runs, "--format", "json", "--out", tmp_path / "out") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "comparison.json").read_text())
    (comparison,) = printed
    (task,) = comparison["tasks"]
    assert task["verdict"]["name"] == "trap"
    (gain,) = [row for row in task["rows"] if row["measure"] == "infogain_nats"]
    assert gain["difference"] == pytest.approx(-3)
    assert compare(*runs, "--format", "markdown") == 0
    assert capsys.readouterr().out.rstrip("\n") == (tmp_path / "out" / "comparison.md").read_text().rstrip("\n")
    (line,) = re.findall(
        r"^\| infogain_nats \| nats \| (.*) \|$", (tmp_path / "out" / "comparison.md").read_text(), re.M
    )
    before, after, difference, *_ = line.split(" | ")
    assert [float(before), float(after)] == pytest.approx([gain["base"], gain["tuned"]], rel=0.01)
    assert difference == "−3.00"


def test_names_from_files_cannot_break_out_of_table_terminal_or_markdown(scored, tmp_path, capsys):
    hostile = "x](http://evil) <script>|[bold]\x1b[31m"
    for name in ("base", "same"):
        changed = rows(scored / name)
        for row in changed:
            row["task"] = hostile
        (tmp_path / name).mkdir()
        write_jsonl(tmp_path / name / "scores.jsonl", changed)
    for form in ("table", "markdown"):
        assert compare(f"b={tmp_path / 'base'}", f"t={tmp_path / 'same'}", "--format", form) == 0
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        assert "[bold]" in printed or "\\[bold\\]" in printed
    assert "<script>" not in printed
    assert "x](http" not in printed


@pytest.mark.slow
def test_three_runs_are_each_compared_with_the_base_that_was_named(scored, capsys):
    runs = (f"one={scored / 'trap'}", f"two={scored / 'base'}", f"three={scored / 'same'}")
    assert compare(*runs, "--base", "two") == 0
    printed = capsys.readouterr().out
    assert "one against two" in printed
    assert "three against two" in printed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-on", "trapp"], "--fail-on: unknown verdict 'trapp'; did you mean 'trap'?"),
        (["--reasoning", "infogain_nat"], "unknown measure 'infogain_nat'; did you mean 'infogain_nats'?"),
        (["--accuracy", "acuracy"], "did you mean 'accuracy'?"),
        (["--base", "nobody"], "--base: unknown run 'nobody'"),
        (["--alpha", "2"], "--alpha 2.0: expected a number between 0 and 1"),
        (["--resamples", "5"], "--resamples 5: expected 999 or more"),
    ],
)
def test_wrong_option_is_one_line_and_exit_code_2(scored, options, said, capsys):
    args = ["compare", str(scored / "base"), str(scored / "trap"), *options]
    assert main(args if "--resamples" in options else [*args, *FAST]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_one_run_alone_is_refused(scored, capsys):
    assert compare(scored / "base") == 2
    assert "two or more runs are needed" in capsys.readouterr().err


def test_csv_has_the_rows_of_the_json_and_no_text_in_it_is_a_formula(scored, tmp_path, capsys):
    runs = (f"+1={scored / 'base'}", f"@after={scored / 'trap'}")
    assert compare(*runs, "--format", "json") == 0
    (comparison,) = json.loads(capsys.readouterr().out)
    assert compare(*runs, "--format", "csv", "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "comparison.csv").read_text(encoding="utf-8") == printed
    lines = list(csv.DictReader(printed.splitlines()))
    (task,) = comparison["tasks"]
    assert len(lines) == len(task["rows"])
    for line, row in zip(lines, task["rows"], strict=True):
        assert (line["base_run"], line["tuned_run"]) == ("'+1", "'@after")
        assert (line["verdict"], line["measure"]) == ("trap", row["measure"])
        for name in ("base", "tuned", "difference", "low", "high", "p", "p_holm", "n"):
            assert line[name] == ("" if row[name] is None else repr(row[name])), name
    assert any(line["difference"].startswith("-") for line in lines), "a number stays a number"


@pytest.mark.parametrize("command", ["repeats", "calibration"])
def test_csv_of_one_run_has_a_line_a_row_with_its_estimates(command, scored, tmp_path, capsys):
    written = rows(scored / "base")
    for row in written:
        row["task"] = "-sum"
    doubled = write_jsonl(tmp_path / "scores.jsonl", [*written, *written])
    said = {}
    for form in ("json", "csv"):
        assert main([command, str(doubled), *FAST, "--format", form]) == 0
        said[form] = capsys.readouterr().out
    (table,) = json.loads(said["json"])
    for line, row in zip(csv.DictReader(said["csv"].splitlines()), table["rows"], strict=True):
        assert (line["task"], line["measure"]) == ("'-sum", row["measure"])
        for name in ("value", "low", "high", "n"):
            number = row["all"]["base"][name]
            assert line[f"all.base.{name}"] == ("" if number is None else repr(number))


@pytest.mark.parametrize("command", ["compare", "report"])
def test_two_runs_of_one_model_scored_into_one_folder_are_not_taken_for_repeats(tmp_path, capsys, command):
    """Their rows do not say which run they belong to but by their file."""
    for name in ("one", "other"):
        rows = [{**row, "meta": {"task": "sums", "model": "m"}} for row in traces(3)]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    files = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"]
    assert main(["score", *map(str, files), "--out", str(tmp_path / "out"), "--set", "scorer=null"]) == 0
    capsys.readouterr()
    assert main([command, str(tmp_path / "out")]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert all(str(file) in error for file in files)
    assert "they are two runs. Score each into a folder of its own" in error
