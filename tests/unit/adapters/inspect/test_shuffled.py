"""`multiple_choice(shuffle=…)` overwrites what the model wrote: it is read from the model event, live and from logs."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from agent_turns import says
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice
from scoring import rows, score

from stepgauge.adapters.inspect import knowledge
from stepgauge.metrics import ChainScore

OPTIONS = ["Vitamin A", "Vitamin C", "Vitamin D", "None (A) of them"]
CHAIN = "First we weigh each option.\nThe facts point one way.\nThe right one is Vitamin C."


def run(folder: Path, reply: str, shuffle: Any, *, thinks: str | None = None, **options: Any) -> EvalLog:
    """A run of one sample; in the reply, {c} and {d} stand for the letters under which the model sees C and D."""

    def answer(messages: Any, *_: Any) -> Any:
        prompt = messages[-1].text
        seen = {name: re.search(rf"(\w)\) Vitamin {name.upper()}", prompt)[1] for name in "cd"}  # type: ignore[index]
        return says(reply.format(**seen), thinks and thinks.format(**seen))

    sample = Sample(input="A lack of which vitamin leads to scurvy?", choices=OPTIONS, target="B", id=1)
    solver = multiple_choice(cot=True, shuffle=shuffle, **options)
    task = Task(dataset=[sample], solver=solver, scorer=[choice(), knowledge(splitter="lines")])
    model = get_model("mockllm/model", custom_outputs=answer)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none")
    assert log.status == "success", log.error
    return log


def live(log: EvalLog) -> ChainScore:
    (sample,) = log.samples or []
    return ChainScore.from_dict(sample.scores["knowledge"].metadata)  # type: ignore[index,arg-type]


def again(log: EvalLog, folder: Path) -> ChainScore:
    assert score(log.location, "--out", folder, "--set", "scorer=null", "--set", "splitter=lines") == 0
    assert not rows(folder, "skipped.jsonl")
    (row,) = rows(folder)
    return ChainScore.from_dict(row["score"])


def texts(found: ChainScore) -> list[str]:
    return [step.text for step in found.steps if step.text not in ("<think>", "</think>")]


@pytest.mark.parametrize(
    "reply",
    [
        f"{CHAIN}\nANSWER: {{c}}",
        f"{CHAIN}\nThe other one, option {{d}}, is wrong.\nANSWER: {{c}}",
        f"{CHAIN}\n{{d}}) Vitamin D: no.\n- {{c}}. This one: ({{c}}).\nNot options {{d}}, {{c}}.\n**ANSWER: {{c}}**",
        f"{CHAIN}\nNone (A) of them is no answer.\nanswer: {{c}}",
    ],
)
def test_the_chain_is_what_the_model_wrote_with_letters_in_the_datasets_order(tmp_path: Path, reply: str) -> None:
    plain = run(tmp_path / "plain", reply, False)
    shuffled = run(tmp_path / "shuffled", reply, Random(3))
    assert shuffled.samples[0].output.completion == "ANSWER: B"  # type: ignore[index]
    expected = texts(live(plain))
    assert len(expected) > 3
    later = inspect_score(
        read_eval_log(shuffled.location), knowledge(splitter="lines"), action="overwrite", display="none"
    )
    for found in (live(shuffled), again(shuffled, tmp_path / "again"), live(later)):
        assert texts(found) == expected
        assert any("in another order" in note for note in found.notes)
    assert not live(plain).notes


def test_reasoning_content_is_mapped_and_kept(tmp_path: Path) -> None:
    log = run(tmp_path / "log", "ANSWER: {c}", Random(3), thinks="Option {d} is wrong.\nI pick option {c}.")
    as_json = tmp_path / "log.json"
    write_eval_log(read_eval_log(log.location), str(as_json))
    for found in (live(log), again(log, tmp_path / "again"), again(read_eval_log(str(as_json)), tmp_path / "json")):
        assert texts(found) == ["Option C is wrong.", "I pick option B.", "ANSWER: B"]


def test_letters_that_may_mean_something_else_are_left_and_counted(tmp_path: Path) -> None:
    found = live(run(tmp_path, "Plan B it is, as D says.\nVitamin C helps.\nANSWER: {c}", Random(3)))
    assert texts(found)[:2] == ["Plan B it is, as D says.", "Vitamin C helps."]
    assert "left as they are, since they may be no options: 2" in found.notes[0]


def test_several_answers_are_mapped_each(tmp_path: Path) -> None:
    found = live(run(tmp_path, "Two of them.\nANSWER: {c}, {d}", Random(3), multiple_correct=True))
    assert texts(found) == ["Two of them.", "ANSWER: B, C"]


def test_an_answer_that_was_not_rewritten_stays_as_it_is(tmp_path: Path) -> None:
    log = run(tmp_path / "log", "ANSWER: {c}", False)
    for found in (live(log), again(log, tmp_path / "again")):
        assert (texts(found), list(found.notes)) == (["ANSWER: B"], [])


def test_a_sample_whose_events_are_gone_while_it_runs_is_unscored(tmp_path: Path, monkeypatch: Any) -> None:
    def gone() -> None:
        raise RuntimeError("history is not available")

    monkeypatch.setattr("stepgauge.adapters.inspect.scorers.transcript", gone)
    (sample,) = run(tmp_path, f"{CHAIN}\nANSWER: {{c}}", Random(3)).samples or []
    found = (sample.scores or {})["knowledge"]
    assert found.reason == "response_rewritten"
    assert "there is no model event" in (found.explanation or "")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("no events", "no events"),
        ("another prompt", "cannot be read from its prompt"),
        ("another answer", "is not the one"),
    ],
)
def test_a_chain_that_cannot_be_had_is_unscored_with_the_reason(tmp_path: Path, damage: str, says: str) -> None:
    log = read_eval_log(run(tmp_path / "log", f"{CHAIN}\nANSWER: {{c}}", Random(3)).location)
    (sample,) = log.samples or []
    (event,) = [event for event in sample.events if event.event == "model"]
    if damage == "no events":
        sample.events = []
    elif damage == "another prompt":
        event.input[-1].text = "Which one?"
    else:
        other = "A" if event.output.completion.endswith("B") else "B"
        event.output.completion = event.output.message.content = f"{CHAIN}\nANSWER: {other}"
    changed = tmp_path / "changed.eval"
    write_eval_log(log, str(changed))
    assert score(changed, "--out", tmp_path / "out", "--set", "scorer=null") == 0
    assert not rows(tmp_path / "out")
    (skipped,) = rows(tmp_path / "out", "skipped.jsonl")
    assert skipped["kind"] == "not scorable (response_rewritten)"
    assert says in skipped["reason"]
