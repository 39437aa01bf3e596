"""`StepgaugeCallback` in trainings of a tiny model: what it logs, what it leaves as it was, when it warns and stops."""

from __future__ import annotations

import copy
import json
import logging
import random
import re

import numpy as np
import pytest
import torch
from commands import in_process
from scripted_likelihoods import scripted_gauge
from tiny_training import ScriptedModel, Untidy, logged, tiny_model, tiny_trainer
from transformers import TrainerCallback

from stepgauge.adapters.runs import load_runs
from stepgauge.adapters.trainer import StepgaugeCallback
from stepgauge.metrics import Gauge, ScorerError, Trace
from stepgauge.metrics.comparison import Settings, compare_runs
from stepgauge.metrics.segment import Span, Splitter

N = 24
QUESTIONS = [{"question": f"What do {i} and {i + 1} clips cost?", "answer": str(500 + i)} for i in range(N)]
GOLD = {row["question"]: row["answer"] for row in QUESTIONS}
WORKED = (
    "First we count the clips.\nThen we look up what each costs.\nNow we put the prices together.\nThe answer is {}."
)
STATED = "The answer is {}."


@pytest.fixture
def tokenizer(tokenizers):
    own = copy.deepcopy(tokenizers["qwen"])
    own.pad_token = own.eos_token
    return own


@pytest.fixture
def texts(arithmetic):
    return [f"{row['question']}\n{row['solution']}" for row in arithmetic[:8]]


def gains_a_nat_a_step(**options) -> Gauge:
    return scripted_gauge(lambda steps, _: (-9.0 + len([one for one in steps if "answer is" not in one]), 2), **options)


def a_trap(prompt: str, before: int) -> str:
    """First worked and wrong; then right and stated at once."""
    return STATED.format(GOLD[prompt]) if before else WORKED.format("12")


def noise(prompt: str, before: int) -> str:
    """At each evaluation as many are right, and as many give reasons; which ones changes."""
    draw = random.Random(f"{prompt} {before}")
    answer = GOLD[prompt] if draw.random() < 0.5 else "12"
    return (WORKED if draw.random() < 0.7 else STATED).format(answer)


def scripted(tokenizer, texts, folder, says, callback, **arguments):
    model = tiny_model(tokenizer, ScriptedModel).script(tokenizer, says)
    return tiny_trainer(model, tokenizer, texts, folder, [callback], **arguments)


def warnings(caplog) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name.startswith("stepgauge") and one.levelno > 20]


class Drawn(TrainerCallback):
    """Draws a number of each generator behind every evaluation, and looks at the modules' modes and the settings."""

    def __init__(self) -> None:
        self.seen: list = []

    def on_evaluate(self, args, state, control, model, **_):  # noqa: ARG002
        modes = [module.training for module in model.modules()]
        settings = [model.config.to_dict(), model.generation_config.to_dict()]
        self.seen.append([*draw(), modes, settings])


def draw() -> list:
    return [torch.rand(3).tolist(), random.random(), float(np.random.rand())]


def splits_at_random(text: str) -> list[Span]:
    """A part of the gauge that draws numbers, as one of a plugin may."""
    draw()
    return [Span(0, len(text))] if text else []


