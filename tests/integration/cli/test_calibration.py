"""`stepgauge calibration`, and the same tables in `compare` and the report: confidence, abstention, what is missing."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from scoring import rows, score, write_jsonl

from stepgauge.adapters.cli import main

FAST = ("--resamples", "999")
Said = tuple[str, "bool | None"]  # a response and whether it is right
RIGHT, WRONG = ("The answer is 7.", True), ("The answer is 8.", False)


def chats(path: Path, questions: list[list[Said]], **fields: Any) -> str:
    """A chat for each response; `fields` are lists by question, or values."""
    lines = []
    for i, responses in enumerate(questions):
        more = {name: value[i] if isinstance(value, list) else value for name, value in fields.items()}
        for text, right in responses:
            messages = [{"role": "user", "content": f"What is {i} plus 7?"}, {"role": "assistant", "content": text}]
            graded = {} if right is None else {"correct": right}
            lines.append({"messages": messages, "answer": "7", **graded, **more})
    return str(write_jsonl(path, lines))


def printed(*args: object, capsys: Any) -> str:
    assert main([*map(str, args), *FAST]) == 0
    return capsys.readouterr().out


def table(*args: object, capsys: Any) -> dict[str, Any]:
    (one,) = json.loads(printed("calibration", *args, "--format", "json", capsys=capsys))
    return one


def values(found: dict[str, Any], kind: str, side: str = "base") -> dict[str, Any]:
    return {row["measure"]: row["all"][side] for row in found["rows"] if row["kind"] == kind}


QUESTIONS = [
    [RIGHT, RIGHT, RIGHT, WRONG],
    [RIGHT, WRONG, ("The answer is 9.", False), ("The answer is 5.", False)],
    [WRONG, WRONG, WRONG, RIGHT],
    [RIGHT] * 4,
    [WRONG, WRONG, ("The answer is 9.", False), ("The answer is 9.", False)],
] * 3


def test_agreement_of_samples_is_held_against_correctness(tmp_path, capsys):
    found = values(table(chats(tmp_path / "a.jsonl", QUESTIONS), capsys=capsys), "agreement")
    points = []
    for responses in QUESTIONS:
        votes = Counter(text for text, _ in responses)
        points += [(votes[text] / len(responses), float(bool(right))) for text, right in responses]
    n = len(points)
    assert found["accuracy"]["value"] == pytest.approx(sum(y for _, y in points) / n)
    assert found["confidence"]["value"] == pytest.approx(sum(c for c, _ in points) / n)
    assert found["brier"]["value"] == pytest.approx(sum((c - y) ** 2 for c, y in points) / n)
    pairs = [(a > b) + (a == b) / 2 for a, x in points if x for b, y in points if not y]
    assert found["auroc"]["value"] == pytest.approx(sum(pairs) / len(pairs))
    for measure in ("accuracy", "confidence", "ece", "brier", "auroc", "aurc"):
        one = found[measure]
        assert one["low"] <= one["value"] <= one["high"], measure
        assert one["n"] == len(QUESTIONS)


def test_an_option_is_the_same_answer_by_its_letter_and_by_its_text(tmp_path, capsys):
    options = ["iron", "zinc", "lead", "gold"]
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"Which metal is number {i}?"},
                {"role": "assistant", "content": text},
            ],
            "answer": "lead",
            "choices": options,
            "correct": True,
        }
        for i in range(12)
        for text in ("The answer is C.", "The answer is (C) lead.", "The answer is lead.")
    ]
    run = write_jsonl(tmp_path / "a.jsonl", lines)
    assert values(table(run, capsys=capsys), "agreement")["confidence"]["value"] == 1
    (repeats,) = json.loads(printed("repeats", run, "--format", "json", capsys=capsys))
    assert {row["measure"]: row["all"]["base"]["value"] for row in repeats["rows"]}["entropy"] == 0


def traces(path: Path, right: int, n: int = 24) -> str:
    """Multiple choice: the first `right` questions are answered rightly."""
    letters, options = "ABCD", ["iron", "zinc", "lead", "gold"]
    lines = []
    for i in range(n):
        said = letters[i % 4 if i < right else (i + 1) % 4]
        lines.append(
            {
                "question": f"Which metal is number {i}?",
                "choices": options,
                "answer": options[i % 4],
                "response": f"Metals differ in mass.\nThe number is {i}.\nThe answer is {said}.",
                "model_answer": said,
                "meta": {"accuracy": float(i < right)},
            }
        )
    return str(write_jsonl(path, lines))


def scored(folder: Path, name: str, right: int) -> Path:
    out = folder / name
    assert score(traces(folder / f"{name}.jsonl", right), "--out", out) == 0
    return out


def test_own_option_of_scored_chains_before_and_after(tmp_path, capsys):
    base, tuned = scored(tmp_path, "base", 8), scored(tmp_path, "tuned", 20)
    capsys.readouterr()
    found = table(f"base={base}", f"tuned={tuned}", capsys=capsys)
    for side, folder, right in (("base", base, 8), ("tuned", tuned, 20)):
        sure = [row["score"]["metrics"]["own_probability"] for row in rows(folder)]
        assert len(sure) == 24
        of_side = values(found, "own_option", side)
        assert of_side["accuracy"]["value"] == pytest.approx(right / 24)
        assert of_side["confidence"]["value"] == pytest.approx(sum(sure) / 24)
        missed = [(c - (i < right)) ** 2 for i, c in enumerate(sure)]
        assert of_side["brier"]["value"] == pytest.approx(sum(missed) / 24)
    assert values(found, "own_option", "difference")["accuracy"]["value"] == pytest.approx(0.5)
    assert found["missing"] == {"agreement": {"fewer than two responses": 24}}
    (comparison,) = json.loads(printed("compare", base, tuned, "--format", "json", capsys=capsys))
    assert values(comparison["calibration"][0], "own_option") == values(found, "own_option")
    for form in ("table", "markdown"):
        for command in ("calibration", "compare"):
            said = printed(command, f"base={base}", f"tuned={tuned}", "--format", form, capsys=capsys)
            assert "confidence: own option" in said
            assert "Brier score" in said


def test_report_has_tables_of_calibration_and_repeats_and_draws_both_plots(tmp_path, capsys):
    pytest.importorskip("altair")
    base, tuned = scored(tmp_path, "base", 8), scored(tmp_path, "tuned", 20)
    page = tmp_path / "report.html"
    printed("report", base, tuned, "-o", page, capsys=capsys)
    text = page.read_text(encoding="utf-8")
    assert '<h2 id="calibration">' in text
    assert "confidence: own option" in text
    assert "Area under the risk–coverage curve: base" in text
    assert '<h2 id="repeats">' not in text  # one response to each question
    out = tmp_path / "again"
    again = write_jsonl(
        tmp_path / "again.jsonl", (tmp_path / "base.jsonl").read_text(encoding="utf-8").splitlines() * 2
    )
    assert score(again, "--out", out) == 0
    printed("report", out, "-o", page, capsys=capsys)
    text = page.read_text(encoding="utf-8")
    assert '<a href="#repeats">Repeats</a>' in text
    assert "variance within questions" in text


UNSURE, CUT_OFF = ("I don't know.", False), ("We add 3 and 4 and then we", False)


def test_abstaining_where_one_should_is_precision_and_recall(tmp_path, capsys):
    should = [True, True, True, False, False, False]
    said = [[UNSURE], [UNSURE], [RIGHT], [UNSURE], [RIGHT], [CUT_OFF]]
    found = values(table(chats(tmp_path / "a.jsonl", said, should_abstain=should), capsys=capsys), "abstention")
    assert found["undetermined"]["value"] == pytest.approx(1 / 6)
    assert found["abstained"]["value"] == pytest.approx(3 / 5)
    assert found["precision"]["value"] == pytest.approx(2 / 3)
    assert found["recall"]["value"] == pytest.approx(2 / 3)
    assert found["f1"]["value"] == pytest.approx(2 / 3)
    assert found["accuracy_answered"]["value"] == 1
    assert list(found["recall"]["missing"].values()) == [1]  # the response that was cut off


@pytest.mark.parametrize(
    ("questions", "missing"),
    [
        ([[RIGHT]] * 30, {"agreement": "fewer than two responses"}),
        ([[RIGHT] * 3] * 30, {"auroc": "all responses are right"}),
        ([[WRONG] * 3] * 30, {"auroc": "all responses are wrong"}),
        ([[RIGHT, WRONG], [RIGHT, RIGHT]], {"ece": "fewer than 20 responses"}),
        (
            [[UNSURE] * 3] * 30,
            {"agreement": "no answer was read from any response", "accuracy_answered": "no response"},
        ),
        ([[("The answer is 7.", None)] * 3] * 30, {"agreement": "the run has no accuracy metric"}),
        ([[CUT_OFF] * 2] * 30, {"abstained": "undetermined"}),
    ],
    ids=["once", "right", "wrong", "two questions", "abstain", "ungraded", "cut off"],
)
def test_a_number_that_cannot_be_computed_is_missing_and_says_why(questions, missing, tmp_path, capsys):
    run = chats(tmp_path / "a.jsonl", questions)
    found = table(run, capsys=capsys)
    numbers = {row["measure"]: row["all"]["base"] for row in found["rows"] if row["measure"] in missing}
    for measure, why in missing.items():
        reasons = found["missing"][measure] if measure == "agreement" else numbers[measure]["missing"]
        assert any(reason.startswith(why) for reason in reasons), reasons
        if measure != "agreement":
            assert (numbers[measure]["value"], numbers[measure]["n"]) == (None, 0)
    said = " ".join(printed("calibration", run, capsys=capsys).split())
    assert all(why in said for why in missing.values())


def test_an_interval_is_never_a_point(tmp_path, capsys):
    sure, never = (chats(tmp_path / name, [[one] * 3] * 12) for name, one in (("a.jsonl", RIGHT), ("b.jsonl", WRONG)))
    found = table(sure, never, capsys=capsys)
    for row in found["rows"]:
        for one in row["all"].values():
            assert one is None or one["low"] is None or one["low"] < one["high"], row
    accuracy = {row["measure"]: row["all"] for row in found["rows"]}["accuracy"]
    assert accuracy["base"]["low"] == pytest.approx(0.025 ** (1 / 12))  # Clopper and Pearson
    assert accuracy["difference"]["high"] < -0.5
    (repeats,) = json.loads(printed("repeats", sure, "--format", "json", capsys=capsys))
    for row in repeats["rows"]:
        one = row["all"]["base"]
        assert one["low"] is None or one["low"] < one["high"], row


@pytest.mark.parametrize("command", ["calibration", "repeats", "compare"])
@pytest.mark.parametrize("width", [60, 80, 140])
def test_every_number_of_a_table_stands_in_a_terminal_of_any_width(command, width, tmp_path, capsys):
    names = ("base-of-a-long-name/with-a-folder", "tuned-of-a-long-name/with-a-folder")
    runs = [f"{name}={chats(tmp_path / f'{i}.jsonl', QUESTIONS[i:] + QUESTIONS[:i])}" for i, name in enumerate(names)]
    cells: list[str] = []
    for one in json.loads(printed(command, *runs, "--format", "json", capsys=capsys)):
        for row in one["rows"] if "rows" in one else one["tasks"][0]["rows"]:
            at = row["all"]["base"]["value"] if "all" in row else row["base"]
            cells += [] if at is None or not 0.001 < abs(at) < 1 else [f"{at:.3f}".replace("-", "−")[:4]]
    said = printed(command, *runs, "--width", width, capsys=capsys)
    assert max(map(len, said.splitlines())) <= width
    assert cells
    assert all(cell in said for cell in cells)
    assert "difference" in said


HOSTILE = "x](http://evil) <script>alert(1)</script>|[bold]\x1b[31m\u202e"


@pytest.mark.parametrize("command", ["calibration", "repeats"])
@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_text_of_files_cannot_break_out(command, form, tmp_path, capsys):
    run = chats(tmp_path / "a.jsonl", QUESTIONS, task=HOSTILE)
    said = printed(command, f"<b>[red]={run}", "--format", form, capsys=capsys)
    assert "\x1b" not in said
    if form == "markdown":
        assert "<script>" not in said
        assert "x](http" not in said
        assert "<b>" not in said
    if form == "json":
        (one,) = json.loads(said)
        assert (one["task"], one["base"]) == (HOSTILE, "<b>[red]")


@pytest.mark.parametrize("probability", [1.5, -0.1, math.nan])
def test_a_confidence_in_a_file_that_is_no_probability_is_missing(probability, tmp_path, capsys):
    out = scored(tmp_path, "base", 8)
    lines = rows(out)
    for line in lines:
        line["score"]["metrics"]["own_probability"] = None if math.isnan(probability) else probability
    write_jsonl(out / "scores.jsonl", lines)
    capsys.readouterr()
    found = table(out, capsys=capsys)
    assert not values(found, "own_option")
    assert found["missing"]["own_option"]


@pytest.mark.parametrize("command", ["calibration", "repeats"])
def test_runs_without_a_common_question_are_one_line(command, tmp_path, capsys):
    run = chats(tmp_path / "a.jsonl", QUESTIONS)
    other = tmp_path / "b.jsonl"
    other.write_text(Path(run).read_text(encoding="utf-8").replace("What is", "How much is"), encoding="utf-8")
    assert main([command, run, str(other), *FAST]) == 2
    error = capsys.readouterr().err
    assert "no question is in both runs" in error
    assert error.count("\n") == 1


def inspect_log(folder: Path, should: list[Any]) -> str:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    samples = [
        Sample(id=f"q{i}", input=f"What is {i} plus 7?", target="7", metadata={"should_abstain": one})
        for i, one in enumerate(should)
    ]
    answers = [ModelOutput.from_content("m", (UNSURE if one is True else RIGHT)[0]) for one in should]
    for answer in answers:
        answer.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    task = Task(dataset=samples, solver=generate(), scorer=match(), name="sums")
    model = get_model("mockllm/model", custom_outputs=answers)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none", max_samples=1)
    assert log.status == "success", log.error
    return str(folder)


@pytest.mark.parametrize("kind", ["chats", "Inspect"])
def test_should_abstain_that_is_no_truth_value_costs_its_row_and_is_named(kind, tmp_path, capsys, caplog):
    should = ["perhaps", *[True] * 4, *[False] * 4]
    if kind == "Inspect":
        pytest.importorskip("inspect_ai")
        run, row = inspect_log(tmp_path / "logs", should), "sample q0"
    else:
        said = [[UNSURE if one is True else RIGHT] for one in should]
        run, row = chats(tmp_path / "a.jsonl", said, should_abstain=should), "a.jsonl: 1 row left out"
    found = values(table(run, capsys=capsys), "abstention")
    assert (found["precision"]["value"], found["recall"]["value"], found["recall"]["n"]) == (1, 1, 4)
    told = " ".join((caplog.text + printed("calibration", run, capsys=capsys)).split())
    assert "should_abstain" in told
    assert row in told
