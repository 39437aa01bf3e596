"""A plugin that fails in whatever way, wherever it is asked, costs itself: `stepgauge score` in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugin_modules import PARTS, REGISTERED, WHOSE, installed, plugin_module
from scoring import rows, score, traces, write_jsonl

FAILING = """
import asyncio, sys
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.likelihood import SpanScore
from stepgauge.metrics.segment.base import Splitter

class Panic(BaseException):
    '''As pyo3 raises it where Rust code panics.'''

class Unprintable(Exception):
    def __str__(self):
        sys.exit(0)

HOWS = {
    "exit": lambda: sys.exit(0),
    "exit with text": lambda: sys.exit("good bye"),
    "panic": lambda: throw(Panic("index out of bounds")),
    "cancelled": lambda: throw(asyncio.CancelledError("stop")),
    "generator": lambda: throw(GeneratorExit("stop")),
    "error": lambda: 1 / 0,
    "unprintable": lambda: throw(Unprintable()),
    "recursion": lambda: deeper(),
    "interrupt": lambda: throw(KeyboardInterrupt()),
}
WHERE, HOW = PLACE

def throw(error):
    raise error

def deeper():
    return deeper()

def fail_at(place):
    if place == WHERE:
        HOWS[HOW]()

class Part:
    def __init__(self, name):
        fail_at(f"make {name}")
        self.name = name
        self.kinds = None
        self.needs_evidence = name == "judge"
    def describe(self):
        fail_at(f"describe {self.name}")
        return {}
    def close(self):
        fail_at(f"close {self.name}")

class OddJudge(Part):
    def judge(self, claims, evidence):
        fail_at("judge")
        return [Verdict(claim, "supported", "odd", evidence=tuple(found)) for claim, found in zip(claims, evidence)]

class OddRetriever(Part):
    @property
    def floor(self):
        fail_at("floor")
    def retrieve(self, claims, traces):
        fail_at("retriever")
        return [[Passage("p", "text")] for _ in claims]

class OddExtractor(Part):
    def extract(self, traces, steps):
        fail_at("extractor")
        return [[Claim("one", 0, 0, 1, "odd", "one")] for _ in traces]

class OddBackend:
    def __init__(self, *_, **__):
        fail_at("make backend")
    def score(self, groups, done):
        fail_at("score")
        done(len(groups))
        return [[SpanScore(-1.0, 1, 1) for _ in group] for group in groups]
    def too_long(self, request):
        fail_at("too_long")
    def render_chat(self, messages):
        fail_at("render_chat")
        return messages[-1]["content"]
    def describe(self):
        fail_at("describe backend")
        return {"scorer": "odd"}
    def statistics(self):
        fail_at("statistics")
    def close(self):
        fail_at("close backend")

def measure(chain):
    fail_at("metric")
    return 1.5

def split(text):
    fail_at("splitter")
    return [(0, len(text))]

fail_at("import")

@hookimpl
def register_chain_metrics(register):
    fail_at("hook")
    register(ChainMetric("odd", measure))

@hookimpl
def register_splitters(register):
    register(Splitter("split", split, "whole"))
