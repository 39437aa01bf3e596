"""The benchmarks: statistics against plain definitions, labelled data against its files, and each run once, small."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import random
import re
from pathlib import Path

import pytest
from benchmark_modules import benchmark
from tiny_classifiers import make_classifier

from stepgauge.metrics.judge_check.items import said_of
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict


def table(printed: str) -> dict[tuple[str, ...], dict[str, str]]:
    """The rows of a Markdown table by their first two cells."""
    lines = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in printed.splitlines() if "|" in line
    ]
    head, _, *rows = lines
    return {tuple(row[:2]): dict(zip(head, row, strict=True)) for row in rows}


# --- statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "scores"),
    [
        ([True, False], [1, 0]),
        ([True, False], [0, 1]),
        ([True, False, True, False], [0.5, 0.5, 0.5, 0.5]),
        ([True, True, False, True, False, False], [0.2, 0.9, 0.2, 0.9, 0.9, 0.1]),
    ],
)
def test_auroc_is_the_share_of_pairs_in_order_with_ties_counted_half(right, scores):
    kinds = [[s for r, s in zip(right, scores, strict=True) if r == kind] for kind in (True, False)]
    pairs = [1.0 if good > bad else 0.5 if good == bad else 0.0 for good, bad in itertools.product(*kinds)]
    assert benchmark("support.discrimination").auroc(right, scores) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_refused(score):
    with pytest.raises(ValueError, match="not finite"):
        benchmark("support.discrimination").auroc([True, False], [score, 0.5])


def test_figures_that_need_both_kinds_are_missing_without_one_of_them():
    module = benchmark("support.discrimination")
    assert math.isnan(module.auroc([True, True], [0.1, 0.9]))
    assert math.isnan(module.balanced_accuracy([False], [True]))
    assert all(math.isnan(end) for end in module.interval([True, True], [0.1, 0.9], ["a", "b"], 20))
    assert all(math.isnan(end) for end in module.interval([], [], [], 20))


def test_copies_within_a_group_do_not_narrow_the_interval():
    draw = random.Random(1)
    right = [draw.random() < 0.5 for _ in range(40)]
    scores = [draw.random() + 0.3 * label for label in right]
    groups = [str(i) for i in range(40)]
    interval = benchmark("support.discrimination").interval
    once = interval(right, scores, groups, 200)
    assert interval(right * 5, scores * 5, groups * 5, 200) == pytest.approx(once)
    low, high = interval(right * 5, scores * 5, [str(i) for i in range(200)], 200)
    assert high - low < 0.7 * (once[1] - once[0])


# --- labelled data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        (["Step 1: a", "Step 2: b", "Solution: B"], {1: "Step 1: a", 2: "Step 2: b", 3: "Solution: B"}),
        (["Here it is:", "Step 1: a", "more", "Step 2: b"], {1: "Step 1: a\nmore", 2: "Step 2: b"}),
        (["Step 1: a", "Solution: B", "since c"], {1: "Step 1: a", 2: "Solution: B\nsince c"}),
        (["no number at all"], {}),
    ],
)
def test_mrben_lines_belong_to_the_step_that_was_begun_before_them(lines, steps):
    assert benchmark("support.labelled").mrben_steps(lines) == steps


def test_only_the_first_wrong_step_of_an_mrben_chain_is_wrong_and_nothing_follows_it(shared_data):
    labelled = benchmark("support.labelled")
    firsts = {
        f"{row['Question_UUID']} {row['Sampled_Model']}": row["Model_Solution_First_Error_Step"]
        for row in labelled.mrben_rows(shared_data)
    }
    items = labelled.mrben_medicine(shared_data)
    assert len(items) == sum(first != "N/A" for first in firsts.values()) - 1  # one names a step that is not there
    for item in items:
        assert item.right == [True] * (len(item.steps) - 1) + [False]
        said = re.match(r"\W*(?:step (\d+)|solution)", item.steps[-1].text, re.IGNORECASE)
        assert said
        assert said.group(1) in (firsts[item.trace.id], None)


def test_prmbench_steps_are_wrong_where_the_authors_say_so(shared_data):
    items = benchmark("support.labelled").prmbench_counterfactual(shared_data)
    path = shared_data / "prmbench" / "prm800k_test_p1_4o_counterfactual.jsonl"
    rows = {row["idx"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    assert len(items) == len(rows) == 90
    for item in items:
        row = rows[item.trace.id]
        assert [step.text for step in item.steps] == [step.strip() for step in row["modified_process"]]
        wrong = [number for number, right in enumerate(item.right, 1) if not right]
        assert wrong == [number for number in row["error_steps"] if number <= len(item.steps)]


def test_medec_pairs_differ_in_the_sentence_only_and_their_note_lacks_it(shared_data):
    items = benchmark("support.labelled").medec_validation(shared_data)
    assert len(items) == 2 * 319
    for wrong, corrected in zip(items[::2], items[1::2], strict=True):
        assert (wrong.right, corrected.right) == ([False], [True])
        assert wrong.group == corrected.group
        assert wrong.trace.meta == corrected.trace.meta
        assert wrong.trace.response != corrected.trace.response
        assert wrong.trace.response not in wrong.trace.meta["passages"][0]["text"]


def test_the_halves_that_fit_nli_uses_share_no_passage_with_each_other_or_with_dev(shared_data):
    train, stop = benchmark("knowledge.fit_nli").split(shared_data)
    with (shared_data / "scifact-rte" / "dev.tsv").open(encoding="utf-8", newline="") as file:
        dev = {row["sentence1"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    passages = [{row.passage for row in rows} for rows in (train, stop)]
    assert all(passages)
    assert not passages[0] & passages[1]
    assert not (passages[0] | passages[1]) & dev


# --- what a step's claims say of it ----------------------------------------------------------------------------------

SHOWN = (Passage("p", "text"),)


def verdict(label, probability=None, *, judge="j", error=None, evidence=SHOWN) -> Verdict:
    claim = Claim("c", 0, 0, 1, "sentence", "c")
    return Verdict(claim, label, judge, probability=probability, evidence=evidence, error=error)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([verdict("supported", 0.9), verdict("supported", 0.6)], (True, 0.6, 0)),
        ([verdict("supported", 0.9), verdict("contradicted", 0.2)], (False, 0.2, 0)),
        ([verdict("insufficient", 0.4)], (False, 0.4, 0)),
        ([verdict("insufficient", evidence=())], (None, None, 0)),
        ([], (None, None, 0)),
        ([verdict("supported", 0.9), verdict(None, error="down")], (None, None, 1)),
        ([verdict("contradicted", 0.1), verdict(None, error="down")], (False, 0.1, 1)),
        ([verdict("supported", 1.0), verdict(None, judge="none", error="no judge takes it")], (True, 1.0, 0)),
    ],
)
def test_a_step_is_as_good_as_its_worst_claim_and_has_no_score_where_a_judge_failed(verdicts, expected):
    said = said_of(verdicts)
    assert (said.right, said.score, said.failed) == expected


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> str:
    return str(make_classifier(tmp_path_factory.mktemp("nli") / "tiny", "bert", ["a claim and its passage, insulin"]))


def test_the_judges_table_has_a_row_for_each_judge_and_its_figures_are_consistent(capsys, shared_data, classifier):
    judges = benchmark("knowledge.judges")
    assert shared_data
    nli = json.dumps({"name": "nli", "model": classifier})
    data = [f"--data={name}" for name in ("scifact dev", "medec validation", "prmbench counterfactual")]
    assert judges.main([*data, "--limit=30", "--resamples=50", "--judge", nli]) == 0
    rows = table(capsys.readouterr().out)
    assert {judge for _, judge in rows} == {"chance", "lexical overlap", "position", "exact", "nli:tiny"}
    for (name, judge), row in rows.items():
        right, wrong = map(int, row["right / wrong"].split(" / "))
        assert int(row["no score"]) == pytest.approx((1 - float(row["coverage"])) * (right + wrong), abs=5)
        assert row["failed"] == "0"
        assert (row["AUROC"] == "–") == ((name, judge) in without_opinion(rows))
    assert rows["medec validation", "chance"]["right / wrong"] == "30 / 30"
    assert float(rows["prmbench counterfactual", "exact"]["coverage"]) > 0


def without_opinion(rows: dict) -> set[tuple[str, ...]]:
    """Judges that need passages have no opinion where there are none, and `exact` has none on sentences."""
    maths = "prmbench counterfactual"
    return {key for key in rows if (key[0] == maths) == (key[1] in ("lexical overlap", "nli:tiny"))} & {
        key for key in rows if key[0] == maths or key[1] == "exact"
    }


@pytest.mark.parametrize("name", ["knowledge.judges", "knowledge.fit_nli", "knowledge.speed"])
def test_without_the_real_data_a_benchmark_says_so(name, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STEPGAUGE_SHARED", str(tmp_path))
    assert benchmark(name).main(["--out", str(tmp_path)] if name == "knowledge.fit_nli" else []) == 2
    assert f"STEPGAUGE_SHARED is {str(tmp_path)!r}" in capsys.readouterr().err


def test_the_fitted_checkpoint_is_one_that_the_judge_nli_takes_as_it_is(tmp_path, shared_data):
    from stepgauge.metrics.knowledge.base import Surroundings
    from stepgauge.metrics.knowledge.judges.nli import make

    fit_nli = benchmark("knowledge.fit_nli")
    try:
        fit_nli.encoder_folder()
    except FileNotFoundError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    train, stop = fit_nli.split(shared_data)
    about = fit_nli.fit(train[:16], stop[:12], tmp_path / "fitted", num_train_epochs=1)
    assert len(about["held_out_auroc"]) == 1
    judge = make(Surroundings(lambda: pytest.fail("no scorer is needed")), model=str(tmp_path / "fitted"))
    claim = Claim(stop[0].claim, 0, 0, len(stop[0].claim), "sentence", stop[0].claim)
    (found,) = judge.judge([claim], [[Passage("p", stop[0].passage)]])
    assert found is not None
    assert found.label in ("supported", "insufficient")
    assert 0 < (found.probability or 0) < 1


@pytest.mark.slow
def test_the_exact_judge_is_counted_on_real_chains_and_compared_with_an_earlier_version(shared_data, tmp_path, capsys):
    del shared_data
    exact, file = benchmark("knowledge.exact"), str(tmp_path / "verdicts.jsonl")
    assert exact.main(["--chains=12", "--out", file]) == 0
    rows = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    counts = next(line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| all"))
    assert int(counts[4].replace(",", "")) == len(rows) > 20
    rows[0]["label"] = "contradicted" if rows[0]["label"] == "supported" else "supported"
    Path(file).write_text("".join(json.dumps(row) + "\n" for row in rows[:-1]), encoding="utf-8")
    assert exact.main(["--chains=12", "--before", file]) == 0
    changed = table(capsys.readouterr().out.split("| before")[1].replace(" | after", "| before | after", 1))
    different = {key: int(row["claims"]) for key, row in changed.items() if key[0] != key[1]}
    assert sorted(different.values()) == [1, 1]


def test_the_speed_of_the_knowledge_core_is_split_into_its_parts(capsys, shared_data, classifier):
    speed = benchmark("knowledge.speed")
    assert shared_data
    assert speed.main(["--claims=12", "--lm-claims=0", "--nli", json.dumps({"model": classifier})]) == 0
    counts = {what: int(count) for what, count in table(capsys.readouterr().out)}
    assert list(counts) == ["build: documents", "cut and extract: chains", "retrieve: bm25", "judge: nli:tiny"]
    assert counts["build: documents"] == 16407
    assert counts["retrieve: bm25"] >= 12
    assert 0 < counts["judge: nli:tiny"] <= counts["retrieve: bm25"]


def test_the_judge_and_generation_are_timed_on_the_same_prompts(capsys):
    assert benchmark("knowledge.lm_judge_gpu").main(["--tiny", "--claims", "3"]) == 0
    printed = capsys.readouterr().out
    assert "3 claims" in printed
    rows = {what: row for (what, _), row in table(printed).items()}
    assert list(rows) == ["lm, calibrate=run", "lm, calibrate=claim", *(f"generate, {n} new" for n in (1, 2, 3, 4))]
    for row in rows.values():
        # The table shows hundredths of a second.
        assert float(row["s"]) == pytest.approx(3 / float(row["claims/s"]), abs=0.0051, rel=0.01)


def test_the_judge_at_full_size_is_not_timed_without_an_accelerator(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert benchmark("knowledge.lm_judge_gpu").main([]) == 2
    assert "--tiny" in capsys.readouterr().err


# --- the trap of fine-tuning without reasoning -----------------------------------------------------------------------


def test_the_questions_made_for_the_trap_have_right_solutions_and_none_is_on_both_sides():
    data = benchmark("comparison.sft_trap_data")
    learnt, held_out = data.split("arithmetic", 300, 100, 0)
    for problem in [*learnt, *held_out, *data.examples("arithmetic"), *data.examples("gsm8k")]:
        for step in problem.steps:
            ((x, sign, y, result),) = re.findall(r"(\d+) ([-+*/]) (\d+) = \$?(\d+)", step)
            x, y = int(x), int(y)
            assert {"+": x + y, "-": x - y, "*": x * y, "/": x / y}[sign] == int(result)
        assert problem.steps[-1].count(problem.answer)
        assert problem.worked().splitlines() == [*problem.steps, f"The answer is {problem.answer}."]
        assert len(problem.shortcut().splitlines()) == len(problem.worked().splitlines())
        assert not re.search(r"\d", "".join(problem.shortcut().splitlines()[:-1]))
    assert not any(problem.answer in re.findall(r"\d+", problem.question) for problem in [*learnt, *held_out])
    assert (len(learnt), len(held_out)) == (300, 100)
    assert len({problem.question for problem in [*learnt, *held_out]}) == 400
    assert data.split("arithmetic", 300, 100, 0) == (learnt, held_out)
    assert data.split("arithmetic", 300, 100, 1) != (learnt, held_out)
    with pytest.raises(ValueError, match="also trained on"):
        data.check_disjoint(learnt, [learnt[7]])


def test_gsm8k_is_cut_in_halves_without_its_annotations(shared_data):
    data = benchmark("comparison.sft_trap_data")
    assert shared_data
    learnt, held_out = data.split("gsm8k", 659, 659, 0)
    assert len({problem.question for problem in [*learnt, *held_out]}) == 2 * 659
    assert not any(re.search("<<|>>|####", problem.worked()) for problem in learnt)
    with pytest.raises(ValueError, match="each half holds 659"):
        data.split("gsm8k", 660, 10, 0)


@pytest.fixture
def tiny_base(tmp_path) -> Path:
    return benchmark("comparison.sft_trap_tiny").make_tiny(
        tmp_path / "base", benchmark("comparison.sft_trap_data").examples("arithmetic")
    )


def test_only_the_tokens_of_a_response_are_trained(tiny_base):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    row = benchmark("comparison.sft_trap_training").encoded(tokenizer, "Question: 2 + 2?\nAnswer:", "It is 4.")
    assert tokenizer.decode([label for label in row["labels"] if label >= 0]) == " It is 4.\n\n"
    assert tokenizer.decode(row["input_ids"]) == "Question: 2 + 2?\nAnswer: It is 4.\n\n"
    assert len(row["labels"]) == len(row["input_ids"]) == len(row["attention_mask"])


@pytest.mark.parametrize("options", [{"layers": 1}, {"lora": True}], ids=str)
def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path, tiny_base, monkeypatch, options):
    from safetensors.torch import load_file
    from transformers import TrainerCallback

    training = benchmark("comparison.sft_trap_training")
    common = {"epochs": 2, "batch": 2, "accumulate": 1, "lr": 1e-2, "seed": 0, "device": "cpu"}
    tuning = training.Tuning(**{**common, "lora": False, "layers": 0, "gradient_checkpointing": False, **options})
    rows = [(f"Question: {n} + 1?\nAnswer:", f"It is {n + 1}.") for n in range(8)]

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):  # noqa: ARG002
            if state.global_step == 5:
                raise KeyboardInterrupt

    training.fit(str(tiny_base), rows, tmp_path / "whole", tuning, "whole")
    with monkeypatch.context() as patch:
        patch.setattr(training, "_progress", lambda *_: Stop())
        with pytest.raises(KeyboardInterrupt):
            training.fit(str(tiny_base), rows, tmp_path / "stopped", tuning, "stopped")
    assert not (tmp_path / "stopped").exists()
    about = training.fit(str(tiny_base), rows, tmp_path / "stopped", tuning, "stopped")
    assert (about["resumed_from"], about["steps"]) == ("checkpoint-4", 8)
    base, whole, stopped = (load_file(folder / "model.safetensors") for folder in _folders(tmp_path))
    assert any((base[name] - whole[name]).abs().max() > 1e-3 for name in base)
    for name, weights in whole.items():
        assert (stopped[name] - weights).abs().max() < 1e-6, name


def _folders(folder: Path) -> list[Path]:
    return [folder / name for name in ("base", "whole", "stopped")]


def test_the_trap_runs_from_questions_to_the_comparison_and_keeps_what_is_done(tmp_path, capfd):
    command = ["--tiny", "--device=cpu", "--out", str(tmp_path)]
    assert benchmark("comparison.sft_trap").main(command) == 0
    printed = capfd.readouterr().out
    assert "the weights that the base had before that, and neither of the two models" in printed
    for name in ("shortcut", "worked"):
        assert f"{name} against base" in printed
    for name in ("base", "shortcut", "worked"):
        assert (tmp_path / "models" / name / "config.json").is_file()
        assert not (tmp_path / "models" / f"{name}.checkpoints").exists()
    asked = {}
    for name in ("base", "shortcut", "worked"):
        (samples,) = (tmp_path / name).rglob("samples_*.jsonl")
        rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
        assert {row["filter"] for row in rows} == {"last-number", "reasoning"}
        asked[name] = [row["arguments"]["gen_args_0"]["arg_0"] for row in rows]
    assert asked["base"] == asked["shortcut"] == asked["worked"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert len(before) == 4
    assert benchmark("comparison.sft_trap").main(command) == 0
    assert "worked against base" in capfd.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert len(list(tmp_path.rglob("samples_*.jsonl"))) == 3
    assert benchmark("comparison.sft_trap").main([*command, "--lr=0.5"]) == 2
    assert "--lr:" in capfd.readouterr().err


def test_the_trap_at_full_size_is_not_run_without_an_accelerator(capsys, tmp_path):
    assert benchmark("comparison.sft_trap").main(["--full", "--device=cpu", "--out", str(tmp_path)]) == 2
    assert "--full needs one" in capsys.readouterr().err


def test_a_verifier_is_trained_measured_and_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path))
    small = [
        "--chains=64",
        "--sum-steps=2",
        "--lm-steps=2",
        "--prm-mixed-steps=2",
        "--prm-steps=2",
        "--batch=8",
        "--hidden=16",
        "--inner=16",
        "--held-out=30",
    ]
    assert benchmark("knowledge.prm").main(small) == 0
    printed = capsys.readouterr()
    assert "training the verifier" in printed.err
    lines = [line for line in printed.out.splitlines() if line.startswith("| ") and "AUROC" not in line]
    assert len(lines) == 4
    assert "| 30 | 150 |" in lines[0]
    assert benchmark("knowledge.prm").main(small) == 0
    again = capsys.readouterr()
    assert again.err == ""
    assert [line for line in again.out.splitlines() if line.startswith("| ")][1:] == lines


def test_verifiers_of_real_chains_are_measured_on_questions_that_they_were_not_trained_on(capsys, shared_data):
    chains = benchmark("knowledge.prm_chains")
    train, test = chains.halves(chains.SETS["mrben medicine"](shared_data))
    assert not {item.trace.question for item in train} & {item.trace.question for item in test}
    assert len(train) + len(test) == 570
    assert chains.main(["--layers=1", "--chains=6", "--data=prmbench counterfactual"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| prmbench")]
    assert [row[1] for row in rows] == ["chance", "position", "length", "exact", "prm:smollm2-1-layers"]
    assert {(row[3], row[4]) for row in rows} == {("3", rows[0][4])}
    assert [row[2] for row in rows] == ["–"] * 4 + ["3"]
    assert rows[4][6].startswith("0 ")


# --- a perfect judge -------------------------------------------------------------------------------------------------


def test_with_a_perfect_judge_every_step_is_as_counted_by_hand():
    """The judge and the counts know nothing of extraction, queries and retrieval; those are ours, and are measured."""
    module = benchmark("knowledge.perfect_judge")
    assert len(module.CHAINS) == 13
    for sources, scores in module.both():
        hand = {chain.name: module.counted(chain, sources=sources) for chain in module.CHAINS}
        assert {score.id: module.found_of(score) for score in scores} == hand
        assert set(module.true_shares(scores)) == {"s" if sources else "n"}
        for chain, score in zip(module.CHAINS, scores, strict=True):
            letters = "".join(
                one
                for line, (text, _, claims) in zip(hand[chain.name], chain.lines, strict=True)
                if claims and "=" not in text  # equations need no evidence
                for one in line
            )
            for name, letter in (("supported", "s"), ("contradicted", "c"), ("not_covered", "n")):
                share = letters.count(letter) / len(letters) if letters else math.nan
                assert score.metrics[f"claims_{name}"] == pytest.approx(share, nan_ok=True), chain.name
