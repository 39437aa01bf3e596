"""What the likelihood engine counts, and where the line about it is shown."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from scoring import score, traces, write_jsonl
from tiny_scorers import make_scorer

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.engine.statistics import ENGINE_LINE, EngineStatistics

CHAIN = Trace("What is 2 + 2, and 3 more?", "2 + 2 = 4.\n4 + 3 = 7.\nThe answer is 7", "7", choices=["7", "8"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizers):
    return make_scorer(tmp_path_factory.mktemp("scorer"), "llama", tokenizers["qwen"])


@pytest.fixture
def gauge(folder):
    return Gauge(str(folder), device="cpu")


def test_counts_are_those_of_the_sequences_that_were_asked_for(gauge):
    assert gauge.statistics() is None
    (chain,) = gauge.score([CHAIN])
    stats = gauge.statistics()
    assert stats.groups == 1
    assert stats.sequences == 2 * (chain.n_steps + 1)  # both options after each prefix
    assert stats.scored_tokens == stats.sequences * chain.n_answer_tokens
    assert stats.scored_tokens < stats.computed_tokens < stats.sequence_tokens
    assert stats.saved_ratio == stats.sequence_tokens / stats.computed_tokens
    assert 0 < stats.tokenizing_seconds < stats.seconds
    assert stats.peak_bytes > 2**20


def test_what_was_told_is_a_copy_and_counting_goes_on_when_the_gauge_is_closed(gauge):
    gauge.score([CHAIN])
    before = gauge.statistics()
    groups = before.groups
    gauge.close()
    gauge.score([CHAIN, CHAIN])
    after = gauge.statistics()
    assert (before.groups, after.groups, after.since(before).groups) == (groups, groups + 2, 2)
    assert after.since(before).seconds == pytest.approx(after.seconds - before.seconds)
    assert after.since(None) == after


def test_chain_that_is_not_scored_does_not_count(gauge):
    gauge.score([CHAIN, Trace("Too long?", "word " * 600 + "7", "7"), Trace("No gold answer?", "None.", None)])
    assert gauge.statistics().groups == 1


def test_time_spent_counts_even_when_scoring_raises(gauge, monkeypatch):
    gauge.score([CHAIN])
    before = gauge.statistics()

    def fails(*_, **__):
        raise RuntimeError("no more")

    monkeypatch.setattr(gauge.backend.engine.model, "forward", fails)
    with pytest.raises(RuntimeError, match="no more"):
        gauge.score([CHAIN])
    since = gauge.statistics().since(before)
    assert since.seconds > 0
    assert since.groups == 0


def test_several_processes_add_up_but_for_the_peak():
    one = EngineStatistics(groups=2, computed_tokens=10, seconds=1.5, peak_bytes=7)
    two = EngineStatistics(groups=3, computed_tokens=5, seconds=0.5, peak_bytes=5)
    assert one + two == EngineStatistics(groups=5, computed_tokens=15, seconds=2.0, peak_bytes=7)


def test_ratios_of_nothing_are_missing_not_zero():
    nothing = EngineStatistics()
    assert all(value != value for name, value in nothing.to_dict().items() if name in ("saved_ratio", "padding_share"))
    assert nothing.summary() == "engine: nothing was computed"


def test_summary_is_one_line_with_ratio_padding_speed_and_memory():
    line = EngineStatistics(3, 12, 1200, 24, 290, 300, 100, 2, 2.0, 0.5, 3 * 2**29).summary()
    assert line == (
        "engine: 3 groups, 12 sequences of 1,200 tokens, 24 of them scored; 290 unique, 300 computed (4.0× fewer) in "
        "2 passes, padding 25.0 %; 2.0 s (0.5 s tokenizing), 150 tokens/s, peak memory 1.50 GiB"
    )


@pytest.mark.slow
def test_importing_the_core_still_leaves_torch_alone():
    code = "import sys, stepgauge.metrics; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_score_prints_the_line_and_keeps_it_apart_from_files_that_repeat(tmp_path, folder, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(3))
    out = tmp_path / "out"
    assert score(source, "--out", out, "--scorer", folder, "--device", "cpu", cheap=False) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.startswith(ENGINE_LINE)]
    assert line.startswith("engine: 3 groups, 12 sequences")
    (told,) = [json.loads(line) for line in (out / "engine.jsonl").read_text().splitlines()]
    assert told["groups"] == 3
    assert told["saved_ratio"] > 1
    for name in ("scores.jsonl", "summary.json", "run.json"):
        assert "computed_tokens" not in (out / name).read_text()

    assert score(source, "--out", out, "--scorer", folder, "--device", "cpu", cheap=False) == 0  # nothing is left
    assert ENGINE_LINE not in capsys.readouterr().out
    assert len((out / "engine.jsonl").read_text().splitlines()) == 1
    assert score(source, "--out", out, "--scorer", folder, "--device", "cpu", "--restart", cheap=False) == 0
    assert len((out / "engine.jsonl").read_text().splitlines()) == 1


def test_backend_without_statistics_writes_none(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(source, "--out", tmp_path / "out") == 0
    assert ENGINE_LINE not in capsys.readouterr().out
    assert not (tmp_path / "out" / "engine.jsonl").exists()


def test_lm_eval_logs_a_line_for_each_task_with_its_own_counts(folder, caplog):
    from stepgauge.adapters.lm_eval.options import read_options
    from stepgauge.adapters.lm_eval.scorer import ChainScorer, Request

    doc = {"question": CHAIN.question, "answer": "7"}
    options = {"scorer": str(folder), "device": "cpu", "question": "question", "gold": "answer"}
    with caplog.at_level("INFO", logger="lm_eval.stepgauge"):
        for name, repeats in (("first", 1), ("second", 2)):
            scorer = ChainScorer(read_options(name, {"stepgauge": options}))
            scorer.score([Request(f"{name}/0", doc, [CHAIN.response] * repeats)], None)
    lines = [record.getMessage() for record in caplog.records if ENGINE_LINE in record.getMessage()]
    assert [line.partition(" groups")[0] for line in lines] == ["[first] engine: 1", "[second] engine: 2"]


@pytest.mark.slow
def test_inspect_keeps_the_line_in_its_log_and_off_the_terminal(tmp_path, folder, capfd):
    pytest.importorskip("inspect_ai")
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    from stepgauge.adapters.inspect import reasoning

    output = ModelOutput.from_content("mockllm/model", CHAIN.response)
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else mockllm fetches a tokenizer
    model = get_model("mockllm/model", custom_outputs=[output] * 2)
    task = Task(
        dataset=[Sample(input=CHAIN.question, target="7", id=i) for i in range(2)],
        scorer=reasoning(scorer=str(folder), device="cpu"),
    )
    (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    said = [
        event.message.message
        for sample in log.samples
        for event in sample.events
        if event.event == "logger" and ENGINE_LINE in event.message.message
    ]
    assert any("engine: 2 groups" in text for text in said), said
    assert ENGINE_LINE not in capfd.readouterr().err
