"""Fitting a scorer: its loss, what it writes, how it goes on, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("accelerate")

import torch
from fitted import SMALL, chains, fit_small, make_base, naive_losses
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scoring import rows, write_jsonl
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.adapters.cli import main
from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.contamination.card import data_hash, weights_hash
from stepgauge.metrics.controls.texts import FILLER_LINES
from stepgauge.metrics.fitting import AUGMENTATIONS, CARD, FitError, FitSettings, question_hash, question_hashes
from stepgauge.metrics.fitting.augment import altered
from stepgauge.metrics.fitting.examples import make_examples
from stepgauge.metrics.models.scorer_tokenizer import ScorerTexts

TRACES = chains(0, 20)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def fitted(base, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("fit") / "fitted"
    fit_small(base, out, TRACES)
    return out


def card_of(folder: Path) -> dict:
    return json.loads((folder / CARD).read_text(encoding="utf-8"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def furthest(one: Path, other: Path) -> float:
    """The largest difference between two folders' weights."""
    left, right = weights(one), weights(other)
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


def held_out(card: dict, traces: list[Trace] = TRACES) -> list[Trace]:
    return [trace for trace in traces if question_hash(trace.question) in card["held_out_hashes"]]


class Interrupt(logging.Handler):
    """Ctrl-C at the n-th look at the held-out loss."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def emit(self, record: logging.LogRecord) -> None:
        self.left -= "held-out loss" in record.getMessage()
        if not self.left:
            raise KeyboardInterrupt


@contextmanager
def interrupted(at: int) -> Iterator[None]:
    logger, handler = logging.getLogger("stepgauge.metrics.fitting.training"), Interrupt(at)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


# The loss
@pytest.mark.slow
def test_the_loss_is_the_mean_over_chains_and_prefixes_of_nats_per_answer_token(base, tmp_path):
    # Answers of several tokens, not the same number for each; 20 chains.
    traces = [replace(trace, answer=f"{trace.answer}{' balls' * (i % 3)}") for i, trace in enumerate(chains(0, 15))]
    card = fit_small(base, tmp_path / "out", traces, epochs=1, batch=16, rows=4, augment=(), held_out=0.2)
    learnt = [trace for trace in traces if trace not in held_out(card, traces)]
    assert len(learnt) == 16  # one update of four passes, all with the weights of the base
    expected, _ = naive_losses(base, learnt)
    assert card["metrics"]["history"][0] == {"step": 1, "loss": pytest.approx(expected, abs=2e-5)}


def test_a_fit_lowers_the_held_out_loss_and_the_card_says_what_a_pass_per_prefix_finds(base, fitted):
    card = card_of(fitted)
    before, after = card["metrics"]["before"], card["metrics"]["after"]
    for folder, told in ((base, before), (fitted, after)):
        loss, gain = naive_losses(folder, held_out(card))
        assert told["nats_per_answer_token"] == pytest.approx(loss, abs=1e-4)
        assert told["gain"] == pytest.approx(gain, abs=1e-4)
    assert after["nats_per_answer_token"] < before["nats_per_answer_token"] - 0.5
    assert before["gain"] == pytest.approx(
        before["log_likelihood_after_chain"] - before["log_likelihood_after_question"]
    )


@pytest.mark.slow
def test_even_one_update_changes_the_weights(base, tmp_path):
    card = fit_small(base, tmp_path / "out", chains(0, 4), epochs=1, batch=16)
    assert card["settings"]["steps"] == 1
    assert furthest(base, tmp_path / "out") > 1e-4


@pytest.mark.slow
def test_the_best_weights_are_kept_and_the_fit_ends_when_the_held_out_loss_rises(base, tmp_path):
    out = tmp_path / "out"
    card = fit_small(base, out, TRACES, epochs=20, lr=0.1, augment=(), patience=2)
    looks = [entry["held_out_loss"] for entry in card["metrics"]["history"] if "held_out_loss" in entry]
    assert len(looks) == looks.index(min(looks)) + 1 + 2
    assert len(looks) < 40
    loss, _ = naive_losses(out, held_out(card))
    assert loss == pytest.approx(min(looks), abs=1e-4)


# What it writes


def test_the_folder_is_an_ordinary_model_and_scores_as_one(fitted):
    model = AutoModelForCausalLM.from_pretrained(fitted)
    assert AutoTokenizer.from_pretrained(fitted)("Box 1").input_ids
    assert model.dtype == torch.float32
    (score,) = Gauge(str(fitted), device="cpu").score(chains(30, 31)[:1])
    assert score.infogain_nats == score.infogain_nats
    assert score.provenance["fit"] == card_of(fitted)["id"]
    assert "overlap" not in score.provenance


def test_the_card_names_what_the_scorer_was_made_from(base, fitted):
    card = card_of(fitted)
    own = {question_hash(trace.question) for trace in TRACES}
    assert set(card["question_hashes"]) | set(card["held_out_hashes"]) == own
    assert set(card["question_hashes"]) & set(card["held_out_hashes"]) == set()
    assert len(card["held_out_hashes"]) == card["data"]["held_out_questions"] == 4  # a fifth of 20
    assert card["data"]["questions"] == 16
    assert card["data"]["sha256"] == data_hash(random.Random(0).sample(TRACES, len(TRACES)))
    assert card["data"]["sha256"] != data_hash(TRACES[1:])
    assert card["base"]["scorer"] == str(base)
    assert card["base"]["weights_sha256"] == hashed(base)
    assert card["id"] == hashed(fitted)[:16]
    assert card["settings"]["lr"] == SMALL["lr"]
    assert {"stepgauge", "torch", "transformers"} <= card["versions"].keys()
    readme = (fitted / "README.md").read_text(encoding="utf-8")
    assert card["id"] in readme
    assert f"| nats per answer token | {card['metrics']['before']['nats_per_answer_token']:.4f} |" in readme


def hashed(folder: Path) -> str:
    return hashlib.sha256(b"model.safetensors" + (folder / "model.safetensors").read_bytes()).hexdigest()


def test_weights_hash_covers_every_file_of_weights(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"1")
    one = weights_hash(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(b"2")
    assert weights_hash(tmp_path) not in (one, None)
    assert weights_hash(tmp_path / "nowhere") is None


def test_right_and_wrong_chains_of_a_question_are_learnt_from_and_all_predict_the_gold_answer(base):
    traces = chains(0, 12)
    assert len(traces) == 16
    texts = ScorerTexts(AutoTokenizer.from_pretrained(base), "tiny", 512)
    made = make_examples(traces, texts, FitSettings(augment=(), splitter="lines"))
    assert len(made.train) + len(made.held_out) == 16
    asked = {trace.question: trace.answers[0] for trace in traces}
    for example in [*made.train, *made.held_out]:
        assert len(example.spans) == 4  # the question alone, and after each of three steps
        for span in example.spans:
            text = texts.tokenizer.decode(span.ids)
            gold = next(answer for question, answer in asked.items() if question in text)
            assert texts.tokenizer.decode(span.ids[span.start :]).strip() == gold
    whole = [texts.tokenizer.decode(example.spans[-1].ids) for example in made.train]
    assert any(re.search(r"The answer is (\d+)\.\nAnswer: (?!\1$)", text) for text in whole)  # a wrong one


def test_all_chains_of_a_question_lie_on_one_side(base):
    texts = ScorerTexts(AutoTokenizer.from_pretrained(base), "tiny", 512)
    made = make_examples(TRACES, texts, FitSettings(held_out=0.3, splitter="lines"))
    sides = {name: {questions(texts, one) for one in getattr(made, name)} for name in ("train", "held_out", "chains")}
    assert not sides["train"] & sides["held_out"]
    assert sides["chains"] == sides["held_out"]
    assert len(sides["held_out"]) == 6


def questions(texts: ScorerTexts, example) -> str:
    return re.search(r"Box \d+", texts.tokenizer.decode(example.spans[0].ids))[0]


def test_which_questions_are_held_out_does_not_depend_on_what_else_is_there(base):
    texts = ScorerTexts(AutoTokenizer.from_pretrained(base), "tiny", 512)
    whole = make_examples(TRACES, texts, FitSettings(held_out=0.5, splitter="lines"))
    half = make_examples(list(reversed(chains(0, 10))), texts, FitSettings(held_out=0.5, splitter="lines"))
    first = {question_hash(trace.question) for trace in chains(0, 10)}
    order = sorted(first, key=lambda one: one in whole.held_out_questions)
    assert sum(one in half.held_out_questions for one in order) == 5
    # Of ten questions those come first that come first of twenty.
    held = [one for one in first if one in half.held_out_questions]
    taken = [one for one in first if one in whole.held_out_questions]
    assert set(held) <= set(taken) or set(taken) <= set(held)


@pytest.mark.slow
def test_chains_that_cannot_be_used_are_counted_by_reason(base, tmp_path):
    traces = [
        *TRACES,
        Trace("No gold?", "A step.", None),
        Trace("No steps?", "  ", "1"),
        Trace("Too long?", " balls" * 300, "1"),
    ]
    excluded = frozenset(question_hashes(TRACES[0]))
    card = fit_small(base, tmp_path / "out", traces, epochs=1, max_tokens=200, exclude=excluded)
    assert card["data"]["left_out"] == {
        "its question is excluded": 2,  # a right and a wrong chain
        "no gold answer": 1,
        "no steps in the response": 1,
        "more than 200 tokens": 1,
    }
    seen = {*card["question_hashes"], *card["held_out_hashes"]}
    assert seen == {question_hash(trace.question) for trace in TRACES} - excluded


@pytest.mark.slow
def test_a_scorer_fitted_on_top_of_a_fitted_one_has_seen_the_questions_of_both(fitted, tmp_path):
    card = fit_small(fitted, tmp_path / "out", chains(20, 26), epochs=1)
    own = {question_hash(trace.question) for trace in [*TRACES, *chains(20, 26)]}
    assert {*card["question_hashes"], *card["held_out_hashes"]} == own
    assert card["data"]["questions"] + card["data"]["held_out_questions"] == 6


# Going on


@pytest.mark.slow
def test_an_interrupted_fit_goes_on_from_its_checkpoint_to_the_weights_of_an_uninterrupted_one(base, fitted, tmp_path):
    out = tmp_path / "out"
    with interrupted(at=3):
        fit_small(base, out, TRACES)
    assert not out.exists()
    done = sorted((tmp_path / "out.checkpoints").glob("checkpoint-*"))
    assert done
    # One that was being written when the machine went down:
    broken = tmp_path / "out.checkpoints" / "checkpoint-9999"
    shutil.copytree(done[0], broken)
    (broken / "trainer_state.json").unlink()
    with (tmp_path / "log").open("w") as file:
        handler = logging.StreamHandler(file)
        logger = logging.getLogger("stepgauge.metrics.fitting.training")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        card = fit_small(base, out, TRACES)
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    said = (tmp_path / "log").read_text()
    assert "going on from" in said
    assert not re.search(r"step [1-4] of", said)  # it did not begin anew
    assert furthest(out, fitted) < 1e-5
    assert card["metrics"]["after"] == pytest.approx(card_of(fitted)["metrics"]["after"], abs=1e-5)
    assert card["metrics"]["history"] == card_of(fitted)["metrics"]["history"]
    assert not (tmp_path / "out.checkpoints").exists()


@pytest.mark.slow
def test_other_settings_or_data_over_a_stopped_fit_are_refused_by_name_and_restart_begins_anew(base, tmp_path):
    out = tmp_path / "out"
    with interrupted(at=2):
        fit_small(base, out, TRACES)
    for changed, name in (({"seed": 1}, "seed"), ({"lr": 1e-3, "lora": True}, "lr, lora")):
        with pytest.raises(FitError, match=f"another {name};.*restart"):
            fit_small(base, out, TRACES, **changed)
    with pytest.raises(FitError, match="another data"):
        fit_small(base, out, TRACES[1:])
    with pytest.raises(FitError, match="another excluded"):
        fit_small(base, out, TRACES, exclude=frozenset(question_hashes(TRACES[0])))
    card = fit_small(base, out, chains(0, 6), epochs=1, restart=True)
    assert card["data"]["questions"] + card["data"]["held_out_questions"] == 6


@pytest.mark.slow
def test_a_folder_that_is_there_is_refused_and_restart_replaces_it(base, fitted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(fitted, out)
    (out / "old").touch()
    with pytest.raises(FitError, match=r"is there already.*restart"):
        fit_small(base, out, TRACES)
    fit_small(base, out, chains(0, 6), epochs=1, restart=True)
    assert card_of(out)["data"]["questions"] == 5
    assert not (out / "old").exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_one_others(base, fitted, tmp_path):
    fit_small(base, tmp_path / "same", TRACES)
    assert furthest(tmp_path / "same", fitted) == 0
    assert card_of(tmp_path / "same")["id"] == card_of(fitted)["id"]
    fit_small(base, tmp_path / "other", TRACES, seed=1)
    assert furthest(tmp_path / "other", fitted) > 1e-4


# Which weights


@pytest.mark.slow
def test_adapters_are_merged_into_a_folder_that_loads_without_peft(base, tmp_path, monkeypatch):
    pytest.importorskip("peft")
    out = tmp_path / "out"
    card = fit_small(base, out, TRACES, lora=True, lr=1e-2)
    assert not list(out.glob("adapter*"))
    monkeypatch.setitem(sys.modules, "peft", None)
    AutoModelForCausalLM.from_pretrained(out)
    loss, _ = naive_losses(out, held_out(card))
    assert card["metrics"]["after"]["nats_per_answer_token"] == pytest.approx(loss, abs=1e-4)
    assert loss < card["metrics"]["before"]["nats_per_answer_token"] - 0.1
    # Adapters sit on linear layers alone.
    before, after = weights(base), weights(out)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("_proj" in name for name in changed)


@pytest.mark.slow
def test_layers_leaves_the_lower_weights_as_they_are_bit_for_bit(base, tmp_path):
    fit_small(base, tmp_path / "out", TRACES, layers=1, epochs=1)
    before, after = weights(base), weights(tmp_path / "out")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("model.layers.1.")}


# Altered copies


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.text(max_size=5), min_size=1, max_size=12), seed=st.integers(0, 999))
def test_altered_copies_drop_shuffle_or_fill(steps, seed):
    dropped = altered(steps, "drop", random.Random(seed))
    assert len(dropped) < len(steps)
    assert len(dropped) >= len(steps) // 2
    rest = iter(steps)
    assert all(step in rest for step in dropped)  # in the same order
    assert sorted(altered(steps, "shuffle", random.Random(seed))) == sorted(steps)
    filled = altered(steps, "filler", random.Random(seed))
    assert len(filled) == len(steps)
    assert not set(filled) & {*FILLER_LINES}
    assert not re.search(r"\d", " ".join(filled))


@pytest.mark.parametrize(("kinds", "share", "copies"), [(AUGMENTATIONS, 1.0, 27), ((), 1.0, 0), (("filler",), 0.0, 0)])
def test_altered_is_how_many_copies_there_are_per_chain(base, kinds, share, copies):
    texts = ScorerTexts(AutoTokenizer.from_pretrained(base), "tiny", 512)
    made = make_examples(TRACES, texts, FitSettings(augment=kinds, altered=share, splitter="lines"))
    assert len(made.train) + len(made.held_out) == len(TRACES) + copies
    ends = {len(one.spans) for one in [*made.train, *made.held_out]}
    assert ends == ({3, 4} if "drop" in kinds else {4})  # prefixes: of two steps, of three


# Which question it is


@pytest.mark.parametrize(
    "other",
    [
        "how many balls are in box 3?",
        "Question: How many balls are in Box 3?",
        "Q: How many  balls\n are in Box 3 ?\nAnswer:",
        "Problem:\nHow many balls are in Box 3?\n\nSolution:",
        "Ｈow many balls are in Box ３?",
    ],
)
def test_layout_case_and_a_cue_around_a_question_make_no_difference(other):
    assert question_hash(other) == question_hash("How many balls are in Box 3?")


@pytest.mark.parametrize("other", ["How many balls are in Box 4?", "How many balls are in Box?", "Question", ""])
def test_other_words_are_another_question(other):
    assert question_hash(other) != question_hash("How many balls are in Box 3?")


@pytest.mark.parametrize(
    "options",
    ["A) red\nB) blue", "(A) red\n(B) blue", "Options:\nA. red\nB. blue", "A: red\nB: blue", "Options: red, blue"],
)
def test_a_multiple_choice_question_is_known_by_what_stands_before_its_options(options):
    stem = "Which colour is it?"
    listed = Trace(f"{stem}\n{options}", "It is red.", "red", ("red", "blue"))
    assert question_hash(stem) in question_hashes(listed)
    assert question_hash(listed.question) in question_hashes(listed)
    plain = Trace(f"{stem}\n{options}", "It is red.", "red")
    assert question_hash(stem) not in question_hashes(plain)


# What is refused


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 0}, "epochs 0: expected more than 0"),
        ({"lr": 0.0}, "lr 0.0: expected more than 0"),
        ({"batch": 0}, "batch 0: expected 1 or more"),
        ({"rows": 0}, "rows 0: expected 1 or more"),
        ({"patience": 0}, "patience 0: expected 1 or more"),
        ({"held_out": 1.0}, "held_out 1.0: expected a share"),
        ({"held_out": 0}, "held_out 0: expected a share"),
        ({"altered": 1.5}, "altered 1.5: expected copies per chain, 0 to 1"),
        ({"layers": 0}, "layers 0: expected 1 or more"),
        ({"layers": 1, "lora": True}, "lora and layers exclude each other"),
        ({"augment": ("drob",)}, "'drob'.*drop"),
        ({"max_tokens": 1}, "max_tokens 1: expected 2 or more"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(given, said):
    with pytest.raises(FitError, match=said):
        FitSettings(**given)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"template": "plian"}, "'plian'.*plain"),
        ({"splitter": "line"}, "'line'.*lines"),
        ({"device": "cpu,cpu"}, "name one"),
        ({"exclude": frozenset(question_hash(trace.question) for trace in TRACES)}, "27 its question is excluded"),
    ],
)
def test_a_fit_that_cannot_be_is_refused_before_training(base, tmp_path, options, said):
    with pytest.raises(FitError, match=said):
        fit_small(base, tmp_path / "out", TRACES, **options)
    assert not (tmp_path / "out").exists()


def test_one_question_cannot_be_split(base, tmp_path):
    with pytest.raises(FitError, match="0 questions to fit on and 1 held out, of 2 chains; both are needed"):
        fit_small(base, tmp_path / "out", chains(0, 1))


# From the command line


def fit_command(base: Path, *args: object) -> int:
    options = ["--scorer", base, "--device", "cpu", "--splitter", "lines", "--epochs", 1, *args]
    return main(["fit", *map(str, options)])


def test_command_fits_to_the_files_that_score_reads_and_says_what_came_of_it(base, tmp_path, capsys):
    lines = [trace.to_dict() for trace in TRACES]
    first = write_jsonl(tmp_path / "first.jsonl", [*lines[:14], "{"])
    second = write_jsonl(tmp_path / "second.jsonl", [*lines[14:], {"question": "Q?", "response": "A.", "answer": None}])
    test = write_jsonl(tmp_path / "test.jsonl", [trace.to_dict() for trace in chains(18, 24)])
    out = tmp_path / "out"
    given = ["--traces", first, second, "--exclude", test, "--out", out, "--held-out", 0.2, "--augment"]
    assert fit_command(base, *given) == 0
    printed = capsys.readouterr().out
    card = card_of(out)
    before, after = card["metrics"]["before"], card["metrics"]["after"]
    for name, title in (("nats_per_answer_token", "nats per answer token"), ("gain", "gain of a chain, nats")):
        assert re.search(rf"{title} +{before[name]:.3f} +{after[name]:.3f}\n", printed)
    assert "1 rows passed over: not JSON" in printed
    assert "3 chains left out: its question is excluded" in printed  # of questions 18 and 19
    assert "1 chains left out: no gold answer" in printed
    assert "14 questions fitted on, 4 held out" in printed
    assert f"--scorer {out}" in printed
    assert card["data"]["files"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)
    }
    assert card["settings"]["augment"] == []
    scored = tmp_path / "scored"
    assert main(["score", str(test), "--out", str(scored), "--scorer", str(out), "--device", "cpu"]) == 0
    assert {row["score"]["provenance"]["fit"] for row in rows(scored)} == {card["id"]}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--epochs", "0"], "epochs 0.0: expected more than 0"),
        (["--augment", "drob"], "'drob'"),
        (["--lora", "--layers", "1"], "exclude each other"),
        (["--limit", "-1"], "--limit -1: expected a number, or 0 for all"),
        (["--set", "dtype=float32"], "--set dtype: here only how lm-eval's rows are read: question"),
        (["--set", "question={{q}}"], "is for lm-eval's samples"),
        (["--where", "idd=q1"], "no row has it.*'id'"),
        (["--exclude", "/no/such/file"], "/no/such/file: no such file"),
        (["--limit", "1"], "both are needed"),
        (["--scorer", "/no/such/scorer"], "no such folder"),
    ],
)
def test_command_says_in_one_line_what_is_wrong(base, tmp_path, capsys, args, said):
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in chains(0, 4)])
    assert fit_command(base, "--traces", source, "--out", tmp_path / "out", *args) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("stepgauge: ")
    assert re.search(said, error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("package", "more"), [("accelerate", []), ("peft", ["--lora"])])
def test_command_names_the_extra_that_is_not_installed(base, tmp_path, capsys, monkeypatch, package, more):
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in chains(0, 4)])
    monkeypatch.setitem(sys.modules, package, None)
    assert fit_command(base, "--traces", source, "--out", tmp_path / "out", *more) == 2
    assert f"needs {package}: pip install 'stepgauge[fit]'" in capsys.readouterr().err


@pytest.mark.slow
def test_command_that_is_interrupted_says_how_to_go_on(base, tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in TRACES])
    args = ["--traces", source, "--out", tmp_path / "out", "--epochs", "2"]
    logger, handler = logging.getLogger("stepgauge.metrics.fitting.training"), Interrupt(2)
    logger.addHandler(handler)
    try:
        assert fit_command(base, *args) == 130
    finally:
        logger.removeHandler(handler)
    assert "the same command goes on from the last checkpoint" in capsys.readouterr().err
    assert fit_command(base, *args) == 0
    assert (tmp_path / "out" / CARD).is_file()


@pytest.mark.slow
def test_smollm2_is_fitted_from_a_shell(smollm2, tmp_path):
    smollm2.preflight()
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in chains(0, 6)])
    program = [sys.executable, "-c", "import sys; from stepgauge.adapters.cli import main; sys.exit(main())"]
    args = f"fit --scorer smollm2 --traces {source} --out fitted --layers 1 --epochs 1 --lr 1e-3 --device cpu"
    result = subprocess.run(
        [*program, *args.split()],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    before, after = map(float, re.search(r"nats per answer token +(\S+) +(\S+)\n", result.stdout).groups())
    assert after < before
    assert card_of(tmp_path / "fitted")["base"]["scorer"] == "smollm2"
    assert "use it as --scorer fitted" in result.stdout
