"""`stepgauge compare` of runs scored with reliance: the verdict *decorative*, and models that scored themselves."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from scoring import rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.metrics.comparison.results import Row
from stepgauge.metrics.comparison.verdict import decide

N = 60
KEY = "early_answer_area_before_answer"


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("scored")
    source = write_jsonl(out / "traces.jsonl", traces(N, meta={"accuracy": 1.0}))
    assert score(source, "--out", out / "base", "--reliance") == 0
    return out


def variant(scored: Path, name: str, *, area: float, right: float, source: str | None = None) -> Path:
    """The run with other areas and accuracies; `source`: scored by this model itself."""
    changed = copy.deepcopy(rows(scored / "base"))
    for i, row in enumerate(changed):
        row["score"]["metrics"][KEY] = area + (i % 10) / 100
        row["score"]["missing"].pop(KEY, None)
        row["accuracy"]["accuracy"] = float((i * 13) % N < right * N)
        if source is not None:
            row["score"]["provenance"] |= {"scorer": "self", "source": source}
    folder = scored / name
    folder.mkdir(exist_ok=True)
    write_jsonl(folder / "scores.jsonl", changed)
    return folder


def compared(capsys, *runs: Path) -> dict:
    assert main(["compare", *map(str, runs), "--format", "json", "--resamples", "999"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    return found["overall"] or found["tasks"][0]


def test_answers_that_hang_less_on_steps_are_decorative_where_accuracy_holds(scored, capsys):
    base = variant(scored, "steps", area=0.7, right=0.5)
    found = compared(capsys, base, variant(scored, "key", area=0.2, right=0.5))
    assert found["verdict"]["name"] == "decorative"
    assert "early answer area, own answer down 0.745 → 0.245" in found["verdict"]["why"]
    (row,) = [row for row in found["rows"] if row["measure"] == KEY]
    assert row["role"] == "deciding"
    assert compared(capsys, base, variant(scored, "more", area=0.2, right=0.95))["verdict"]["name"] == "decorative"


def test_it_is_no_decoration_where_accuracy_fell_or_reliance_did_not(scored, capsys):
    base = variant(scored, "steps", area=0.7, right=0.5)
    assert compared(capsys, base, variant(scored, "worse", area=0.2, right=0.1))["verdict"]["name"] == "regression"
    assert compared(capsys, base, variant(scored, "same", area=0.7, right=0.5))["verdict"]["name"] == "no change"
    assert compared(capsys, variant(scored, "key", area=0.2, right=0.5), base)["verdict"]["name"] != "decorative"


def test_where_accuracy_is_not_known_nothing_is_called_decorative(scored, capsys):
    base, tuned = variant(scored, "steps", area=0.7, right=0.5), variant(scored, "unknown", area=0.2, right=0.5)
    changed = rows(tuned)
    for row in changed:
        row["accuracy"] = {}
    write_jsonl(tuned / "scores.jsonl", changed)
    assert compared(capsys, base, tuned)["verdict"]["name"] == "underpowered"


def test_reliance_that_few_questions_have_asks_for_no_interval(scored, capsys):
    base = variant(scored, "steps", area=0.7, right=0.3)
    tuned = variant(scored, "few", area=0.7, right=0.95)
    changed = rows(tuned)
    for i, row in enumerate(changed):
        if i > 3:
            row["score"]["metrics"][KEY], row["score"]["missing"][KEY] = None, "no step comes before"
    write_jsonl(tuned / "scores.jsonl", changed)
    assert compared(capsys, base, tuned)["verdict"]["name"] == "gain"
    options = ["--reasoning", KEY, "--resamples", "999"]
    assert main(["compare", str(base), str(tuned), *options]) == 2
    assert "decides by itself" in capsys.readouterr().err


def test_models_that_scored_themselves_are_compared_without_their_gains(scored, capsys):
    base = variant(scored, "own base", area=0.7, right=0.5, source="base-model")
    tuned = variant(scored, "own tuned", area=0.2, right=0.5, source="tuned-model")
    assert main(["compare", str(base), str(tuned), "--resamples", "999", "--width", "140"]) == 0
    printed = capsys.readouterr().out
    assert "verdict: decorative" in printed
    assert "each run was scored by the model that wrote it" in printed
    deciding = {row["measure"] for row in compared(capsys, base, tuned)["rows"] if row["role"] == "deciding"}
    assert deciding == {"accuracy", "reasons_first", "supported_before_own_answer", KEY}


def row(measure: str, difference: float, low: float, high: float, p: float) -> Row:
    return Row(
        measure, measure, "share", "deciding", n=50, n_clusters=50, base=0.5, tuned=0.5 + difference,
        difference=difference, low=low, high=high, p=p, p_holm=p, smallest=0.05, sd=0.1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accuracy", "reasoning", "reliance", "name"),
    [
        (row("accuracy", 0, -0.02, 0.02, 1), row("gain", 0, -0.02, 0.02, 1), -0.3, "decorative"),
        (row("accuracy", 0.2, 0.1, 0.3, 0.001), row("gain", 0, -0.02, 0.02, 1), -0.3, "decorative"),
        (row("accuracy", 0, -0.2, 0.2, 1), row("gain", 0, -0.02, 0.02, 1), -0.3, "underpowered"),
        (row("accuracy", -0.2, -0.3, -0.1, 0.001), row("gain", 0, -0.02, 0.02, 1), -0.3, "regression"),
        (row("accuracy", 0.2, 0.1, 0.3, 0.001), row("gain", -0.2, -0.3, -0.1, 0.001), -0.3, "trap"),
        (row("accuracy", 0.2, 0.1, 0.3, 0.001), row("gain", 0, -0.02, 0.02, 1), 0.0, "gain"),
        (row("accuracy", 0.2, 0.1, 0.3, 0.001), row("gain", 0, -0.02, 0.02, 1), -0.06, "underpowered"),
    ],
)
def test_the_rule(accuracy, reasoning, reliance, name):
    """A fall of 0.3 is significant, one of 0.06 is not, but its interval does not exclude what matters."""
    moved = row(KEY, reliance, reliance - 0.02, reliance + 0.02, 0.001 if reliance < -0.1 else 0.5)
    assert decide(accuracy, [reasoning], alpha=0.05, reliance=moved).name == name


def test_report_draws_the_confidence_in_the_own_answer_along_the_chain(scored, tmp_path, capsys):
    base, tuned = variant(scored, "steps", area=0.7, right=0.5), variant(scored, "key", area=0.2, right=0.5)
    page, figures = tmp_path / "page.html", tmp_path / "figures"
    command = ["report", str(base), str(tuned), "-o", str(page), "--figures", str(figures), "--resamples", "999"]
    assert main(command) == 0
    assert "own_confidence.png" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "As many answers are right, but they hang less on the steps before them." in text
    assert 'id="plot-own_confidence"' in text
    values = [row["score"]["own_log_likelihoods"] for row in rows(base)]
    first = sum(one[0] for one in values) / len(values)
    assert f"{first:.2f}".replace("-", "−") in text.partition('id="plot-own_confidence"')[2].partition("</figure>")[0]