@pytest.mark.parametrize("checkpointing", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_training_is_bit_for_bit_the_same_with_it_as_without(tokenizer, texts, tmp_path, tiny_scorer, checkpointing):
    results = []
    for name in ("without", "with"):
        model = tiny_model(tokenizer, attention_dropout=0.3)
        drawn = Drawn()
        gauge = Gauge(tiny_scorer, device="cpu", splitter=Splitter("drawing", splits_at_random), progress=False)
        monitor = [StepgaugeCallback(QUESTIONS, gauge, n=3, max_new_tokens=8)] if name == "with" else []
        trainer = tiny_trainer(
            model, tokenizer, texts, tmp_path / name, [Untidy(), *monitor, drawn], gradient_checkpointing=checkpointing
        )
        trainer.train()
        assert len(logged(trainer, "stepgauge/accuracy")) == (3 if monitor else 0)
        weights = [one.tolist() for one in model.state_dict().values()]
        results.append((logged(trainer, "loss"), logged(trainer, "eval_loss"), weights, drawn.seen))
    assert any(results[0][3][0][3]), "a module is in training mode"
    assert results[0] == results[1]


def test_a_planted_trap_warns_with_its_numbers_in_one_line(tokenizer, texts, tmp_path, caplog):
    callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step())
    trainer = scripted(tokenizer, texts, tmp_path, a_trap, callback)
    trainer.train()
    assert logged(trainer, "stepgauge/accuracy") == {0: 0.0, 2: 1.0, 4: 1.0}
    assert logged(trainer, "stepgauge/deciding/reasons_first") == {0: 1.0, 2: 0.0, 4: 0.0}
    assert logged(trainer, "stepgauge/trap") == {2: 1.0, 4: 1.0}
    assert trainer.state.global_step == 4, "it only warns"
    first, *_ = warnings(caplog)
    assert "\n" not in first
    for part in ("step 2 against step 0: trap", "accuracy (accuracy) up 0 → 1", "down 1", "→ 0", "p "):
        assert part in first
    assert len(warnings(caplog)) == 2, "one line an evaluation: the second against the best finds the same"


def test_where_asked_to_it_stops_at_a_trap(tokenizer, texts, tmp_path, caplog):
    trainer = scripted(
        tokenizer, texts, tmp_path, a_trap, StepgaugeCallback(QUESTIONS, gains_a_nat_a_step(), stop=True)
    )
    trainer.train()
    assert trainer.state.global_step == 2
    assert warnings(caplog)[0].endswith("training stops")


def test_noise_is_no_trap_and_is_told_at_the_level_of_information(tokenizer, texts, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="stepgauge")
    callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step(), stop=True)
    trainer = scripted(tokenizer, texts, tmp_path, noise, callback, eval_steps=1)
    trainer.train()
    assert trainer.state.global_step == 4
    assert logged(trainer, "stepgauge/trap") == dict.fromkeys(range(1, 5), 0.0)
    assert 0 < min(logged(trainer, "stepgauge/accuracy").values()) < 1
    assert warnings(caplog) == []
    said = [one.getMessage() for one in caplog.records if one.name.startswith("stepgauge.adapters.trainer")]
    assert sum("accuracy" in one and "against" not in one for one in said) == 5
    assert sum("against step 0" in one for one in said) == 4


def test_the_level_of_the_comparison_is_the_users(tokenizer, texts, tmp_path, caplog):
    callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step(), settings=Settings(alpha=1e-9))
    scripted(tokenizer, texts, tmp_path, a_trap, callback).train()
    assert warnings(caplog) == []


def test_each_evaluation_is_a_scored_folder_that_compare_reads_with_the_same_verdict(
    tokenizer, texts, tmp_path, capsys
):
    scripted(tokenizer, texts, tmp_path, a_trap, StepgaugeCallback(QUESTIONS, gains_a_nat_a_step())).train()
    folders = sorted((tmp_path / "stepgauge").iterdir())
    assert [one.name for one in folders] == ["step-000000", "step-000002", "step-000004"]
    capsys.readouterr()
    code = in_process("stepgauge", "compare", *map(str, folders[:2]), "--format", "json")
    (task,) = json.loads(capsys.readouterr().out)[0]["tasks"]
    assert code == 0
    assert task["verdict"]["name"] == "trap"
    assert task["n_pairs"] == N
    assert in_process("stepgauge", "compare", *map(str, folders), "--series", "step") == 0
    assert "trap" in capsys.readouterr().out
    assert in_process("stepgauge", "show", str(folders[0])) == 0
    assert QUESTIONS[0]["question"] in capsys.readouterr().out
    (run,) = load_runs([str(folders[1])])
    assert [record.model_answer for record in run.records] == [row["answer"] for row in QUESTIONS]


