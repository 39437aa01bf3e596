"""`stepgauge score --reliance` and what reads its rows: tables, what may be claimed, and runs that go on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from columns import score_table
from scoring import assert_alike, killed_copy, rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.metrics import ChainScore, Gauge, Trace

SHOWN = (
    "early_answer_area_before_answer",
    "necessary_share_before_answer",
    "true_thinking_before_answer",
)
CLAIM = "reliance: content, not causation (the scorer is not known to be the model that wrote the chains)"
WORDS = ("apples", "pears", "plums", "grapes", "lemons", "limes", "melons")


def given(count: int) -> list[dict[str, Any]]:
    """Chains whose first step has a number only in every other one."""
    return [
        {
            **one,
            "response": f"There are some {WORDS[i % 7]} here{f', {i} of them' if i % 2 else ''}.\n{one['response']}",
            "meta": {"accuracy": float(i % 3 > 0), "doc_id": i, "task": "sums"},
        }
        for i, one in enumerate(traces(count))
    ]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_jsonl(folder / "in.jsonl", given(70))
    assert score(folder / "in.jsonl", "--out", folder / "out", "--reliance", "--window", 32) == 0
    return folder


def printed(*args: object, capsys: Any) -> str:
    capsys.readouterr()
    assert main([*map(str, args)]) == 0
    return capsys.readouterr().out


def test_rows_hold_what_the_gauge_gave(scored):
    chains = [Trace(**one) for one in given(32)]
    with Gauge(backend="cheap", reliance=True, progress=False) as gauge:
        expected = gauge.score(chains)
    assert any(step.corrupted and "some" in step.text and "of them" not in step.text for step in expected[0].steps)
    for row, chain in zip(rows(scored / "out"), expected, strict=False):
        told = json.loads(json.dumps(chain.to_dict()))
        found = row["score"]
        for name in ("steps", "own_answer", "own_log_likelihoods", "metrics", "missing"):
            assert_alike(found[name], told[name])
        assert found["provenance"]["reliance"] == {"claim": "content, not causation"}
        assert ChainScore.from_dict(found).own_answer == chain.own_answer == row["answer"][0]


def test_without_reliance_rows_hold_nothing_of_it(scored):
    assert score(scored / "in.jsonl", "--out", scored / "plain", "--limit", 3) == 0
    for line in (scored / "plain" / "scores.jsonl").read_text().splitlines():
        for name in ("own_answer", "own_log", "deletion", "corrupt", "true_thinking", "reliance", "target", "early_"):
            assert name not in line


def test_a_run_that_goes_on_writes_the_same_rows(scored, tmp_path):
    """The second window's words come from the first, which the resumed run does not score again."""
    whole = (scored / "out" / "scores.jsonl").read_bytes()
    out = killed_copy(scored / "out", tmp_path / "out")
    assert score(scored / "in.jsonl", "--out", out, "--reliance", "--window", 32) == 0
    assert (out / "scores.jsonl").read_bytes() == whole


def test_the_table_shows_four_columns_and_what_may_be_claimed(scored, capsys):
    capsys.readouterr()
    assert score(scored / "in.jsonl", "--out", scored / "out", "--reliance", "--window", 32) == 0
    said = capsys.readouterr().out
    assert CLAIM in " ".join(said.split())
    found = {name: value for row in score_table(said) for name, value in row.items()}
    tables = " ".join(said.split())
    for name in SHOWN:
        assert name.removesuffix("_before_answer") in tables
        values = [row["score"]["metrics"][name] for row in rows(scored / "out")]
        known = [value for value in values if value is not None]
        if name in found:
            assert found[name] == pytest.approx(math.fsum(known) / len(known), abs=6e-4)
    assert "corruption_horizon" not in tables


@pytest.mark.parametrize("width", [60, 80, 120])
def test_show_has_columns_of_deletion_and_true_thinking_at_every_width(scored, capsys, width):
    said = printed("show", scored / "out", "--id", "q5", "--width", width, capsys=capsys)
    assert max(map(len, said.splitlines())) <= width
    row = next(row for row in rows(scored / "out") if row["id"] == "q5")
    table = [line for line in said.splitlines() if line.startswith("│")]
    for number, step in enumerate(row["score"]["steps"], 1):
        (line,) = (one for one in table if one.startswith(f"│{number} "))
        cells = [cell.strip() for cell in line.split("│")]
        lost = step["deletion_nats_before_answer"]
        assert ("–" if lost is None else f"{lost:+.2f}") in cells
        thinking = step["true_thinking"]
        assert ("–" if thinking is None else f"{thinking:.2f}") in cells
    assert CLAIM in " ".join(said.split())
    assert "own answer: 6" in said


def test_compare_shows_them_says_what_may_be_claimed_and_refuses_two_targets(scored, capsys):
    said = printed("compare", f"a={scored / 'out'}", f"b={scored / 'out'}", "--resamples", 999, capsys=capsys)
    assert CLAIM in " ".join(said.split())
    for label in ("early answer area", "post-hoc share", "necessary steps", "true thinking"):
        assert label in " ".join(said.split())
    assert score(scored / "in.jsonl", "--out", scored / "own", "--set", "target=own", "--limit", 20) == 0
    assert score(scored / "in.jsonl", "--out", scored / "gold", "--limit", 20) == 0
    pair = [f"a={scored / 'gold'}", f"b={scored / 'own'}"]
    assert main(["compare", *pair]) == 2
    assert "different settings of 'target' (a: gold; b: own)" in " ".join(capsys.readouterr().err.split())
    forced = " ".join(printed("compare", *pair, "--force", "--resamples", 999, capsys=capsys).split())
    assert "scored with different settings of 'target' (a: gold; b: own)" in forced
    assert "early answer area" not in forced


@pytest.mark.slow
def test_the_report_takes_such_a_run(scored, tmp_path, capsys):
    printed("report", scored / "out", "--out", tmp_path / "report.html", capsys=capsys)
    assert "early_answer_area_before_answer" in (tmp_path / "report.html").read_text()


def test_parquet_holds_the_numbers_of_the_steps(scored):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert score(scored / "in.jsonl", "--out", scored / "out", "--reliance", "--window", 32, "--parquet") == 0
    table = parquet.read_table(scored / "out" / "scores.parquet").to_pylist()
    for found, row in zip(table, rows(scored / "out"), strict=True):
        assert found["own_answer"] == row["score"]["own_answer"]
        assert found["own_log_likelihoods"] == row["score"]["own_log_likelihoods"]
        for name in ("deletion_nats", "true_thinking", "corrupted"):
            assert [step[name] for step in found["steps"]] == [step[name] for step in row["score"]["steps"]]
