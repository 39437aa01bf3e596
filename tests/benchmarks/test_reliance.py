"""The planted models of `benchmarks.reliance`: what their questions hold, and that a short run prints both tables."""

from __future__ import annotations

import pytest

from benchmarks.reliance import __main__ as command
from benchmarks.reliance.models import ASKED, KINDS, questions


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_questions_hold_what_the_docstring_says(kind, training):
    found = questions(kind, 300, seed=3, training=training)
    assert len({one.text for one in found}) == 300
    wrong = 0
    for one in found:
        terms = dict(word.split("=") for word in one.text.removeprefix("q ").split())
        key = terms.pop("key")
        said = dict(step.split("=") for step in one.steps)
        right = {name: str((int(number) + 1) % 10) for name, number in terms.items()}
        assert said.keys() == right.keys()
        assert list(said)[one.carrier] == ASKED
        wrong += said != right
        if kind == "key":
            assert one.answer == key
        else:  # it follows the step, right or wrong
            assert one.answer == str((int(said[ASKED]) + 1) % 10)
        if said == right:
            assert one.answer == str((int(terms[ASKED]) + 2) % 10)
            assert one.answer in terms.values()  # so that no step gives it away
    assert (0.15 < wrong / 300 < 0.35) if training else not wrong


@pytest.mark.slow
def test_a_short_run_prints_both_tables_and_trains_once(tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--questions", "6", "--steps", "20", "--without-smollm2"]
    assert command.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| early_answer_area_before_answer " in printed
    assert "| deletion_nats_before_answer " in printed
    assert "| 1 - answer_kept_share (end written anew) " in printed
    assert "steps: 20 steps of 32 chains" in printed
    times = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("model.safetensors"))]
    assert len(times) == 2
    assert command.main(arguments) == 0
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("model.safetensors"))] == times
