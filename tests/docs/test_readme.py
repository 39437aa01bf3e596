"""The README is short, and what it says runs: its commands, in a folder that holds what a user has already."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from columns import IN_PANEL, MAY_BE_MISSING, REASONING, assert_numbers, inspect_panel, lm_eval_table, score_table
from commands import blocks, shell
from repo import REPO

from stepgauge.adapters.cli import main

README = (REPO / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks("README.md")
SHELL = [line for language, body in BLOCKS if language == "bash" for line in body.splitlines()]
RECIPES = blocks("docs/recipes.md")


def lines(tool: str) -> list[str]:
    return [line for line in SHELL if line.split()[0] == tool]


def line(start: str) -> str:
    (found,) = (line for line in SHELL if line.startswith(start))
    return found


def test_it_is_read_in_a_few_minutes_and_every_command_is_covered_here():
    assert len(README.split()) <= 700
    assert {line.split()[0].split("=")[0] for line in SHELL} == {"make", "pip", "MODEL", "inspect", "stepgauge"}


def test_make_targets_exist_and_the_pip_lines_are_the_makefiles():
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for command in lines("make"):
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE)
        subprocess.run([*command.split(), "-n"], cwd=REPO, check=True, capture_output=True)
    for command in lines("pip"):
        wanted = command.removeprefix("pip ").replace("'.[all]'", "-e '.[all]'")
        assert f"$(PIP) {wanted}\n" in makefile


def test_the_output_shown_is_what_the_command_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(line("stepgauge demo").split()[1:]) == 0
    printed = capsys.readouterr().out
    (shown,) = (body for language, body in BLOCKS if language == "text")
    lines = [row.rstrip() for row in printed.splitlines()]
    rows = [row for row in shown.splitlines() if row != "…"]
    assert lines[lines.index(rows[0]) :][: len(rows)] == rows
    assert "So the verdict is trap: " in printed
    assert (tmp_path / "demo-output" / "trap" / "report.html").stat().st_size > 10_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, smollm2) -> Path:
    """The recipes' task in both frameworks' form, and a log of it that knows nothing of stepgauge."""
    smollm2.preflight()
    out = tmp_path_factory.mktemp("user")
    for _, body in RECIPES:
        if name := re.match(r"# (my_task\.yaml|sums\.py)\n", body):
            (out / name[1].replace("sums", "my_task")).write_text(body, encoding="utf-8")
    rows = [{"question": f"Kim has {n} boxes of 12 eggs. How many?", "answer": str(12 * n)} for n in (3, 4)]
    (out / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return out


@pytest.fixture(scope="module")
def run(folder: Path) -> Callable[[str], str]:
    return lambda command: shell(folder, f"{line('MODEL=')}\n{command}").stdout


@pytest.mark.slow
def test_lm_evals_command_with_stepgauge_in_front(run):
    command = line("stepgauge lm-eval").replace("gsm8k_cot", "my_task --include_path .")  # GSM8K is on the hub
    table = lm_eval_table(run(command))["my_task"]
    assert_numbers(table["reasoning"], REASONING, or_missing=MAY_BE_MISSING)


@pytest.mark.slow
def test_inspects_commands_wrap_a_task_and_score_a_log(run, folder):
    wrap, score = lines("inspect")
    assert [name for name, _ in inspect_panel(run(wrap))] == ["match", *IN_PANEL]
    run("inspect eval my_task.py --model hf/smollm2 -M model_path=$MODEL --log-dir bare")
    shutil.move(next((folder / "bare").glob("*.eval")), folder / "my_log.eval")
    assert [name for name, _ in inspect_panel(run(score))] == ["match", *IN_PANEL]


@pytest.mark.slow
def test_finished_runs_are_scored_compared_and_reported(run, folder):
    for out, model in (("base-logs", "base"), ("tuned-logs", "tuned")):  # two checkpoints, here of the same weights
        made = f"ln -s $MODEL {model}; lm-eval run --model hf --model_args pretrained={model} --include_path ."
        run(f"{made} --tasks my_task --log_samples --output_path {out}")
    assert len(score_table(run(line("stepgauge score")))) == 2
    assert "verdict: " in run(line("stepgauge compare"))
    run(line("stepgauge report"))
    assert (folder / "report.html").stat().st_size > 10_000
