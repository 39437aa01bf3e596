"""Names that runs bring along: no escape sequence reaches the terminal, and no name is turned into a picture."""

from __future__ import annotations

import pytest
from scoring import score, write_jsonl

from stepgauge.adapters.cli import main

ESC = "\x1b[2J"


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    for name in ("a", "b"):
        rows = [
            {
                "id": str(i),
                "question": f"What is {i} plus 1?",
                "response": f"At 1:100:3, {i} + 1 = {i + 1}.\nThe answer is {i + 1}.",
                "answer": str(i + 1),
                "meta": {"task": "mix:100:x", "model": f"m:key:{ESC}", "accuracy": {f"acc{ESC}": float(i % 2)}},
            }
            for i in range(8)
        ]
        assert score(write_jsonl(folder / f"{name}.jsonl", rows), "--out", folder / name, "--set", "scorer=null") == 0
    return folder


@pytest.mark.parametrize(
    "line",
    [
        "score {in}.jsonl --out {out} --set scorer=null",
        "score {in}.jsonl --out {out} --set scorer=null --set splitter=auto",
        "show {a} --limit 0",
        "compare x={a} y={b}",
        "compare x={a} y={b} --format markdown",
        "compare x={a}::zz y={b}",
        "compare x={a} y={b} --accuracy zz",
        "report {a} -o {page}",
        "repeats {a} {b}",
        "calibration {a}",
        "calibration {a} --accuracy zz",
        "nothing" + ESC,
    ],
)
def test_no_escape_sequence_and_no_picture_is_printed(scored, tmp_path, capsys, line):
    places = {
        "in": scored / "a",
        "a": scored / "a",
        "b": scored / "b",
        "out": tmp_path / "o",
        "page": tmp_path / "p.html",
    }
    capsys.readouterr()
    main(line.format(**places).split(" "))
    printed = "".join(capsys.readouterr())
    assert printed
    assert "\x1b" not in printed
    assert not {"💯", "🔑"} & set(printed)
