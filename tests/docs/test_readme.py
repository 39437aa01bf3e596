"""Runs every command and example of the README as it stands there."""

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

ROOT = REPO
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [line for language, body in BLOCKS if language == "bash" for line in body.splitlines()]

# The hub is out of reach of tests: GSM8K's loader gets stand-in rows of the same form, everything else is real.
STAND_IN = """
import datasets, json, os
real = datasets.load_dataset
def load_dataset(path, name=None, *args, **kwargs):
    if "gsm8k" not in str(path):
        return real(path, name, *args, **kwargs)
    rows = [json.loads(line) for line in open(os.environ["STAND_IN_ROWS"], encoding="utf-8")]
    data = datasets.Dataset.from_list(rows)
    split = kwargs.get("split")
    return data if split else datasets.DatasetDict({"train": data, "test": data})
datasets.load_dataset = load_dataset
"""


def by_tool(tool: str) -> list[str]:
    return [line for line in SHELL if line.split()[0].endswith(tool)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, arithmetic) -> Path:
    """A user's folder: the README's YAML files, a data file, and the stand-in for the hub."""
    out = tmp_path_factory.mktemp("user")
    for language, body in BLOCKS:
        if language == "yaml":
            name = re.match(r"# (\S+\.yaml)\n", body)
            assert name, f"a YAML example without a file name:\n{body}"
            (out / name[1]).write_text(body, encoding="utf-8")
    rows = [{"question": row["question"], "answer": row["answer"]} for row in arithmetic[:2]]
    (out / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gsm8k = [{"question": row["question"], "answer": f"{row['solution']}\n#### {row['answer']}"} for row in arithmetic]
    (out / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gsm8k))
    (out / "hub").mkdir()
    (out / "hub" / "sitecustomize.py").write_text(STAND_IN)
    return out


@pytest.fixture(scope="module")
def run(folder, smollm2):
    smollm2.preflight()

    def call(command: str | list[str]) -> str:
        env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "hub"),
            "STAND_IN_ROWS": str(folder / "gsm8k.jsonl"),
            "COLUMNS": "160",
        }
        result = subprocess.run(
            command if isinstance(command, list) else ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result.stdout

    return call


def test_every_command_is_covered_here():
    tools = {line.split()[0].split("=")[0] for line in SHELL}
    assert tools == {"make", "pip", "MODEL", "lm-eval", "inspect", "stepgauge"}


def test_make_targets_exist_and_the_pip_lines_are_the_makefiles():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in by_tool("make"):
        assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)
        subprocess.run([*line.split(), "-n"], cwd=ROOT, check=True, capture_output=True)
    for line in by_tool("pip"):
        wanted = line.removeprefix("pip ").replace("'.[all]'", "-e '.[all]'")
        assert f"$(PIP) {wanted}\n" in makefile


MODEL = next(line for line in SHELL if line.startswith("MODEL="))


def stepgauge(command: str) -> str:
    (line,) = (line for line in SHELL if line.startswith(f"stepgauge {command}"))
    return line


@pytest.fixture(scope="module")
def existing_table(run) -> str:
    return run(f"{MODEL}\n{next(line for line in by_tool('lm-eval') if 'my_task' in line)}")


@pytest.fixture(scope="module")
def inspect_panels(run) -> tuple[str, str]:
    """What Inspect prints while running and afterwards."""
    evaluate, score = (line for line in by_tool("inspect") if "logs" in line)
    return run(f"{MODEL}\n{evaluate}"), run(score)


@pytest.mark.slow
def test_existing_config_recipe_for_lm_eval(run, existing_table):
    table = existing_table
    assert re.search(r"\|my_task\b.*exact_match", table)
    for metric in REASONING:
        assert re.search(rf"\|reasoning *\| *\d+\|{metric} *\|", table), metric
    assert "(question alone)" in run(stepgauge("show"))


