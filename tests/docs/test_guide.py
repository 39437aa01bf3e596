"""Runs the worked examples of docs/custom-tasks.md as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from columns import REASONING
from repo import REPO

GUIDE = (REPO / "docs" / "custom-tasks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
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
    def call(command: str | list[str], **extra: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            command if isinstance(command, list) else ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path, "COLUMNS": "160", **extra},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result.stdout

    return call


def command(tool: str) -> str:
    model, line = (next(line for line in COMMANDS if line.startswith(start)) for start in ("MODEL=", tool))
    return f"{model}\n{line}"


def test_every_command_of_the_guide_is_run_here():
    assert [line.split()[0].partition("=")[0] for line in COMMANDS] == ["MODEL", "lm-eval", "inspect"]


def test_a_yaml_with_one_line_added_gets_the_pipeline_reasoning(run):
    table = run(command("lm-eval"))
    assert re.search(r"\|pool *\|.*last-number *\|.*exact_match", table)
    for metric in REASONING:
        assert re.search(rf"\|reasoning *\| *\d+\|{metric} *\|", table), metric


def test_options_in_a_yaml_that_includes_another_choose_question_and_columns(run):
    table = run(command("lm-eval").replace("--tasks pool ", "--tasks pool_bare ").replace("path out", "path bare"))
    columns = re.findall(r"\|reasoning *\| *\d+\|(\w+) *\|", table)
    assert columns == ["infogain_nats", "infogain_nats_before_answer", "ki", "n_unscored"]


def test_an_inspect_task_shows_accuracy_and_reasoning(run):
    panel = run(command("inspect"))
    assert "accuracy" in panel
    assert "infogain_nats" in panel


def test_a_python_loop_scores_prints_and_saves(run, folder):
    printed = run([sys.executable, "pool_loop.py"])
    assert re.search(r"infogain_nats: mean -?\d+\.\d+ of \d chains", printed)
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
