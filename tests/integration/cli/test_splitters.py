"""`stepgauge score --splitters`: the same chains under several splitters."""

from __future__ import annotations

import math

import pytest
from scipy.stats import rankdata
from scoring import rows, score, traces, write_jsonl


def ranks_correlate(one: list[float], other: list[float]) -> float:
    """Pearson's correlation of the ranks."""
    left, right = rankdata(one), rankdata(other)
    left, right = left - left.mean(), right - right.mean()
    return float((left * right).sum() / math.sqrt((left**2).sum() * (right**2).sum()))


def test_each_splitter_has_a_folder_and_a_row_and_each_two_a_correlation(tmp_path, capsys):
    texts = [
        "1 + 1 = 2. 2 + 2 = 5.",
        "3 + 3 = 6.\n1 + 1 = 3. 2 + 2 = 4.",
        "1 + 4 = 5. 2 + 5 = 7. 1 + 1 = 1.",
        "2 + 2 = 4.",
    ]
    made = [{**trace, "response": text} for trace, text in zip(traces(4), texts, strict=True)]
    source = write_jsonl(tmp_path / "in.jsonl", made)
    out = tmp_path / "cuts"
    options = ("--scorer", "null", "--splitters", "lines", "sentences", "auto:lines")
    assert score(source, "--out", out, *options, cheap=False) == 0
    said = capsys.readouterr().out.partition("The same chains, cut by each splitter:")[2]
    lines = said.splitlines()
    found = {
        name: {row["id"]: row["score"] for row in rows(out / name)} for name in ("lines", "sentences", "auto-lines")
    }
    for name, shown in (("lines", "lines"), ("sentences", "sentences"), ("auto-lines", "auto:lines")):
        (cells,) = [line.split() for line in lines if line.startswith(f"{shown} ")]
        scores = list(found[name].values())
        steps = sum(len(one["steps"]) for one in scores) / 4
        kis = [one["metrics"]["ki"] for one in scores]
        assert cells[1:4] == ["4", f"{steps:.3f}", f"{sum(kis) / 4:.3f}"]
    (cells,) = [line.split() for line in lines if line.startswith("ki ")]
    ids = list(found["lines"])
    ki = {name: [found[name][i]["metrics"]["ki"] for i in ids] for name in found}
    expected = ranks_correlate(ki["lines"], ki["sentences"])
    assert abs(expected) < 1
    assert float(cells[1]) == pytest.approx(expected, abs=0.006)
    assert cells[2] == "(4)"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--splitters", "lines"], "expected two or more"),
        (["--splitters", "lines", "nowhere"], "unknown splitter 'nowhere'"),
        (["--splitters", "lines", "sentences", "--dry-run"], "not with --dry-run"),
    ],
)
def test_what_cannot_be_compared_is_one_line(tmp_path, capsys, options, said):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(source, "--out", tmp_path / "out", "--scorer", "null", *options, cheap=False) == 2
    assert said in capsys.readouterr().err