"""
SAID = {
    "exit": "it called sys.exit(0)",
    "exit with text": "it called sys.exit('good bye')",
    "panic": "Panic: index out of bounds",
    "cancelled": "CancelledError: stop",
    "generator": "GeneratorExit: stop",
    "error": "ZeroDivisionError: division by zero",
    "unprintable": "Unprintable: (cannot be printed: SystemExit)",
    "recursion": "RecursionError: maximum recursion depth exceeded",
}


def run(folder: Path, place: str, how: str, *options: str) -> tuple[int, list[dict]]:
    """The exit code, and the scores that were written."""
    source = write_jsonl(folder / "in.jsonl", traces(3))
    plugin_module(folder, FAILING.replace("PLACE", repr((place, how))) + REGISTERED)
    with installed(folder):
        sets = [word for option in options for word in ("--set", option)]
        code = score(source, *sets, "--out", folder / "out", cheap=False)
    found = rows(folder / "out") if (folder / "out" / "scores.jsonl").exists() else []
    return code, [row["score"] for row in found]


def verdicts(found: dict) -> list[dict]:
    return [verdict for step in found["steps"] for verdict in step["verdicts"]]


@pytest.mark.parametrize("how", SAID)
@pytest.mark.parametrize("place", ["import", "hook"])
def test_plugin_that_cannot_be_loaded_is_named_and_left_out_and_the_run_goes_on(tmp_path, place, how, caplog):
    code, found = run(tmp_path, place, how, "scorer=null")
    assert code == 0
    assert [(one["metrics"]["n_steps"], "odd" in one["metrics"]) for one in found] == [(3, False)] * 3
    assert f"plugin 'odd' of {WHOSE} was left out: {SAID[how]}" in caplog.text


@pytest.mark.parametrize("how", SAID)
def test_metric_that_fails_is_missing_and_named_and_the_others_stand(tmp_path, how):
    code, found = run(tmp_path, "metric", how, "scorer=null")
    assert code == 0
    for one in found:
        assert one["metrics"]["odd"] is None
        assert one["missing"]["odd"].startswith(f"the metric of {WHOSE} failed: {SAID[how]}")
        assert (one["metrics"]["n_steps"], one["metrics"]["ki"]) == (3, 1)
    assert len(found) == 3


@pytest.mark.parametrize("how", SAID)
@pytest.mark.parametrize("place", ["judge", "retriever", "extractor"])
def test_part_that_fails_costs_its_claims_and_is_named_and_the_others_stand(tmp_path, place, how):
    code, found = run(tmp_path, place, how, "scorer=null", *PARTS)
    assert code == 0
    for one in found:
        failed = [verdict["error"] for verdict in verdicts(one) if verdict["error"]]
        assert len(failed) == (3 if place == "extractor" else 1)
        who = "claim extractor" if place == "extractor" else place
        assert all(error.startswith(f"{who} {place!r} of {WHOSE} failed: {SAID[how]}") for error in failed)
        assert [v["label"] for v in verdicts(one) if v["judge"] == "exact"] == ["supported"]
        assert (one["metrics"]["ki"], one["metrics"]["n_failed"]) == (None, len(failed))
        assert one["metrics"]["odd"] == 1.5
    assert len(found) == 3


@pytest.mark.parametrize("how", ["exit", "panic", "error"])
@pytest.mark.parametrize("place", ["make judge", "make retriever", "floor", "make extractor", "make backend"])
def test_part_that_cannot_be_made_is_one_line_and_exit_code_2(tmp_path, place, how, capsys):
    options = ["scorer=any", "backend=backend"] if place == "make backend" else ["scorer=null", *PARTS]
    code, found = run(tmp_path, place, how, *options)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stepgauge")]
    name = "retriever" if place == "floor" else place.partition(" ")[2]
    assert f"{name!r} of {WHOSE}: " in line
    assert SAID[how] in line
    assert (code, found) == (2, [])


@pytest.mark.parametrize("how", ["exit", "panic", "error"])
@pytest.mark.parametrize("place", ["describe judge", "describe retriever", "close judge", "close retriever"])
def test_part_that_cannot_describe_or_free_itself_costs_no_verdict(tmp_path, place, how):
    code, found = run(tmp_path, place, how, "scorer=null", *PARTS)
    assert code == 0
    assert [one["metrics"]["ki"] for one in found] == [1, 1, 1]
    if place.startswith("describe"):
        said = {one["provenance"]["evidence"][place.partition(" ")[2]]["not_described"] for one in found}
        assert said == {SAID[how]}


@pytest.mark.parametrize("how", ["exit", "panic", "error"])
@pytest.mark.parametrize(
    "place", ["score", "too_long", "render_chat", "describe backend", "statistics", "close backend"]
)
def test_likelihood_backend_that_fails_costs_what_it_was_asked(tmp_path, place, how):
    template = "chat" if place == "render_chat" else "plain"
    code, found = run(tmp_path, place, how, "scorer=any", "backend=backend", f"template={template}")
    assert code == 0
    assert [one["metrics"]["ki"] for one in found] == [1, 1, 1]
    for one in found:
        if place in ("score", "too_long", "render_chat"):
            assert one["metrics"]["infogain_nats"] is None
            assert one["missing"]["infogain_nats"] == f"likelihood backend 'backend' of {WHOSE} failed: {SAID[how]}"
        else:
            assert one["metrics"]["infogain_nats"] == 0
    assert len(found) == 3


@pytest.mark.parametrize("how", ["exit", "panic", "error", "unprintable"])
def test_splitter_that_fails_costs_its_chains_and_is_named(tmp_path, how):
    code, found = run(tmp_path, "splitter", how, "scorer=null", "splitter=split")
    assert code == 0
    for one in found:
        for name in ("ki", "n_failed", "n_steps", "odd"):
            assert one["metrics"][name] is None
            assert SAID[how] in one["missing"][name]
            assert WHOSE in one["missing"][name]
    assert len(found) == 3


@pytest.mark.parametrize("place", ["metric", "judge", "retriever", "extractor"])
def test_ctrl_c_in_a_plugin_is_the_users_and_ends_the_run(tmp_path, place):
    assert run(tmp_path, place, "interrupt", "scorer=null", *PARTS) == (130, [])