def test_numbers_that_no_answer_has_are_left_out_and_counted(tokenizer, texts, tmp_path):
    says = {0: "", 1: "Some say it depends."}
    callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step(), n=10)
    trainer = scripted(tokenizer, texts, tmp_path, lambda _, before: says[min(before, 1)], callback)
    trainer.train()
    assert logged(trainer, "stepgauge/infogain_nats") == {2: 1.0, 4: 1.0}
    assert logged(trainer, "stepgauge/missing/infogain_nats") == {0: 10.0, 2: 0.0, 4: 0.0}
    assert logged(trainer, "stepgauge/ki") == {}
    assert logged(trainer, "stepgauge/missing/ki") == {0: 10.0, 2: 10.0, 4: 10.0}


def test_the_columns_are_those_of_the_gauge(tokenizer, texts, tmp_path):
    gauge = gains_a_nat_a_step(controls=["filler"])
    trainer = scripted(tokenizer, texts, tmp_path, a_trap, StepgaugeCallback(QUESTIONS, gauge, n=4))
    trainer.train()
    assert set(logged(trainer, "stepgauge/gain_over_filler")) == {0, 2, 4}
    chosen = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step(), n=4, metrics=["n_steps"])
    trainer = scripted(tokenizer, texts, tmp_path / "chosen", a_trap, chosen)
    trainer.train()
    assert logged(trainer, "stepgauge/n_steps") == {0: 4.0, 2: 1.0, 4: 1.0}
    assert logged(trainer, "stepgauge/infogain") == {}


def test_a_failure_of_the_scorer_costs_one_evaluation(tokenizer, texts, tmp_path, caplog):
    gauge = gains_a_nat_a_step()
    score, calls = gauge.score, []

    def fails_once(*given, **options):
        calls.append(given)
        if len(calls) == 2:
            raise ScorerError("the server is\ngone")
        return score(*given, **options)

    gauge.score = fails_once
    trainer = scripted(tokenizer, texts, tmp_path, noise, StepgaugeCallback(QUESTIONS, gauge))
    trainer.train()
    assert trainer.state.global_step == 4
    assert set(logged(trainer, "stepgauge/accuracy")) == {0, 4}
    assert logged(trainer, "stepgauge/failed") == {2: 1.0}
    assert warnings(caplog) == ["stepgauge: step 2 is not evaluated: ScorerError: the server is gone"]
    assert not (tmp_path / "stepgauge" / "step-000002").exists()


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), KeyboardInterrupt()])
def test_an_answer_that_fails_costs_the_evaluation_but_ctrl_c_is_the_users(tokenizer, texts, tmp_path, caplog, error):
    raised = []

    def says(prompt, before):
        if before == 1 and not raised:
            raised.append(error)
            raise error
        return noise(prompt, before)

    trainer = scripted(tokenizer, texts, tmp_path, says, StepgaugeCallback(QUESTIONS, gains_a_nat_a_step()))
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            trainer.train()
        assert trainer.state.global_step == 2
        return
    trainer.train()
    assert set(logged(trainer, "stepgauge/accuracy")) == {0, 4}
    assert "CUDA out of memory" in warnings(caplog)[0]


def test_a_resumed_training_compares_with_the_first_evaluation_on_disk(tokenizer, texts, tmp_path, caplog):
    def trained(says, steps, **resume):
        callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step())
        trainer = scripted(
            tokenizer, texts, tmp_path, says, callback, max_steps=steps, save_strategy="steps", save_steps=2
        )
        trainer.train(**resume)
        return trainer

    trained(lambda prompt, _: a_trap(prompt, 0), 4)
    assert warnings(caplog) == []
    resumed = trained(lambda prompt, _: a_trap(prompt, 1), 4, resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert logged(resumed, "stepgauge/trap")[4] == 1.0
    assert any("step 4 against step 0: trap" in one for one in warnings(caplog))
    # What the checkpoint does not know of is out of the way, and was not compared with.
    assert [one.name for one in (tmp_path / "stepgauge.earlier-1").iterdir()] == ["step-000004"]


@pytest.mark.slow
def test_a_training_from_the_start_leaves_another_ones_evaluations_alone(tokenizer, texts, tmp_path, caplog):
    for says in (lambda prompt, _: a_trap(prompt, 0), lambda prompt, _: a_trap(prompt, 1)):
        callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step())
        trainer = scripted(tokenizer, texts, tmp_path, says, callback)
        trainer.train()
    assert set(logged(trainer, "stepgauge/trap").values()) == {0.0}
    (told,) = warnings(caplog)
    assert "stepgauge.earlier-1" in told
    assert len(list((tmp_path / "stepgauge.earlier-1").iterdir())) == 3


