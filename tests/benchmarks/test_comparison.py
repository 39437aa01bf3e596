"""The benchmarks of comparisons: what is planted is what they say, and splits at random raise no alarm."""

from __future__ import annotations

import itertools
import json
import math
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
    history = json.loads((tmp_path / "shortcut" / "history.json").read_text(encoding="utf-8"))
    assert [entry["step"] for entry in history if "stepgauge/accuracy" in entry] == [0, 1, 2]
    assert len(list((tmp_path / "shortcut" / "stepgauge").glob("step-*/scores.jsonl"))) == 3
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


# --- the trap over many seeds ----------------------------------------------------------------------------------------


def test_the_sums_of_many_seeds_are_right_and_no_sum_is_in_two_pools():
    data = benchmark("comparison.trap_seeds_data")
    pools = {
        pool: [one for seed in range(3) for one in data.problems(pool, 150, seed)]
        for pool in ("corpus", "train", "test")
    }
    for one in [problem for pool in pools.values() for problem in pool]:
        told = [int(n) for n in re.findall(r"\d+", one.question)]
        verbs = re.findall(r"(\w+) \d", one.question)
        gained = [1 if verb in ("finds", "buys", "gets", "wins") else -1 for verb in verbs]
        total = told[0] + sum(sign * n for sign, n in zip(gained[1:], told[1:], strict=True))
        assert (one.answer, str(total) in map(str, told)) == (str(total), False)
        at = told[0]
        for step in one.steps:
            ((x, sign, y, result),) = re.findall(r"(\d+) ([-+]) (\d+) = (\d+)", step)
            assert int(x) == at
            at = int(x) + (int(y) if sign == "+" else -int(y))
            assert int(result) == at
        assert at == total
    keys = {pool: {one.key for one in found} for pool, found in pools.items()}
    assert not keys["corpus"] & keys["train"] | keys["corpus"] & keys["test"] | keys["train"] & keys["test"]
    assert data.problems("test", 150, 1) == pools["test"][150:300]


def test_a_corpus_has_every_form_of_solution_and_a_slip_is_carried_on():
    data = benchmark("comparison.trap_seeds_data")
    solutions = [solution.splitlines() for _, solution in data.corpus(2000, 0)]
    sums = [[re.search(r"(\d+) ([-+]) (\d+) = (\d+)", line) for line in lines[:-1]] for lines in solutions]
    direct = sum(not any(found) for found in sums) / 2000
    assert direct == pytest.approx(0.15, abs=0.03)
    wrong = 0
    for lines, found in zip(solutions, sums, strict=True):
        steps = [one for one in found if one]
        for before, after in itertools.pairwise(steps):
            assert before[4] == after[1]
        off = [int(one[4]) - int(one[1]) - int(f"{one[2]}{one[3]}") for one in steps]
        wrong += any(off)
        assert sum(map(bool, off)) <= 1
        if any(off):  # of solutions in full alone
            assert lines[-1] == f"The answer is {steps[-1][4]}."
    assert 0.03 < wrong / 2000 < 0.07


def test_what_is_counted_goes_with_the_answer_in_half_of_the_questions_but_not_in_a_corpus():
    data = benchmark("comparison.trap_seeds_data")
    goes = {}
    for pool in ("train", "test", "corpus"):
        found = [(re.findall(r"has \d (\w+)", one.question)[0], one.answer) for one in data.problems(pool, 1000, 0)]
        goes[pool] = sum(data.THINGS.index(thing) + 1 == int(answer) for thing, answer in found) / 1000
    assert goes["train"] == pytest.approx(0.5 + 0.5 / 10, abs=0.06)
    assert goes["test"] == pytest.approx(0.5 + 0.5 / 10, abs=0.06)
    assert goes["corpus"] == pytest.approx(1 / 10, abs=0.04)


def test_readers_learn_from_right_beginnings_of_every_length():
    data = benchmark("comparison.trap_seeds_data")
    lengths = set()
    for question, text in data.readings(500, 0):
        start, *changes = [int(n) for n in re.findall(r"\d+", question)]
        verbs = re.findall(r"(\w+) \d", question)[1:]
        signs = [1 if verb in ("finds", "buys", "gets", "wins") else -1 for verb in verbs]
        expected = list(itertools.accumulate(map(int.__mul__, signs, changes), initial=start))
        results = [int(n) for n in re.findall(r"= (\d+)", text)]
        assert results == expected[1 : len(results) + 1]
        assert text.splitlines()[-1] == f"The answer is {expected[-1]}."
        lengths.add((len(changes), len(results)))
    assert lengths == {(n, k) for n in (2, 3, 4) for k in range(n + 1)}


