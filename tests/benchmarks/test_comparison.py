"""The benchmarks of comparisons: what is planted is what they say, and splits at random raise no alarm."""

from __future__ import annotations

import json
import random
import re
import sys

import numpy as np
import pytest
from benchmark_modules import benchmark
from made_runs import drawn
from scoring import score, traces, write_jsonl

from stepgauge.adapters.cli import main

SOLUTION = "He has 3 + 4 = <<3+4=7>>7 eggs.\nHe sells 7 * 2 = $<<7*2=14>>14.\nThen 14 - 1 = <<14-1=13>>13.\nA: 13"


def test_planted_chains_keep_the_answer_and_lose_what_they_say_they_lose():
    planted = benchmark("comparison.planted")
    steps, answer = planted.lines_of(SOLUTION)
    assert (steps[0], answer) == ("He has 3 + 4 = 7 eggs.", "13")
    weak = planted.Solution(*planted.lines_of(SOLUTION.replace("13", "12")), right=False)
    item = planted.Item("1", "How much?", "13", planted.Solution(steps, answer, right=True), weak)
    assert item.usable
    made = {name: change(steps, random.Random(0)) for name, change in planted.CHANGES.items()}
    assert sorted(made["shuffled"]) == sorted(steps)
    assert made["shuffled"] != steps
    assert made["emptied"] == []
    assert len(made["filler"]) == len(steps)
    assert not set(made["filler"]) & set(steps)
    for changed in made.values():
        trace = planted.trace(item, item.strong, changed)
        assert trace["response"].endswith("The answer is 13.")
        assert (trace["answer"], trace["model_answer"], trace["meta"]["accuracy"]) == ("13", "13", 1.0)


def test_each_split_gives_one_chain_of_a_pair_to_either_side():
    false_alarms = benchmark("comparison.false_alarms")
    rng = np.random.default_rng(0)
    one, two = (drawn(name, rng, 30, gain=2, right=0.5).records for name in "ab")
    base, tuned = false_alarms.split(list(zip(one, two, strict=True)), random.Random(1))
    for left, right, *pair in zip(base.records, tuned.records, one, two, strict=True):
        assert {id(left), id(right)} == {id(member) for member in pair}
    assert any(left is member for left, member in zip(base.records, one, strict=True))
    assert any(left is member for left, member in zip(base.records, two, strict=True))
    raised = false_alarms.raised(tuned, "correct", random.Random(2))
    before, after = (sum(record.accuracy["correct"] for record in run.records) for run in (tuned, raised))
    assert before < after < 30
    assert [record.score for record in raised.records] == [record.score for record in tuned.records]


def test_false_alarms_are_counted_on_two_scored_runs(tmp_path, monkeypatch, capsys):
    for name, accuracy in (("a", 1.0), ("b", 0.0)):
        source = write_jsonl(tmp_path / f"{name}.jsonl", traces(20, meta={"accuracy": accuracy}))
        assert score(source, "--out", tmp_path / name) == 0
    arguments = ["--runs", f"a={tmp_path / 'a'}", f"b={tmp_path / 'b'}", "--splits", "2", "--resamples", "999"]
    monkeypatch.setattr(sys, "argv", ["false_alarms", str(tmp_path), *arguments])
    assert benchmark("comparison.false_alarms").main() == 0
    printed = capsys.readouterr().out
    assert "20 questions, two chains each, 50.0% right, 2 splits" in printed
    assert len(re.findall(r"verdict .* of 2 ", printed)) >= 2


@pytest.mark.slow
def test_large_runs_are_the_shipped_pair_again_and_again_and_what_comparing_them_takes_is_printed(tmp_path, capsys):
    speed = benchmark("comparison.compare_speed")
    sides = {side: tmp_path / f"{side}.jsonl" for side in ("base", "tuned")}
    for side, path in sides.items():
        speed.write_run(side, 250, path)
    named = [f"{side}={path}" for side, path in sides.items()]
    assert main(["compare", *named, "--resamples", "999", "--format", "json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)[0]["tasks"]
    rows = {row["measure"]: row for row in task["rows"]}
    assert (task["n_pairs"], rows["accuracy"]["n_clusters"]) == (250, 250)
    assert rows["infogain_nats"]["n"] == 250 - 2 * 2, "two of the pair's 120 chains have no steps; 10 more are copied"
    assert speed.main(["--questions", "120"]) == 0
    wall, cpu, memory = map(float, re.findall(r"[\d.]+", capsys.readouterr().out.splitlines()[-1])[1:])
    assert min(cpu, wall) > 0
    assert 50 < memory < 4000


@pytest.mark.parametrize("total", [20, 0])
def test_replay_draws_the_same_questions_for_all_four_models_half_from_each_category(shared_data, total, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_SHARED", str(shared_data.parent))
    replay = benchmark("comparison.replay")
    ids = set(replay.sample(total))
    assert len(ids) == (total or 818 + 1351)
    for model in (model for pair in replay.PAIRS.values() for model in pair):
        found = [row["category"] for row in replay.rows_of(model) if row["question_id"] in ids]
        assert found.count("health") == (10 if total else 818)
        assert found.count("math") == (10 if total else 1351)


def test_pictures_of_a_report_are_taken_whole_in_the_light_on_a_phone_and_in_the_dark(tmp_path, monkeypatch):
    screenshots = benchmark("comparison.screenshots")
    if screenshots.find_chromium() is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    source = write_jsonl(tmp_path / "traces.jsonl", traces(6, meta={"accuracy": 1.0}))
    assert score(source, "--out", tmp_path / "run") == 0
    runs = [f"{name}={tmp_path / 'run'}" for name in ("base", "tuned")]
    monkeypatch.setattr(sys, "argv", ["screenshots", *runs, "--out", str(tmp_path / "images")])
    assert screenshots.main() == 0
    pictures = {path.stem: image.open(path).convert("L") for path in (tmp_path / "images").iterdir()}
    widths = {name: picture.width for name, picture in pictures.items()}
    assert widths == {"overview": 1280, "chain": 1280, "dark": 1280, "phone": 780}
    grounds = {name: picture.getpixel((2, 2)) for name, picture in pictures.items()}
    assert grounds["dark"] < 60
    assert {grounds[name] for name in ("overview", "chain", "phone")} == {255}


@pytest.mark.slow
def test_the_monitored_training_leaves_a_series_and_a_picture(tmp_path, capsys):
    assert benchmark("comparison.sft_monitor").main(["--tiny", "--out", str(tmp_path)]) == 0
    assert "--series step" in capsys.readouterr().out
    history = json.loads((tmp_path / "history.json").read_text(encoding="utf-8"))
    assert [entry["step"] for entry in history if "stepgauge/accuracy" in entry] == [0, 1, 2]
    assert len(list((tmp_path / "stepgauge").glob("step-*/scores.jsonl"))) == 3
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
