"""`stepgauge compare --series` and `report --series`: checkpoints of one training against its first."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from scoring import gain_after_each_step, rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main

N = 60
FAST = ("--resamples", "999")
# What each checkpoint's chains gain more than the first one's in nats, and the share of right answers.
CHECKPOINTS = {0: (0.0, 0.25), 9: (1.0, 0.25), 20: (0.0, 0.25), 100: (-2.0, 0.9), 200: (-2.5, 0.9)}


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("training")
    source = write_jsonl(out / "traces.jsonl", traces(N, meta={"accuracy": 0.0}))
    assert score(source, "--out", out / "scored") == 0
    first = rows(out / "scored")
    for step, (nats, right) in CHECKPOINTS.items():
        changed = copy.deepcopy(first)
        for i, row in enumerate(changed):
            spread = row["score"]["metrics"]["infogain_nats"] / 20 + (0.3 if (i * 7 + step) % 5 == 0 else 0.0)
            gain_after_each_step(row, 4 + spread + nats)
            row["accuracy"]["accuracy"] = float((i * 13) % N < right * N)
        (out / f"step-{step}").mkdir()
        write_jsonl(out / f"step-{step}" / "scores.jsonl", changed)
    return out


def series(training: Path, *args: object, steps=(0, 100, 20, 200, 9)) -> int:
    runs = [training / f"step-{step}" for step in steps]  # as a shell sorts them, not as numbers
    return main(["compare", *map(str, runs), "--series", "step", *map(str, args), *FAST])


def test_checkpoints_stand_in_the_order_of_their_numbers_and_say_when_reasoning_turned(training, capsys):
    assert series(training, "--width", 80) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert re.findall(r"^step (\d+):", printed, re.MULTILINE) == ["9", "20", "100", "200"]
    assert re.findall(r"^step \d+: (.*?) \(60 questions\)$", printed, re.MULTILINE)[2:] == ["trap", "trap"]
    assert "reasoning turned at step 100 and stays lower than at step 0: " in printed
    assert "from step 100 on that is a trap" in printed


def test_json_has_each_checkpoint_with_p_corrected_over_the_whole_series(training, capsys):
    assert series(training, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    points = found["series"]["checkpoints"]
    assert [point["position"] for point in points] == [9, 20, 100, 200]
    assert (found["series"]["turned"], found["series"]["trapped"]) == ("step-100", "step-100")
    pairs = [(row["p"], row["p_holm"]) for point in points for row in point["rows"].values() if row["p"] is not None]
    ranked = sorted(pairs)
    highest = 0.0
    for i, (p, holm) in enumerate(ranked):  # Holm's rule by hand
        highest = max(highest, min(1.0, p * (len(ranked) - i)))
        assert holm == pytest.approx(highest)
    alone = [one["overall"] or one["tasks"][0] for one in found["comparisons"]]
    assert all(
        row["p_holm"] <= point["rows"][row["measure"]]["p_holm"]
        for task, point in zip(alone, points, strict=True)
        for row in task["rows"]
        if row["p"] is not None
    )


def test_a_fall_that_does_not_last_is_no_turn(training, capsys):
    assert series(training, "--format", "json", steps=(0, 20)) == 0
    assert json.loads(capsys.readouterr().out)["series"]["turned"] is None
    for step, name in ((0, "0"), (100, "1"), (20, "2")):
        folder = training / "back" / f"step-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scores.jsonl").write_bytes((training / f"step-{step}" / "scores.jsonl").read_bytes())
    runs = [str(training / "back" / f"step-{i}") for i in range(3)]
    assert main(["compare", *runs, "--series", "step", *FAST]) == 0
    printed = capsys.readouterr().out
    assert "reasoning is lower than at step 0 at step 1, not at the end" in printed
    assert "turned" not in printed
    assert "trap:" not in printed


def test_runs_with_names_keep_their_order_and_the_first_is_the_base(training, capsys):
    runs = [f"{name}={training / f'step-{step}'}" for name, step in (("sft", 100), ("start", 0), ("rl", 9))]
    assert main(["compare", *runs, "--series", "stage", "--base", "start", "--format", "json", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)["series"]
    assert (found["base"], [point["run"] for point in found["checkpoints"]]) == ("start", ["sft", "rl"])
    assert {point["position"] for point in found["checkpoints"]} == {None}


def test_out_holds_the_series_beside_the_comparisons(training, tmp_path, capsys):
    assert series(training, "--out", tmp_path) == 0
    capsys.readouterr()
    text = (tmp_path / "comparison.md").read_text()
    assert text.startswith("# 4 checkpoints against step-0")
    assert "- reasoning turned at step 100" in text
    assert len(json.loads((tmp_path / "comparison.json").read_text())["comparisons"]) == 4


def test_a_path_in_the_place_of_the_unit_is_one_line(training, capsys):
    assert main(["compare", str(training / "step-0"), "--series", str(training / "step-9"), *FAST]) == 2
    assert "expected what counts the checkpoints" in capsys.readouterr().err


def test_report_draws_the_trajectory_and_says_when_reasoning_turned(training, tmp_path, capsys):
    runs = [str(training / f"step-{step}") for step in CHECKPOINTS]
    page = tmp_path / "page.html"
    command = ["report", *runs, "--series", "step", "-o", str(page), "--figures", str(tmp_path / "figures"), *FAST]
    assert main(command) == 0
    assert "trajectory.png" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "Reasoning turned at step 100 and stays lower than at step 0" in text
    assert 'id="plot-trajectory"' in text
