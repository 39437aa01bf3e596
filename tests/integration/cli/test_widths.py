"""What commands print on terminals of four widths: every number whole, and nothing left out in silence."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from scoring import rows, score, traces, write_jsonl
from terminal_tables import table_rows

from stepgauge.adapters.cli import main

WIDTHS = (60, 80, 100, 160)
FAST = ("--resamples", "999")
MODELS = "/tmp/tmp0a1b2c3d4e5f/pytest-of-somebody/pytest-0/models/{}/checkpoint-{}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[str]:
    """Two runs of models in long temporary folders, with repeats, controls and numbers of many digits."""
    folder = tmp_path_factory.mktemp("widths")
    specs = []
    for name, step in (("base", 100), ("tuned", 300)):
        given = [
            {**trace, "id": f"{trace['id']}#{repeat}", "meta": {**meta, "accuracy": float((i + repeat * step) % 4 > 1)}}
            for i, trace in enumerate(traces(12))
            for repeat in range(2)
            for meta in ({"model": MODELS.format(name, step), "task": "sums-of-two-numbers", "doc_id": i},)
        ]
        out = folder / name
        assert score(write_jsonl(folder / f"{name}.jsonl", given), "--out", out, "--controls", "filler") == 0
        written = rows(out)
        for number, row in enumerate(written):
            row["score"]["metrics"]["infogain"] = -13701.4 * (1 if name == "base" else 91) - number
        write_jsonl(out / "scores.jsonl", written)
        specs.append(str(out))
    return specs


def printed(*args: object, capsys: Any) -> str:
    capsys.readouterr()
    assert main([*map(str, args)]) == 0
    return capsys.readouterr().out


def numbers(cells: list[str]) -> list[float | None]:
    """What cells say, intervals as two numbers; None for a dash."""
    found: list[float | None] = []
    for cell in cells:
        texts = re.findall(r"–|[-−+<]?\d[\d,]*(?:\.\d+)?(?:e[−+]?\d+)?", cell)
        assert texts, f"no number in {cell!r} of {cells}"
        found += [None if text == "–" else float(text.replace("−", "-").replace(",", "").strip("<")) for text in texts]
    return found


def near(expected: list[float | None], shown: list[float | None], decimals: int = 4) -> bool:
    """Whether the numbers are those of the JSON: three digits are shown, and so many decimals at most."""
    return len(expected) == len(shown) and all(
        (one is None) == (other is None)
        and (one is None or other == pytest.approx(one, rel=5.1e-3, abs=0.51 * 10**-decimals))
        for one, other in zip(expected, shown, strict=True)
    )


def interval(low: float | None, high: float | None) -> list[float | None]:
    return [None] if low is None else [low, high]


@pytest.mark.parametrize("width", WIDTHS)
def test_compare_shows_the_numbers_of_its_json_below_the_verdict(runs, width, capsys):
    (comparison,) = json.loads(printed("compare", *runs, *FAST, "--format", "json", capsys=capsys))
    said = printed("compare", *runs, *FAST, "--width", width, capsys=capsys)
    (task,) = comparison["tasks"]
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said
    assert said.index("verdict: ") < said.index("\nmeasure ")
    left_out = re.search(r"left out for want of room: (.*?) \(", " ".join(said.split()))
    assert (left_out[1] if left_out else "") == ("" if width == 160 else "unit, relative, p")
    shown = table_rows(said[: said.index("\n•")], "measure")
    assert set(shown) == {row["label"] for row in task["rows"] if row["n"] or row["role"] == "deciding"}
    for row in task["rows"]:
        if row["label"] not in shown:
            continue
        expected = [row["base"], row["tuned"], row["difference"], *interval(row["low"], row["high"])]
        cells = shown[row["label"]]
        if left_out is None:
            assert cells.pop(0) == row["unit"]
            relative, p = cells.pop(4), cells.pop(4)
            assert (relative == "–") == (row["relative"] is None)
            assert near([row["p"]], numbers([p])) or row["p"] < 0.001
        found = numbers(cells)
        if row["p_holm"] is not None:
            assert found[-2] == pytest.approx(max(row["p_holm"], 0.001), abs=6e-4)
        assert near([*expected, float(row["n"])], [*found[:-2], found[-1]]), (row, cells)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", ["repeats", "calibration"])
def test_repeats_and_calibration_show_the_numbers_of_their_json(runs, command, width, capsys):
    (table,) = json.loads(printed(command, *runs, *FAST, "--format", "json", capsys=capsys))
    said = printed(command, *runs, *FAST, "--width", width, capsys=capsys)
    assert max(map(len, said.splitlines())) <= width
    shown = table_rows(said, "measure" if command == "repeats" else " ")
    kept = [row for row in table["rows"] if not row.get("bucket")]
    assert set(shown) == {row["label"] for row in kept}
    for row in kept:
        sides = [row["all"][side] for side in ("base", "tuned", "difference")]
        cells = shown[row["label"]]
        if command == "repeats":
            assert ("left out for want of room: unit" in said) == (width < 100)
            assert width < 100 or cells.pop(0) == row["unit"]
            expected = [one["value"] for one in sides] + interval(sides[2]["low"], sides[2]["high"])
        else:
            expected = [x for one in sides for x in (one["value"], *interval(one["low"], one["high"]))]
        assert near([*expected, float(row["all"]["base"]["n"])], numbers(cells)), (row, cells)


@pytest.mark.parametrize("width", WIDTHS)
def test_models_in_folders_are_called_by_the_folder(runs, width, capsys):
    said = printed("compare", *runs, *FAST, "--width", width, capsys=capsys)
    assert "checkpoint-300 against checkpoint-100" in said
    assert "/tmp/tmp0a1b2c3d4e5f" not in said


@pytest.mark.parametrize("width", WIDTHS)
def test_score_shows_the_numbers_of_its_summary(runs, width, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    source = Path(runs[0]).parent / "base.jsonl"
    capsys.readouterr()
    assert score(source, "--out", tmp_path / "out", "--controls", "filler") == 0
    said = capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (group,), (controls,) = summary["groups"], summary["controls"]
    table = [line for line in said.splitlines() if not line.startswith(("base.jsonl: ", str(tmp_path)))]
    assert max(map(len, table)) <= width
    [(label, cells)] = table_rows(said, "input, task, model").items()
    assert label.split()[0] == "base.jsonl"
    assert "checkpoint-100" in said
    assert "/tmp/tmp0a1b2c3d4e5f" not in said
    names = ("infogain_nats_before_answer", "infogain_nats", "infogain", "ki", "ki_coverage")
    means = [group["accuracy"]["accuracy"], *(group["metrics"][name] for name in names)]
    assert near([24.0, *(mean["mean"] for mean in means)], numbers(cells[:7]), 3), cells
    shown = table_rows(said, "gain")
    for name in ("infogain_nats", "copy_gain_nats", "gain_over_filler"):
        expected = []
        for one in (controls["metrics"][name], controls["metrics"][f"{name}_before_answer"]):
            expected += [one["mean"], one["low"], one["high"], float(one["n"])]
        assert near(expected, numbers(shown[name]), 3), name


def on_terminal(width: int, *args: str, **environment: str) -> str:
    """What a command writes to a terminal of this width."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        program = str(Path(sys.executable).parent / "stepgauge")
        os.execve(program, [program, *args], {**kept, "TERM": "xterm-256color", **environment})
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the terminal is closed
            break
        if not piece:
            break
        said += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said
    return said.decode().replace("\r\n", "\n")


COLOUR = re.compile(r"\x1b\[[\d;]*3\dm")


@pytest.mark.slow
def test_a_terminals_width_is_found_and_colour_is_left_out_where_it_is_not_wanted(runs, capsys):
    plain = printed("compare", *runs, *FAST, "--width", 80, capsys=capsys)
    assert "\x1b" not in plain, "piped"
    for environment, colour in (({}, True), ({"NO_COLOR": "1"}, False)):
        said = on_terminal(80, "compare", *runs, *FAST, **environment)
        assert (COLOUR.search(said) is not None) == colour, environment
        assert re.sub(r"\x1b\[[\d;]*m", "", said) == plain