def test_without_any_evaluation_it_says_so_once(tokenizer, texts, tmp_path, caplog):
    callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step())
    scripted(tokenizer, texts, tmp_path, noise, callback, eval_strategy="no", eval_on_start=False).train()
    (told,) = warnings(caplog)
    assert "eval_strategy" in told


def test_of_several_evaluation_sets_one_asks(tokenizer, texts, tmp_path):
    callback = StepgaugeCallback(QUESTIONS, gains_a_nat_a_step(), n=2)
    trainer = scripted(
        tokenizer, texts, tmp_path, noise, callback, eval_dataset=lambda data: {"one": data[:2], "other": data[2:4]}
    )
    trainer.train()
    assert len(trainer.model.asked) == 2 * 3


def test_the_model_under_training_scores_itself_where_asked_to(tokenizer, texts, tmp_path, caplog):
    model = tiny_model(tokenizer)
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    callback = StepgaugeCallback(QUESTIONS, scorer="self", n=3, max_new_tokens=8)
    trainer = tiny_trainer(model, tokenizer, texts, tmp_path / "out", [callback])
    trainer.train()
    first, *_, last = (load_runs([str(one)])[0] for one in sorted((tmp_path / "out" / "stepgauge").iterdir()))
    assert {record.score.provenance["revision"] for record in first.records} == {"step-0"}
    assert {record.score.provenance["revision"] for record in last.records} == {"step-4"}
    assert not warnings(caplog)
    both = compare_runs(first, last, Settings(resamples=999))
    assert any("scored by the model that wrote it" in note for note in both.notes)
    deciding = {row.measure for row in both.tasks[0].rows if row.role == "deciding"}
    assert "infogain_nats_before_own_answer" not in deciding
    traces = [Trace(record.question, _response(tmp_path, i), record.answer) for i, record in enumerate(first.records)]
    named = Gauge(str(tmp_path / "start"), device="cpu", progress=False).score(traces)
    for mine, other in zip(first.records, named, strict=True):
        assert mine.score.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)


def _response(folder, i):
    lines = (folder / "out" / "stepgauge" / "step-000000" / "scores.jsonl").read_text().splitlines()
    return json.loads(lines[i])["response"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"questions": []}, "there is none"),
        ({"questions": [{"question": "How many?"}]}, "questions[0]: no gold answer"),
        ({"questions": [{"answer": "1"}]}, "questions[0]"),
        ({"questions": [{"question": "Which?", "answer": "C", "choices": ["one", "two"]}]}, "questions[0]"),
        ({"questions": [{"question": "Which?", "answer": "A", "choices": "AB"}]}, "questions[0]: expected a list of"),
        ({"questions": [{"question": "Which?", "answer": "A", "choices": 2}]}, "questions[0]: expected a list of"),
        ({"questions": QUESTIONS, "n": 0}, "n 0"),
        ({"questions": QUESTIONS, "n": 1.5}, "n 1.5"),
        ({"questions": QUESTIONS, "max_new_tokens": 0}, "max_new_tokens 0"),
        ({"questions": QUESTIONS, "max_new_tokens": 8.5}, "max_new_tokens 8.5"),
        ({"questions": QUESTIONS, "until": "\n"}, "expected a list"),
        ({"questions": QUESTIONS, "until": [""]}, "none of them empty"),
        ({"questions": QUESTIONS, "until": None}, "until None: expected a list"),
        ({"questions": QUESTIONS, "stop": "no"}, "stop 'no': expected True or False"),
        ({"questions": QUESTIONS, "metrics": ["infogian"]}, "infogain"),
        ({"questions": QUESTIONS, "scorer": "smollm2", "gauge": Gauge(None)}, "the gauge has one"),
    ],
)
def test_what_cannot_be_is_said_before_the_training(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        StepgaugeCallback(**options)
