"""lm-eval's own command line in a process of its own: SmolLM2 answers, SmolLM2 scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from columns import REASONING

from stepgauge.adapters.lm_eval import include_path
from stepgauge.metrics.models.loading import resolve

pytestmark = pytest.mark.slow


def lm_eval(cwd, *arguments, **environment):
    command = [str(Path(sys.executable).with_name("lm-eval")), "run", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=800)
    print(done.stdout[-6_000:], done.stderr[-3_000:])
    return done


def test_a_real_model_is_scored_by_one_command_from_any_folder(tmp_path):
    done = lm_eval(
        tmp_path,
        *("--model", "hf", "--model_args", f"pretrained={resolve('smollm2')},dtype=float32"),
        *("--include_path", include_path(), "--tasks", "stepgauge_demo", "--limit", "2", "--batch_size", "2"),
        *("--output_path", str(tmp_path / "out"), "--log_samples"),
    )
    assert done.returncode == 0
    for name in (
        "exact_match",
        *REASONING,
        "n_unscored",
    ):
        assert f"|{name}" in done.stdout.replace(" ", ""), name
    assert "[stepgauge:" in done.stderr
    assert "[stepgauge_demo_arithmetic] infogain of 2 of 2 chains" in done.stderr
    [results] = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["configs"]["stepgauge_demo_medical"]["stepgauge"]["choices"] == "choices"
    [samples] = (tmp_path / "out").rglob("samples_stepgauge_demo_arithmetic_*.jsonl")
    chains = [json.loads(line) for line in samples.read_text().splitlines()]
    chains = [sample for sample in chains if sample["filter"] == "reasoning"]
    assert len(chains) == 2
    for sample in chains:
        [chain] = json.loads(sample["filtered_resps"][0])["chains"]
        assert chain["metrics"]["infogain"] == sample["infogain"]
        assert all(step["text"] in sample["resps"][0][0] for step in chain["steps"])
        assert chain["steps"][0]["gain"] is not None


def test_a_mistake_ends_the_run_before_the_model_is_asked(tmp_path):
    done = lm_eval(
        tmp_path,
        *("--model", "dummy", "--include_path", include_path(), "--tasks", "stepgauge_demo_arithmetic"),
        STEPGAUGE_OPTIONS='{"spliter": "lines"}',
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "task 'stepgauge_demo_arithmetic', environment variable STEPGAUGE_OPTIONS" in last
    assert "unknown option 'spliter'; did you mean 'splitter'?" in last
    assert "Running generate_until" not in done.stderr


def test_metadata_on_the_command_line_sets_options_for_one_run(tmp_path):
    done = lm_eval(
        tmp_path,
        *("--model", "dummy", "--include_path", include_path(), "--tasks", "stepgauge_demo_arithmetic", "--limit", "2"),
        *("--metadata", json.dumps({"stepgauge": {"scorer": None}})),
    )
    assert done.returncode == 0
    table = done.stdout.replace(" ", "")
    assert "|ki_coverage" in table
    assert "|infogain" not in table
