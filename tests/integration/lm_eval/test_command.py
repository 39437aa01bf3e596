"""Plain `lm-eval run` with our task folder: where options come from, and what a mistake among them does.

`tests/integration/test_doors.py` has the same command in a process of its own, with a real model.
"""

from __future__ import annotations

import json

import pytest
from columns import assert_numbers, lm_eval_table
from commands import in_process

pytest.importorskip("lm_eval")

import lm_eval.utils

from stepgauge.adapters.lm_eval import include_path


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, shipped_tasks_once):  # noqa: ARG001
    """Run the demo's arithmetic half with a model that answers nonsense; exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lm_eval.utils, "_LOGGING_CONFIGURED", True)  # its handler would keep a file that is closed

    def call(*arguments):
        tasks = ["--include_path", include_path(), "--tasks", "stepgauge_demo_arithmetic", "--limit", "2"]
        code = in_process("lm-eval", "run", "--model", "dummy", *tasks, *arguments)
        return code, *capsys.readouterr()

    return call


def test_a_mistake_ends_the_run_before_the_model_is_asked(run, monkeypatch, caplog):
    monkeypatch.setenv("STEPGAUGE_OPTIONS", '{"spliter": "lines"}')
    with caplog.at_level("INFO"):
        code, _, errors = run()
    assert code != 0
    last = errors.strip().splitlines()[-1]
    assert "task 'stepgauge_demo_arithmetic', environment variable STEPGAUGE_OPTIONS" in last
    assert "unknown option 'spliter'; did you mean 'splitter'?" in last
    assert "Selected Tasks" in caplog.text
    assert "Running generate_until" not in caplog.text


def test_metadata_on_the_command_line_sets_options_for_one_run(run):
    code, printed, _ = run("--metadata", json.dumps({"stepgauge": {"scorer": None}}))
    assert code == 0
    reasoning = lm_eval_table(printed)["stepgauge_demo_arithmetic"]["reasoning"]
    assert list(reasoning) == ["ki", "ki_coverage", "n_unscored"]
    assert_numbers(reasoning, reasoning, or_missing=["ki"])