@pytest.mark.slow
def test_lm_evals_command_with_stepgauge_in_front_shows_reasoning_beside_accuracy(run):
    table = run(f"{MODEL}\n{stepgauge('lm-eval run')}")
    assert re.search(r"\|gsm8k_cot\b.*exact_match", table)
    assert re.search(r"\|reasoning *\| *\d+\|infogain_nats *\|", table)


@pytest.mark.slow
def test_inspect_recipe_scores_while_running_and_afterwards(inspect_panels):
    panel, appended = inspect_panels
    assert "accuracy" in panel
    assert "infogain_nats" in panel
    assert appended.count("infogain_nats") > panel.count("infogain_nats")


@pytest.mark.slow
def test_finished_runs_of_both_frameworks_are_scored_from_their_files(run, folder, existing_table, inspect_panels):
    assert existing_table
    assert inspect_panels
    printed = run(stepgauge("score"))
    assert "my_task" in printed
    rows = [json.loads(line) for line in (folder / "scores" / "scores.jsonl").read_text().splitlines()]
    assert [row["task"] for row in rows] == ["my_task"] * 2 + ["stepgauge/demo"] * 2
    assert all(row["score"]["metrics"]["infogain_nats"] is not None for row in rows)


@pytest.mark.slow
def test_two_runs_are_compared_and_reported(run, folder, existing_table):
    assert existing_table
    (cut,) = (line for line in by_tool("lm-eval") if "out-cut" in line)
    run(f"{MODEL}\n{cut}")
    printed = run(stepgauge("compare"))
    assert "my_task: 2 questions in both" in printed
    assert re.search(r"verdict: \w+", printed)
    assert re.search(r"^ *infogain_nats .*\[.*\]", printed, re.MULTILINE)
    run(stepgauge("report"))
    assert "my_task" in (folder / "report.html").read_text(encoding="utf-8")
    assert list((folder / "figures").glob("*.png"))


@pytest.mark.slow
def test_a_scorer_is_fitted_to_the_chains_of_both_frameworks(run, folder, existing_table, inspect_panels):
    assert existing_table
    assert inspect_panels
    printed = run(stepgauge("fit"))
    assert re.search(r"nats per answer token +\d+\.\d+ +\d+\.\d+\n", printed)
    assert json.loads((folder / "fitted" / "stepgauge_fit.json").read_text())["data"]["chains"] > 0


@pytest.mark.slow
def test_leaderboard_recipe_in_both_frameworks(run):
    for line in (line for line in by_tool("lm-eval") + by_tool("inspect") if "gsm8k" in line):
        printed = run(f"{MODEL}\n{line}")
        assert "infogain_nats" in printed
        assert "gsm8k" in printed


@pytest.mark.slow
@pytest.mark.parametrize("code", [body for language, body in BLOCKS if language == "python"])
def test_python_example_runs(run, code):
    printed = run([sys.executable, "-c", code])
    assert re.search(r"-?\d+\.\d+", printed)


def test_plugins_command_runs(run):
    assert "infogain_nats" in run(stepgauge("plugins"))


@pytest.mark.slow
def test_tasks_command_lists_what_lm_eval_ships(run):
    assert re.search(r"^gsm8k\S* +\d+ ", run(stepgauge("tasks")), re.MULTILINE)


def test_yaml_that_extends_a_shipped_task_finds_it(folder):
    """Its data is on the hub, so only the configuration is completed here."""
    import yaml

    from stepgauge.adapters.lm_eval.inherit import complete

    text = (folder / "mmlu_pro_math_stepgauge.yaml").read_text(encoding="utf-8").replace("!function ", "")
    config = {key: value for key, value in yaml.safe_load(text).items() if key != "class"}
    whole = complete(config)
    assert whole["output_type"] == "generate_until"
    assert whole["task"] == "mmlu_pro_math_stepgauge"


def test_every_metric_of_the_core_is_explained():
    from stepgauge.metrics import Gauge

    section = README.split("## How to read the numbers")[1].split("\n## ")[0]
    for name in Gauge(scorer=None, variant="reference").metric_info():
        covered = f"`{name}`" in section or name.startswith("infogain_nats_per_") or name == "n_steps"
        assert covered, name
