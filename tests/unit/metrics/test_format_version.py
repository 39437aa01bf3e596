"""Format versions: old scores read as ever, unknown fields are passed over, a later format is one clear error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scoring import rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.adapters.formats.options import OptionError
from stepgauge.adapters.runs import load_runs
from stepgauge.metrics import ChainScore, StepScore
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.score import ControlScore, SourceChain

KEYED = ("metrics", "missing", "provenance")  # what stands in these has names of its own, not fields


def full_score() -> ChainScore:
    """A score with something in every field."""
    verdict = Verdict(
        Claim("1 + 1 = 2", 0, 0, 9, "equation"), "supported", "exact", 0.9, [Passage("p", "1 + 1 = 2.", "sums", 1.5)]
    )
    step = StepScore("1 + 1 = 2", 0, 9, log_likelihood=-1.0, gain=1.0, ppl_gain=0.5, n_tokens=5, verdicts=[verdict])
    control = ControlScore(["Hm."], [], -1.5, -2.0, [SourceChain("other", "aa")])
    return ChainScore(
        "id", "bb", [step], [-2.0, -1.0], 1, {"infogain": 0.5}, {}, ["a note"], {"scorer": "tiny"}, {"foreign": control}
    )


def with_unknown_fields(value: Any) -> Any:
    """The same with a field more in every object that has fields."""
    if isinstance(value, list):
        return [with_unknown_fields(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    inner = {key: one if key in KEYED else with_unknown_fields(one) for key, one in value.items()}
    if "foreign" not in value:
        inner["added_later"] = {"deep": [1]}
    return inner


def test_fields_that_a_later_version_added_are_passed_over_at_every_depth():
    written = full_score().to_dict()
    extended = with_unknown_fields(written)
    assert json.dumps(extended).count("added_later") == 7, "chain, step, verdict, claim, passage, control, its source"
    assert ChainScore.from_dict(extended).to_dict() == written


def test_score_says_its_format_and_one_from_before_there_were_formats_reads_the_same():
    written = full_score().to_dict()
    assert written["format"] == 2
    before = {key: value for key, value in written.items() if key != "format"}
    assert ChainScore.from_dict(before).to_dict() == written


@pytest.fixture
def scored(tmp_path) -> Path:
    assert score(write_jsonl(tmp_path / "in.jsonl", traces(3)), "--out", tmp_path / "out") == 0
    return tmp_path / "out"


def change_format(folder: Path, number: int, to: Any, *, inner: bool = False) -> None:
    """Write another format into a row, or into the score in it; None takes it away."""
    written = rows(folder)
    place = written[number - 1]["score"] if inner else written[number - 1]
    del place["format"]
    if to is not None:
        place["format"] = to
    write_jsonl(folder / "scores.jsonl", written)


def test_rows_and_folder_say_their_format(scored):
    assert {row["format"] for row in rows(scored)} == {2}
    assert json.loads((scored / "run.json").read_text())["format"] == 2


def test_folder_from_before_there_were_formats_reads_the_same(scored):
    (now,) = load_runs([str(scored)])
    run = json.loads((scored / "run.json").read_text())
    del run["format"]
    (scored / "run.json").write_text(json.dumps(run))
    for number in (1, 2, 3):
        change_format(scored, number, None)
        change_format(scored, number, None, inner=True)
    (before,) = load_runs([str(scored)])
    assert [record.score.to_dict() for record in before.records] == [record.score.to_dict() for record in now.records]


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("command", ["show", "compare", "report"])
def test_later_format_is_one_error_that_names_file_row_and_version(scored, tmp_path, capsys, command, inner):
    change_format(scored, 2, 7, inner=inner)
    more = {"show": ["--limit", "3"], "compare": [str(scored)], "report": ["-o", str(tmp_path / "report.html")]}
    capsys.readouterr()
    assert main([command, str(scored), *more[command]]) == 2
    error = capsys.readouterr().err
    assert f"{scored / 'scores.jsonl'}, row 2: written in format 7; this stepgauge (" in error
    assert "reads up to 2: update stepgauge" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("wrong", ["1", -1, True, 1.0])
def test_format_that_is_no_number_is_named(scored, wrong):
    change_format(scored, 1, wrong)
    with pytest.raises(OptionError, match=r"scores\.jsonl, row 1: field 'format': expected a whole number"):
        load_runs([str(scored)])


def test_folder_of_a_later_format_is_not_read_by_what_its_files_seem_to_say(scored):
    run = json.loads((scored / "run.json").read_text())
    (scored / "run.json").write_text(json.dumps({**run, "format": 3}))
    (scored / "windows.jsonl").write_text('{"something": "else"}\n')
    with pytest.raises(OptionError, match=r"run\.json: written in format 3; this stepgauge \(.*\) reads up to 2"):
        load_runs([str(scored)])


@pytest.mark.parametrize(
    ("written", "said"),
    [(None, "holds scores of format 0"), (1, "holds scores of format 1"), (3, "written in format 3")],
)
def test_run_of_another_format_is_not_gone_on_with_and_stays_as_it_is(scored, tmp_path, capsys, written, said):
    run = json.loads((scored / "run.json").read_text())
    del run["format"]
    (scored / "run.json").write_text(json.dumps(run if written is None else {"format": written, **run}))
    before = (scored / "scores.jsonl").read_bytes()
    capsys.readouterr()
    assert score(tmp_path / "in.jsonl", "--out", scored) == 2
    assert said in capsys.readouterr().err
    assert (scored / "scores.jsonl").read_bytes() == before
    assert score(tmp_path / "in.jsonl", "--out", scored, "--restart") == 0
    assert json.loads((scored / "run.json").read_text())["format"] == 2
