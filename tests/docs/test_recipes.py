"""Runs every command and example of docs/recipes.md as it stands there, in a folder that is empty at first."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from columns import (
    IN_PANEL,
    MAY_BE_MISSING,
    NUMBER,
    REASONING,
    assert_numbers,
    inspect_panel,
    lm_eval_table,
    score_table,
)
from commands import blocks, shell

BLOCKS = blocks("docs/recipes.md")
Panel = list[tuple[str, dict[str, float]]]
SHELL = [line for language, body in BLOCKS if language == "bash" for line in body.replace("\\\n", "").splitlines()]

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
    """A user's folder: the recipes' files, and a stand-in for the hub."""
    out = tmp_path_factory.mktemp("user")
    for language, body in BLOCKS:
        name = re.match(r"# (\S+\.(?:yaml|py))\n", body)
        if name:
            (out / name[1]).write_text(body, encoding="utf-8")
        assert name or language != "yaml", f"a YAML example without a file name:\n{body}"
    gsm8k = [{"question": row["question"], "answer": f"{row['solution']}\n#### {row['answer']}"} for row in arithmetic]
    (out / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gsm8k))
    (out / "hub").mkdir()
    (out / "hub" / "sitecustomize.py").write_text(STAND_IN)
    shell(out, next(line for line in SHELL if "questions.jsonl" in line))
    return out


@pytest.fixture(scope="module")
def run(folder, smollm2):
    smollm2.preflight()

    stand_in = {"PYTHONPATH": str(folder / "hub"), "STAND_IN_ROWS": str(folder / "gsm8k.jsonl")}
    return lambda command: shell(folder, command, **stand_in).stdout


def test_every_command_is_covered_here():
    tools = {line.split()[0].split("=")[0] for line in SHELL}
    assert tools == {"printf", "MODEL", "lm-eval", "inspect", "stepgauge"}


MODEL = next(line for line in SHELL if line.startswith("MODEL="))


def stepgauge(command: str) -> str:
    (line,) = (line for line in SHELL if line.startswith(f"stepgauge {command}"))
    return line


@pytest.fixture(scope="module")
def existing_table(run) -> str:
    return run(f"{MODEL}\n{next(line for line in by_tool('lm-eval') if 'my_task' in line)}")


@pytest.fixture(scope="module")
def inspect_panels(run) -> tuple[Panel, Panel]:
    """What Inspect prints while running and afterwards."""
    evaluate, score = (line for line in by_tool("inspect") if "logs" in line)
    return inspect_panel(run(f"{MODEL}\n{evaluate}")), inspect_panel(run(score))


def assert_lm_eval_columns(printed: str, task: str) -> None:
    """The task's accuracy and all our columns, each with a number."""
    pipelines = lm_eval_table(printed)[task]
    assert_numbers(pipelines.pop("reasoning"), REASONING, or_missing=MAY_BE_MISSING)
    assert pipelines
    for accuracy in pipelines.values():
        assert_numbers(accuracy, ["exact_match"])


def assert_inspect_columns(panel: Panel, names: Iterable[str]) -> None:
    """These columns alone, in this order, each with a number."""
    assert [name for name, _ in panel] == list(names)
    means = {name: next(iter(found.values())) for name, found in panel}
    assert_numbers(means, means, or_missing=MAY_BE_MISSING)


@pytest.mark.slow
def test_existing_config_recipe_for_lm_eval(run, existing_table):
    assert_lm_eval_columns(existing_table, "my_task")
    assert "(question alone)" in run(stepgauge("show"))


@pytest.mark.slow
def test_lm_evals_command_with_stepgauge_in_front_shows_reasoning_beside_accuracy(run):
    assert_lm_eval_columns(run(f"{MODEL}\n{stepgauge('lm-eval run')}"), "gsm8k_cot")


@pytest.mark.slow
def test_inspect_recipe_scores_while_running_and_afterwards(inspect_panels):
    panel, appended = inspect_panels
    assert_inspect_columns(panel, ["match"])
    assert_inspect_columns(appended, ["match", *IN_PANEL])


@pytest.mark.slow
def test_finished_runs_of_both_frameworks_are_scored_from_their_files(run, folder, existing_table, inspect_panels):
    assert existing_table
    assert inspect_panels
    printed = run(stepgauge("score"))
    assert "my_task" in printed
    for row in score_table(printed):
        assert_numbers(row, ("accuracy", "infogain", "infogain_nats", "ki_coverage"))
    rows = [json.loads(line) for line in (folder / "scores" / "scores.jsonl").read_text().splitlines()]
    assert [row["task"] for row in rows] == ["my_task"] * 2 + ["sums"] * 2
    assert all(row["score"]["metrics"]["infogain_nats"] is not None for row in rows)


@pytest.mark.slow
def test_two_runs_are_compared_and_reported(run, folder, existing_table):
    assert existing_table
    (cut,) = (line for line in by_tool("lm-eval") if "out-cut" in line)
    run(f"{MODEL}\n{cut}")
    printed = run(stepgauge("compare"))
    assert "my_task: 2 questions in both" in printed
    assert re.search(r"verdict: \w+", printed)
    five = rf"{NUMBER} +{NUMBER} +{NUMBER} +\[{NUMBER}, {NUMBER}\]"
    assert re.search(rf"^ *infogain_nats +nats +{five}", printed, re.MULTILINE)
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
    (lm_eval,) = (line for line in by_tool("lm-eval") if "gsm8k" in line)
    assert_lm_eval_columns(run(f"{MODEL}\n{lm_eval}"), "gsm8k_stepgauge")
    (inspect,) = (line for line in by_tool("inspect") if "gsm8k" in line)
    printed = run(f"{MODEL}\n{inspect}")
    assert "gsm8k" in printed
    assert_inspect_columns(inspect_panel(printed), ["match", *IN_PANEL])


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", [body for language, body in BLOCKS if language == "python" and "# sums.py" not in body]
)
def test_python_example_runs(run, code):
    printed = run([sys.executable, "-c", code])
    assert re.search(r"-?\d+\.\d+", printed)


@pytest.mark.slow
def test_plugins_command_runs(run):
    assert "infogain_nats" in run(stepgauge("plugins"))


@pytest.mark.slow
def test_tasks_command_lists_what_lm_eval_ships(run):
    assert re.search(r"^gsm8k\S* +\d+ ", run(stepgauge("tasks")), re.MULTILINE)


@pytest.mark.slow
def test_yaml_that_extends_a_shipped_task_finds_it(folder):
    """Its data is on the hub, so only the configuration is completed here."""
    import yaml

    from stepgauge.adapters.lm_eval.inherit import complete

    text = (folder / "mmlu_pro_math_stepgauge.yaml").read_text(encoding="utf-8").replace("!function ", "")
    config = {key: value for key, value in yaml.safe_load(text).items() if key != "class"}
    whole = complete(config)
    assert whole["output_type"] == "generate_until"
    assert whole["task"] == "mmlu_pro_math_stepgauge"
