"""`stepgauge score --ray`: the rows of one process, whoever is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from faulty_scorers import KILL, make_faulty_scorer
from scoring import CHEAP, PLUGIN, rows, score, traces, write_jsonl

PROGRAM = "import sys; from stepgauge.adapters.cli import main; sys.exit(main())"
N, WINDOW = 120, 4
# Malformed rows between, and chains of unequal length.
ROWS = [
    row
    for i, one in enumerate(traces(N))
    for row in ([{**one, "response": "We add.\n" * (i % 7) + one["response"]}, "{"] if i % 50 == 7 else [one])
]


def start(*args: object, **environment: str) -> subprocess.Popen[str]:
    """One thread in each process: how many there are moves the last digits."""
    env = {**os.environ, "PYTHONPATH": str(PLUGIN), "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-c", PROGRAM, "score", *map(str, args), "--window", str(WINDOW)]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(*args: object, **environment: str) -> str:
    """What it says on standard error."""
    process = start(*args, **environment)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return said


def wait_for_windows(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    while not (out / "windows.jsonl").exists() or (out / "windows.jsonl").read_text().count("\n") < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def kill(process: subprocess.Popen[str], name: str) -> None:
    found = psutil.Process(process.pid).children(recursive=True)
    next(child for child in found if name in " ".join(child.cmdline())).kill()


def lines(out: Path, name: str = "scores.jsonl") -> list[str]:
    return sorted((out / name).read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return write_jsonl(tmp_path_factory.mktemp("in") / "in.jsonl", ROWS)


@pytest.fixture(scope="module")
def whole(source, tiny_scorer, tmp_path_factory) -> Path:
    """What one process writes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run(source, "--out", out, "--scorer", tiny_scorer, "--controls", "foreign")
    return out


def test_workers_without_ray_and_devices_that_ray_must_choose_are_one_line(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    for args, message in (
        (("--workers", "2"), "--workers 2: expected 1 or more, and --ray"),
        (("--ray", "--workers", "0"), "--workers 0: expected 1 or more, and --ray"),
        (("--ray", "--device", "cuda:1"), "--device cuda:1: Ray chooses where the scoring LMs are"),
    ):
        assert score(source, "--out", tmp_path / "out", *args) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_ray_it_is_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("stepgauge.metrics.actors.quiet_ray.is_installed", lambda module: module != "ray")
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(source, "--out", tmp_path / "out", "--ray") == 2
    assert capsys.readouterr().err == "stepgauge: --ray needs Ray: pip install 'stepgauge[ray]'\n"


@pytest.mark.parametrize(
    "killed",
    [
        pytest.param(None, marks=pytest.mark.slow),
        pytest.param("ScorerActor", marks=pytest.mark.long),
        pytest.param("WindowScorer", marks=pytest.mark.long),
    ],
)
def test_two_actors_write_the_rows_of_one_process_also_where_each_kind_of_process_is_killed(
    source, whole, tiny_scorer, tmp_path, killed
):
    out = tmp_path / "out"
    process = start(source, "--out", out, "--scorer", tiny_scorer, "--controls", "foreign", "--ray", "--workers", "2")
    if killed is not None:
        wait_for_windows(out, 3, process)
        kill(process, killed)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "ray" not in said.lower().replace(str(tmp_path).lower(), "")
    assert lines(out) == lines(whole)
    assert lines(out, "skipped.jsonl") == lines(whole, "skipped.jsonl")
    assert json.loads((out / "summary.json").read_text())["scored"] == N


@pytest.mark.long
def test_run_whose_driver_was_killed_goes_on_with_or_without_ray(source, whole, tiny_scorer, tmp_path):
    for more in (("--ray", "--workers", "2"), ()):
        out = tmp_path / f"out{len(more)}"
        asked = (source, "--out", out, "--scorer", tiny_scorer, "--controls", "foreign")
        killed = start(*asked, "--ray", "--workers", "2")
        wait_for_windows(out, 3, killed)
        killed.kill()
        killed.communicate()
        assert 0 < len(lines(out)) < N
        run(*asked, *more)
        assert lines(out) == lines(whole)


@pytest.mark.long
def test_chain_that_kills_its_scorer_is_unscored_and_takes_no_other_along(tmp_path, tokenizers):
    faulty = make_faulty_scorer(tmp_path, tokenizers["qwen"])
    deadly = {**traces(1)[0], "question": f"Deadly {KILL}?", "id": "deadly"}
    chains = traces(11)
    source = write_jsonl(tmp_path / "in.jsonl", [*chains[:6], deadly, *chains[6:]])
    modules = {"HF_MODULES_CACHE": str(tmp_path / "modules")}
    run(source, "--out", tmp_path / "out", "--scorer", faulty, "--set", "trust_remote_code=true", "--ray", **modules)
    found = rows(tmp_path / "out")
    assert sorted(row["id"] for row in found) == sorted([row["id"] for row in chains] + ["deadly"])
    (bad,) = [row for row in found if row["score"]["metrics"]["infogain_nats"] is None]
    assert bad["id"] == "deadly"
    assert "died twice with this in hand" in bad["score"]["missing"]["infogain_nats"]


@pytest.mark.long
def test_registered_backend_scores_in_ray_s_processes_and_ctrl_c_leaves_none(tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", traces(60))
    out = tmp_path / "out"
    process = start(source, "--out", out, *CHEAP, "--ray", "--workers", "2", STEPGAUGE_CHEAP_SECONDS="0.2")
    wait_for_windows(out, 3, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("stepgauge: interrupted: ")
    assert "Traceback" not in said
    assert psutil.wait_procs([child for child in children if child.is_running()], timeout=20)[1] == []
    run(source, "--out", out, *CHEAP, "--ray", "--workers", "2")
    assert sorted(row["id"] for row in rows(out)) == sorted(f"q{i}" for i in range(60))
