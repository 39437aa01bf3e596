"""Runs the worked examples of docs/custom-tasks.md as they stand there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from columns import IN_PANEL, MAY_BE_MISSING, NUMBER, REASONING, assert_numbers, inspect_panel, lm_eval_table
from commands import blocks, shell

BLOCKS = blocks("docs/custom-tasks.md")
COMMANDS = [line for language, body in BLOCKS if language == "bash" for line in body.splitlines()]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory, smollm2) -> Path:
    """A user's folder with every file of the guide under the name in its first line."""
    smollm2.preflight()
    out = tmp_path_factory.mktemp("guide")
    for language, body in BLOCKS:
        if language == "json":
            (out / "questions.jsonl").write_text(body, encoding="utf-8")
        elif language != "bash":
            name = re.match(r"# (\S+)\n", body)
            assert name, f"an example without a file name:\n{body}"
            (out / name[1]).write_text(body, encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def run(folder):
    return lambda command, **extra: shell(folder, command, **extra).stdout


def command(tool: str) -> str:
    model, line = (next(line for line in COMMANDS if line.startswith(start)) for start in ("MODEL=", tool))
    return f"{model}\n{line}"


def test_every_command_of_the_guide_is_run_here():
    assert [line.split()[0].partition("=")[0] for line in COMMANDS] == ["MODEL", "lm-eval", "inspect"]


@pytest.fixture(scope="module")
def table(run) -> dict[str, dict[str, dict[str, float]]]:
    """What the guide's command shows, asked for the guide's second task in the same run."""
    return lm_eval_table(run(command("lm-eval").replace("--tasks pool ", "--tasks pool,pool_bare ")))


def test_a_yaml_with_one_line_added_gets_the_pipeline_reasoning(table):
    assert_numbers(table["pool"]["last-number"], ["exact_match"])
    assert_numbers(table["pool"]["reasoning"], REASONING, or_missing=MAY_BE_MISSING)


def test_options_in_a_yaml_that_includes_another_choose_question_and_columns(table):
    columns = ["infogain_nats", "infogain_nats_before_answer", "ki", "n_unscored"]
    assert list(table["pool_bare"]["reasoning"]) == columns
    assert_numbers(table["pool_bare"]["reasoning"], columns, or_missing=MAY_BE_MISSING)
    assert table["pool_bare"]["reasoning"]["infogain_nats"] != table["pool"]["reasoning"]["infogain_nats"]


def test_an_inspect_task_shows_accuracy_and_reasoning(run):
    panel = inspect_panel(run(command("inspect")))
    assert [name for name, _ in panel] == ["match", *IN_PANEL]
    assert_numbers(panel[0][1], ["accuracy"])
    assert_numbers({name: found["mean"] for name, found in panel[1:]}, REASONING, or_missing=MAY_BE_MISSING)


def test_a_python_loop_scores_prints_and_saves(run, folder):
    printed = run([sys.executable, "pool_loop.py"])
    assert re.search(rf"infogain_nats: mean {NUMBER} of [12] chains", printed)
    rows = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["pool-0", "pool-1"]
    assert "(question alone)" in run("stepgauge show scores.jsonl")


def test_a_plugin_of_under_40_lines_brings_a_metric_and_a_judge(run, tmp_path_factory):
    (source,) = (body for language, body in BLOCKS if body.startswith("# stepgauge_pool.py"))
    assert len([line for line in source.splitlines() if line.strip()]) < 40
    site = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--target", str(site)]
    run([sys.executable, "-m", "pip", "install", *options, "."])
    printed = run([sys.executable, "use_plugin.py"], PYTHONPATH=str(site)).splitlines()
    assert re.fullmatch(r"-?\d+\.\d+", printed[0])
    assert printed[1:] == [
        "known-false:false.txt contradicted Insulin raises blood sugar.",
        "exact supported 2 * 4 = 8 units",
    ]
