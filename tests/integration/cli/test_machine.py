"""Full disks, folders that cannot be written, Ctrl-C: one line, the exit code says it, and finished work stays."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scoring import rows, score, traces, write_jsonl
from sweeps import sweep

from stepgauge.adapters.cli import main

PROGRAM = (
    "import sys; print('up', file=sys.stderr, flush=True); from stepgauge.adapters.cli import main; sys.exit(main())"
)
NULL = ("--set", "scorer=null")


def started(*args: object, limit: int | None = None, **environment: str) -> subprocess.Popen[str]:
    """The command in a process of its own, which has begun; `limit`: bytes a file of it may have."""

    def bound() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-c", PROGRAM, *map(str, args)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", **environment}
    process = subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=bound,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "up\n"
    return process


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("runs")
    write_jsonl(base / "in.jsonl", traces(300, meta={"model": "m", "task": "t", "accuracy": 1}))
    for name in ("a", "b"):
        assert score(base / "in.jsonl", "--out", base / name, *NULL, cheap=False) == 0
    return base


def windows_of(folder: Path) -> list[int]:
    """The bytes of `scores.jsonl` up to each window."""
    lines = (folder / "windows.jsonl").read_text().splitlines()
    return [json.loads(line)["sizes"]["scores.jsonl"] for line in lines]


def test_full_disk_keeps_whole_windows_and_the_same_command_goes_on(runs, tmp_path):
    out = tmp_path / "out"
    first, second = windows_of(runs / "a")[:2]
    full = started("score", runs / "in.jsonl", "--out", out, *NULL, limit=(first + second) // 2)
    _, error = full.communicate(timeout=120)
    assert full.returncode == 2
    [line] = [line for line in error.splitlines() if not line.startswith("INFO")]
    assert line.startswith(f"stepgauge: --out {out}: cannot be written: [Errno 27]")
    assert "until then: 64 scored, 0 skipped, 0 failed. The same command goes on from here" in line
    assert score(runs / "in.jsonl", "--out", out, *NULL, cheap=False) == 0
    assert (out / "scores.jsonl").read_bytes() == (runs / "a" / "scores.jsonl").read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        ["report", "a={a}", "b={b}", "-o", "{out}/page.html"],
        ["compare", "a={a}", "b={b}", "--resamples", "999", "--out", "{out}"],
        ["corpus", "build", "{in}", "{out}/corpus", "--text-field", "question"],
    ],
)
def test_full_disk_leaves_no_half_of_a_file(runs, tmp_path, command):
    out = tmp_path / "out"
    out.mkdir()
    places = {"a": runs / "a", "b": runs / "b", "in": runs / "in.jsonl", "out": out}
    full = started(*(part.format(**places) for part in command), limit=1_000)
    _, error = full.communicate(timeout=120)
    assert full.returncode == 2
    assert error.count("\n") == 1
    assert "[Errno 27]" in error
    assert [path.name for path in out.iterdir() if not path.name.endswith(".building")] == []


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
@pytest.mark.parametrize("command", ["score", "compare", "report"])
def test_out_that_cannot_be_is_one_line(runs, tmp_path, capsys, monkeypatch, command, out):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("kept")
    arguments = {
        "score": ["score", str(runs / "in.jsonl"), "--out", out, *NULL],
        "compare": ["compare", f"a={runs / 'a'}", f"b={runs / 'b'}", "--resamples", "999", "--out", out],
        "report": ["report", f"a={runs / 'a'}", "-o", f"{out}/page.html"],
    }[command]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("stepgauge: ")
    assert error.count("\n") == 1
    assert Path("file").read_text() == "kept"


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full on this system")
def test_devices_are_written_to_and_never_replaced(runs):
    for command in (["report", f"a={runs / 'a'}", "-o", "/dev/full"], ["metrics"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "stepgauge.adapters.cli", *command],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "No space left on device" in done.stderr
        assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def _garbage(path: Path) -> None:
    path.write_bytes(b"garbage \xff\n")


def _first_line_lost(path: Path) -> None:
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"\xff" * (len(first) - 1) + b"\n" + b"".join(rest))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("windows.jsonl", _garbage, "windows.jsonl: gone, damaged or of other rows"),
        ("windows.jsonl", Path.unlink, "windows.jsonl: gone, damaged or of other rows"),
        ("scores.jsonl", _garbage, "which rows are whole is not known"),
        ("scores.jsonl", _first_line_lost, "scores.jsonl, row 1: damaged"),
        ("run.json", _garbage, "run.json: not a JSON object"),
        ("run.json", lambda path: path.write_text("[1]"), "run.json: not a JSON object"),
    ],
)
def test_damaged_output_is_one_line_and_nothing_of_it_is_thrown_away(runs, tmp_path, capsys, name, damage, said):
    out = tmp_path / "out"
    shutil.copytree(runs / "a", out)
    damage(out / name)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert score(runs / "in.jsonl", "--out", out, *NULL, cheap=False) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "--restart" in error
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_damaged_line_in_the_middle_of_the_journal_costs_nothing(runs, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(runs / "a", out)
    _first_line_lost(out / "windows.jsonl")
    assert score(runs / "in.jsonl", "--out", out, *NULL, cheap=False) == 0
    assert (out / "scores.jsonl").read_bytes() == (runs / "a" / "scores.jsonl").read_bytes()


COMMANDS = {
    "score": ["score", "{in}", "--out", "{out}", "--device", "cpu"],
    "dry run": ["score", "{in}", "--dry-run"],
    "compare": ["compare", "a={a}", "b={b}", "--resamples", "90000000"],
    "report": ["report", "a={a}", "b={b}", "--resamples", "90000000", "-o", "{out}"],
    "show": ["show", "{a}"],
    "metrics": ["metrics"],
    "plugins": ["plugins"],
    "include-path": ["include-path"],
    "tasks": ["tasks"],
    "corpus": ["corpus", "build", "{in}", "{out}", "--text-field", "question"],
    "model": ["model", "smollm2"],
    "fit": ["fit", "--traces", "{in}", "--out", "{out}", "--device", "cpu"],
    "lm-eval": ["lm-eval", "run", "--tasks", "stepgauge_demo", "--model", "dummy"],
    "demo": ["demo", "--out", "{out}"],
}


QUICK = ("dry run", "show", "metrics", "plugins", "include-path", "corpus", "tasks")


@pytest.mark.parametrize("sent", [signal.SIGINT])
@pytest.mark.parametrize("after", [0.1, pytest.param(2.5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", sweep(COMMANDS, ["compare", "tasks"]))
def test_ctrl_c_in_any_command_is_one_line_and_130(runs, tmp_path, command, after, sent):
    places = {"a": runs / "a", "b": runs / "b", "in": runs / "in.jsonl", "out": tmp_path / "out"}
    process = started(*(part.format(**places) for part in COMMANDS[command]), STEPGAUGE_CACHE=str(tmp_path / "cache"))
    time.sleep(after)
    process.send_signal(sent)
    _, error = process.communicate(timeout=120)
    if process.returncode in (0, -sent) and command in QUICK:  # it had ended, and Python was ending, too
        assert after > 1
        return
    assert process.returncode == 130
    assert "Traceback" not in error
    lines = [line for line in error.splitlines() if line and "INFO" not in line and "%|" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("stepgauge: interrupted")
    assert not list(tmp_path.glob("cache/models/*"))
    assert not (tmp_path / "out").is_file()


@pytest.mark.parametrize("after", [0.1, 2.5])
def test_being_terminated_is_being_interrupted(runs, after):
    process = started("compare", f"a={runs / 'a'}", f"b={runs / 'b'}", "--resamples", "90000000")
    time.sleep(after)
    process.terminate()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "\nstepgauge: interrupted\n"
    assert rows(runs / "a")
