"""The form of `scores.jsonl`: half the room, and nothing lost."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from scoring import assert_alike, killed_copy, rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.adapters.offline.packed import Packer, Unpacker
from stepgauge.adapters.scored import FieldError
from stepgauge.metrics import ChainScore, Gauge, Trace

RESPONSES = (
    "6 * 12 = 72.\nSo 72 - 2 = 71.\nThe answer is 72",
    "",
    "Wir zählen \U0001d7d9 Ei, dann zwei.\n\n1 + 1 = 2 \ud800 !\n#### 2",
    "one line",
)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    given = [*traces(70), *({"question": "?", "response": one, "answer": "72"} for one in RESPONSES)]
    write_jsonl(folder / "in.jsonl", given)
    assert score(folder / "in.jsonl", "--out", folder / "out", "--window", 32) == 0
    assert score(folder / "in.jsonl", "--out", folder / "packed", "--window", 32, "--gzip") == 0
    return folder


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]


def test_what_is_read_back_is_what_the_gauge_gave(scored):
    given = [json.loads(line) for line in (scored / "in.jsonl").read_text().splitlines()]
    from stepgauge.metrics.plugins import registry

    assert "cheap" in registry().backends
    expected = Gauge(backend="cheap", progress=False).score([Trace(**one) for one in given])
    found = rows(scored / "out")
    assert len(found) == len(expected)
    for row, chain in zip(found, expected, strict=True):
        told = {**chain.to_dict(), "provenance": {**chain.provenance, "chain_source": None}}
        told["provenance"].pop("chain_source")
        got = row["score"]
        got["provenance"].pop("chain_source", None)
        assert_alike(got, json.loads(json.dumps(told)))
        assert ChainScore.from_dict(got).n_steps == chain.n_steps


def test_a_batch_of_chains_has_a_provenance_once(scored):
    whole = [number for number, row in enumerate(lines(scored / "out")) if isinstance(row["score"]["provenance"], dict)]
    assert {0, 32, 64} <= set(whole)
    assert len(whole) < 12


def test_every_chain_of_a_batch_has_its_provenance_whatever_numbers_stand_in_it(scored, tmp_path):
    limits = ("--limit", 5, "--set", "epsilon=0.0123456789")
    assert score(scored / "in.jsonl", "--out", tmp_path / "out", *limits) == 0
    told = [row["score"]["provenance"].get("epsilon") for row in rows(tmp_path / "out")]
    assert told == [pytest.approx(0.0123456789, rel=1e-6)] * 5


def test_it_takes_half_the_room_and_with_gzip_a_tenth(scored):
    restored = rows(scored / "out")
    before = sum(len(json.dumps(row)) + 1 for row in restored)
    now = (scored / "out" / "scores.jsonl").stat().st_size
    assert now < 0.6 * before
    assert (scored / "packed" / "scores.jsonl.gz").stat().st_size < 0.1 * before


def test_gzipped_rows_are_the_same_rows_and_every_reader_takes_them(scored, capsys):
    packed = gzip.decompress((scored / "packed" / "scores.jsonl.gz").read_bytes())
    assert packed == (scored / "out" / "scores.jsonl").read_bytes()
    capsys.readouterr()
    printed = []
    for folder in ("out", "packed"):
        path = scored / folder
        for command in (["show", path, "--id", "q3"], ["compare", f"a={path}", f"b={path}", "--format", "json"]):
            assert main([*map(str, command)]) == 0
        printed.append(capsys.readouterr().out.replace(str(path), "DIR").replace(".gz", "").split())
    assert printed[0] == printed[1]
    assert score(scored / "packed", "--out", scored / "again") == 0
    assert len(rows(scored / "again")) == 74


def test_a_compressed_run_goes_on_where_it_was_killed(scored, tmp_path):
    whole = (scored / "packed" / "scores.jsonl.gz").read_bytes()
    out = killed_copy(scored / "packed", tmp_path / "out", "scores.jsonl.gz")
    assert score(scored / "in.jsonl", "--out", out, "--window", 32, "--gzip") == 0
    assert (out / "scores.jsonl.gz").read_bytes() == whole


def test_a_folder_holds_one_of_both(tmp_path, capsys):
    out = tmp_path / "out"
    given = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(given, "--out", out) == 0
    assert score(given, "--out", out, "--gzip") == 2
    assert "gzip was null, is true" in capsys.readouterr().err
    assert score(given, "--out", out, "--gzip", "--restart") == 0
    assert [path.name for path in out.glob("scores.*")] == ["scores.jsonl.gz"]


def change(score: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**score, **fields}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("steps", {"start": [0], "end": []}, "'start' and 'end' are no lists of one length"),
        ("steps", {"start": 0, "end": 1}, "'start' and 'end' are no lists of one length"),
        ("steps", {"start": [0], "end": [1], "gain": [1, 2]}, "'gain' is no list of 1"),
        ("steps", {"start": [0], "end": ["x"]}, "no text from 0 to 'x' in the response"),
        ("steps", {"start": [0], "end": [1], "verdicts": [1]}, "'verdicts' is [1]"),
        ("missing", {"a reason": "infogain"}, "'infogain', expected names of metrics"),
        ("metrics", [], "no objects 'metrics' and 'missing'"),
    ],
)
def test_a_damaged_field_costs_its_row_and_is_named(scored, tmp_path, capsys, name, value, said):
    written = lines(scored / "out")
    written[2]["score"] = change(written[2]["score"], **{name: value})
    write_jsonl(tmp_path / "scores.jsonl", written)
    with pytest.raises(FieldError):
        Unpacker().unpack(written[2])
    assert main(["show", str(tmp_path / "scores.jsonl")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "row 3" in told
    assert said in told


def test_a_damaged_row_costs_no_other_one_though_it_says_how_all_were_scored(scored, tmp_path, capsys):
    written = (scored / "out" / "scores.jsonl").read_text().splitlines()
    (tmp_path / "scores.jsonl").write_text("\n".join(["{damaged", *written[1:32]]) + "\n")
    assert main(["show", str(tmp_path / "scores.jsonl"), "--limit", "0"]) == 0
    assert "This rests on 31 chains" in " ".join(capsys.readouterr().out.split())
    found = Unpacker().unpack(json.loads(written[1]))["score"]
    assert found["provenance"] == {}
    assert found["notes"][-1] == "how this chain was scored is not known: the row that says so is damaged"


def test_rows_of_format_1_are_read_as_before(scored, tmp_path, capsys):
    restored = rows(scored / "out")
    for row in restored:
        row["format"] = row["score"]["format"] = 1
    (tmp_path / "old").mkdir()
    write_jsonl(tmp_path / "old" / "scores.jsonl", restored)
    capsys.readouterr()
    printed = []
    for folder in (scored / "out", tmp_path / "old"):
        assert main(["compare", f"a={folder}", f"b={folder}", "--format", "json"]) == 0
        printed.append(capsys.readouterr().out.replace(str(folder), "DIR"))
    assert printed[0] == printed[1]


def test_packing_does_not_touch_what_it_is_given():
    (chain,) = Gauge(scorer=None).score([Trace("1 + 1?", "1 + 1 = 2.\nThe answer is 2", "2")])
    row = {"format": 2, "id": None, "trace_hash": chain.trace_hash, "response": "1 + 1 = 2.\nThe answer is 2"}
    row["score"] = chain.to_dict()
    before = json.dumps(row)
    packed = Packer().pack(row)
    assert json.dumps(row) == before
    assert "infogain" not in packed["score"]["metrics"]
    assert math.isnan(ChainScore.from_dict(Unpacker().unpack(packed)["score"]).infogain)
