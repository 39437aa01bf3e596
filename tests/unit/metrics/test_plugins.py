"""Plugins: real packages are installed beside stepgauge, loaded, listed, and left out when broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_modules import plugin_module
from repo import REPO
from scoring import rows, traces, write_jsonl
from sweeps import sweep


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory) -> Path:
    """A folder for PYTHONPATH with the example and the broken plugin installed in it."""
    target = tmp_path_factory.mktemp("site")
    # From a copy: setuptools writes build folders beside the source.
    source = tmp_path_factory.mktemp("source")
    packages = []
    for name in ("stepgauge_example", "stepgauge_broken"):
        packages.append(shutil.copytree(REPO / "tests" / "plugins" / name, source / name))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *packages], check=True)
    return target


def stepgauge(*args: str, plugins: Path, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from stepgauge.adapters.cli import main; sys.exit(main())", *args],
        env={**os.environ, "PYTHONPATH": str(plugins), "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_installed_plugin_is_listed_with_its_distribution_and_the_broken_one_is_named_and_left_out(plugin_folder):
    result = stepgauge("plugins", plugins=plugin_folder)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["chain", "metric", "hedging_share", "stepgauge-example", "1.2.3"] in rows
    assert ["splitter", "semicolons", "stepgauge-example", "1.2.3"] in rows
    assert any(row[:2] == ["splitter", "lines"] and row[2] == "stepgauge" for row in rows)
    assert (
        "left out: broken of stepgauge-broken 0.0.1: RuntimeError: this plugin needs a licence server" in result.stdout
    )
    assert "stepgauge-broken 0.0.1" in result.stderr


def test_a_plugins_number_is_listed_with_its_unit_its_meaning_and_its_distribution(plugin_folder):
    result = stepgauge("metrics", plugins=plugin_folder)
    assert result.returncode == 0, result.stderr
    (section,) = [part for part in result.stdout.split("\n\n") if "hedging_share" in part]
    heading, number, meaning, shown = (line.strip() for line in section.splitlines())
    assert heading == "Added by the plugin stepgauge-example 1.2.3"
    assert (number, meaning) == ("hedging_share  share, lower is better", "steps that hold a hedging word")
    assert shown == "Shown in: lm-eval, Inspect, score, show, report"


@pytest.mark.parametrize(
    ("value", "loaded"),
    sweep(
        [("", False), ("stepgauge-example", True), ("example", True), ("something-else", False)],
        [("", False), ("stepgauge-example", True)],
    ),
)
def test_environment_variable_restricts_loading(plugin_folder, value, loaded):
    result = stepgauge("plugins", plugins=plugin_folder, STEPGAUGE_LOAD_PLUGINS=value)
    assert ("hedging_share" in result.stdout) is loaded
    assert "stepgauge-broken" not in result.stdout + result.stderr
    assert "infogain_nats" in result.stdout


def test_plugin_metric_and_splitter_work_in_a_gauge(plugin_folder):
    code = (
        "from stepgauge.metrics import Gauge, Trace\n"
        "s = Gauge(scorer=None, splitter='semicolons').score([Trace('q', 'maybe a; b; c; d', 'd')])[0]\n"
        "e = Gauge(scorer=None, splitter='semicolons').score([Trace('q', '', 'd')])[0]\n"
        "print(s.n_steps, s.metrics['hedging_share'], e.missing['hedging_share'])"
    )
    env = {**os.environ, "PYTHONPATH": str(plugin_folder)}
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "4 0.25 the chain has no steps"


BREAKING = {
    "unknown": ("@hookimpl\ndef register_nonsense(register): pass", "unknown hook 'register_nonsense'"),
    "raising": ("@hookimpl\ndef register_chain_metrics(register): 1 / 0", "ZeroDivisionError"),
    "untyped": (
        "@hookimpl\ndef register_chain_metrics(register): register('text')",
        "expected a ChainMetric, got str",
    ),
    "taken": (
        "@hookimpl\ndef register_chain_metrics(register): register(ChainMetric('ki', lambda chain: 1.0))",
        "'ki' is already registered by stepgauge",
    ),
    "nameless": ("@hookimpl\ndef register_judges(register): register('', 1)", "a name must be non-empty text"),
    "dead": ("raise SystemError('no')", "SystemError: no"),
}


@pytest.fixture(scope="module")
def with_breaking_ones(tmp_path_factory) -> subprocess.CompletedProcess:
    """What `stepgauge plugins` says where all of them are installed."""
    folder = tmp_path_factory.mktemp("breaking")
    for name, (body, _) in BREAKING.items():
        plugin_module(folder, body, name)
    return stepgauge("plugins", plugins=folder)


@pytest.mark.parametrize("name", BREAKING)
def test_plugin_that_breaks_is_left_out_whole_and_named(with_breaking_ones, name):
    result = with_breaking_ones
    assert result.returncode == 0, result.stderr
    (line,) = [line for line in result.stdout.splitlines() if f"left out: {name} of {name}-plugin 3.1" in line]
    assert BREAKING[name][1] in line
    assert "chain metric" in result.stdout


ODD_METRICS = """
VALUES = {"inf": float("inf"), "minus_inf": -float("inf"), "not_a_number": float("nan"), "fine": 1.5, "text": "much"}