def test_a_mean_over_seeds_has_students_interval():
    stats = pytest.importorskip("scipy.stats")
    values = [0.1, -0.25, 0.3, 0.15]
    mean = benchmark("comparison.trap_seeds_tables").mean_of(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean.mean, mean.low, mean.high, mean.n) == pytest.approx((0.075, expected.low, expected.high, 4))
    alone, none = (benchmark("comparison.trap_seeds_tables").mean_of(some) for some in ([0.5], []))
    assert (alone.mean, alone.n, none.n) == (0.5, 1, 0)
    assert math.isnan(alone.low)
    assert math.isnan(none.mean)


def test_right_completions_are_rewarded_as_accuracy_reads_them():
    reward = benchmark("comparison.sft_trap_rewards").exact_match
    completions = [" First 7 + 1 = 8 apples.\nThe answer is 6.", " Let me think about this.\nThe answer is 8.", " 6"]
    columns = {"question": ["How many?"] * 3, "answer": ["6"] * 3, "prompt_ids": [[1]] * 3}
    assert reward(["p"] * 3, completions, **columns) == [1, 0, 1]


def _seed_of(verdict: str, rises: float, rose: float | None) -> dict:
    rows = {"accuracy": {"base": 0.25, "tuned": 0.25 + rises, "difference": rises, "n": 40}}
    phase = {"accuracy_rose": rose, "reasoning_fell": 16.0, "trapped": rose, "by_itself": {}}
    phase["checkpoints"] = [{"step": step, "verdict": verdict, "rows": rows} for step in (16.0, 32.0)]
    return {"shortcut": phase, "exact match": {**phase, "against_start": {"verdict": "gain", "rows": rows}}}


def test_the_tables_over_seeds_count_verdicts_and_leave_missing_numbers_out():
    tables = benchmark("comparison.trap_seeds_tables")
    seeds = {3: _seed_of("trap", 0.25, 16.0), 4: _seed_of("trap", 0.15, 32.0), 5: _seed_of("regression", -0.1, None)}
    levels, verdicts, undone, each = (_cells(table) for _, table in tables.tables(seeds))
    assert levels["accuracy"] == ["0.250", "0.350: +0.100 [−0.348, +0.548]", "0.350: +0.100 [−0.348, +0.548]"]
    assert levels["supported steps"] == ["–", "– (0)", "– (0)"]
    assert verdicts["trap"] == ["2 of 3", "2 of 3"]
    assert verdicts["accuracy rose for good: in seeds, median step"] == ["2 of 3, 24"] * 2
    assert verdicts["reasoning fell for good: in seeds, median step"] == ["3 of 3, 16"] * 2
    assert undone["verdicts"] == ["gain 3"]
    assert each["5"][1:2] + each["5"][-3:] == ["0.250 → 0.150", "regression", "–", "16"]


def _cells(table) -> dict[str, list[str]]:
    """Rows by their first cell, the first of those that share it."""
    rows = zip(*(list(one.cells) for one in table.columns), strict=True)
    return dict(reversed([(first, rest) for first, *rest in rows]))


def test_the_seeds_run_to_tables_and_a_picture_and_what_is_done_is_kept(tmp_path, capsys, monkeypatch):
    pytest.importorskip("trl")
    seeds = benchmark("comparison.trap_seeds")
    command = ["--tiny", "--out", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(seeds, "rewarded", _interrupted)
        assert seeds.main(command) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "stopped; the same command goes on from here"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
    assert {path.parent.name for path in before} >= {"scorer", "rewarder", "base", "shortcut", "worked"}
    assert seeds.main(command) == 0
    printed = capsys.readouterr().out
    for phase in ("shortcut", "worked", "exact match", "InfoGain", "both"):
        assert f"| 0    | {phase} " in printed
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}.items()
    assert (tmp_path / "trajectories.png").read_bytes().startswith(b"\x89PNG")
    looks = {"shortcut": 5, "worked": 5, "grpo-exact-match": 3, "grpo-infogain": 3, "grpo-both": 3}
    for phase, count in looks.items():
        assert len(list((tmp_path / "seed-0" / phase / "stepgauge").glob("step-*/scores.jsonl"))) == count
    settings = tmp_path / "settings.json"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"tiny": true', '"tiny": false'), encoding="utf-8")
    assert seeds.main(command) == 2
    assert "--tiny:" in capsys.readouterr().err


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_many_seeds_of_a_large_model_are_not_run_without_an_accelerator(capsys, tmp_path):
    assert benchmark("comparison.trap_seeds").main(["--full", "--device=cpu", "--out", str(tmp_path)]) == 2
    assert "--full needs one" in capsys.readouterr().err