@hookimpl
def register_chain_metrics(register):
    register(ChainMetric("bad", lambda chain: chain.nothing))
    for name, value in VALUES.items():
        register(ChainMetric(name, lambda chain, value=value: value))
"""


@pytest.mark.slow
def test_plugin_metric_without_a_number_is_missing_counted_and_named_and_the_others_stand(tmp_path):
    """Through the command, so that it is what files hold, too."""
    source = write_jsonl(tmp_path / "in.jsonl", traces(3))
    out = tmp_path / "out"
    plugins = plugin_module(tmp_path, ODD_METRICS)
    result = stepgauge("score", str(source), "--set", "scorer=null", "--out", str(out), plugins=plugins)
    assert result.returncode == 0, result.stderr
    whose = "the metric of odd-plugin 3.1"
    expected = {
        "bad": f"{whose} failed: AttributeError: 'Chain' object has no attribute 'nothing'",
        "inf": f"{whose} gave inf",
        "minus_inf": f"{whose} gave -inf",
        "not_a_number": f"{whose} gave nan",
        "text": f"{whose} failed: ValueError: could not convert string to float: 'much'",
    }
    found = [row["score"] for row in rows(out)]
    assert len(found) == 3
    for score in found:
        assert {name: score["metrics"][name] for name in expected} == dict.fromkeys(expected)
        assert {name: score["missing"][name] for name in expected} == expected
        assert (score["metrics"]["fine"], score["metrics"]["n_steps"]) == (1.5, 3)
    (group,) = json.loads((out / "summary.json").read_text())["groups"]
    for name, reason in expected.items():
        assert group["metrics"][name] == {"mean": None, "n": 0, "questions": 0, "missing": {reason: 3}}
    for path in out.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            json.loads(line, parse_constant=lambda constant: pytest.fail(f"no strict JSON: {constant}"))


IN_LM_EVAL = """
import json, sys
from lm_eval.api.task import ConfigurableTask
from lm_eval.utils import make_table
from scripted_lm import ScriptedLM, documents, evaluate
from stepgauge.adapters.lm_eval import StepTask

task = {
    "task": "plugged", "class": StepTask, "custom_dataset": documents([{"question": "How many?", "answer": "4"}]),
    "test_split": "test", "output_type": "generate_until", "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}",
    "metric_list": [{"metric": "exact_match"}], "stepgauge": {"scorer": None, "splitter": "semicolons"},
}
results = evaluate(ScriptedLM({"How many?": ["two; maybe two; so; 4"]}), task)
print(make_table(results))
print(json.loads(results["samples"]["plugged"][-1]["filtered_resps"][0])["chains"][0]["provenance"]["splitter"])
"""


@pytest.mark.slow
def test_plugin_metric_and_splitter_show_in_an_lm_eval_table(plugin_folder, tmp_path):
    paths = os.pathsep.join([str(plugin_folder), str(REPO / "tests" / "support")])
    env = {**os.environ, "PYTHONPATH": paths}
    result = subprocess.run(
        [sys.executable, "-c", IN_LM_EVAL], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    cells = [[cell.strip() for cell in line.split("|")] for line in result.stdout.splitlines() if "reasoning" in line]
    values = {row[5]: row[7] for row in cells}
    assert float(values["hedging_share"]) == 0.25
    assert result.stdout.strip().endswith("semicolons")
