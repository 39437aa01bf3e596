"""`stepgauge label`: a sample for a person, and KI corrected by what the person said."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import shutil
from pathlib import Path

import pytest
from chat_server import Answer, ChatServer, claim_of, verdict
from scoring import write_jsonl

from stepgauge.adapters.cli import main

HOSTILE = ["=2+2", "-17 + 7 = -10", "@SUM(1)", "+1 + 1 = 2"]


def equation(i: int, j: int) -> str:
    """A sum, of which every fifth begins with a minus sign and every fourth is wrong."""
    a = -i if (i + j) % 5 == 0 else i
    return f"{a} + {j} = {a + j + ((i + j) % 4 == 0)}"


@pytest.fixture(scope="module")
def scores(tmp_path_factory) -> Path:
    """Chains of sums, of which the judge `exact` calls every fourth wrong."""
    folder = tmp_path_factory.mktemp("label")
    chains = [
        {
            "id": f"q{i}",
            "question": f"{'=HYPERLINK(1)' if i == 3 else 'Q'}{i}?",
            "response": "\n".join(equation(i, j) for j in range(1, 4)),
            "answer": "1",
        }
        for i in range(2, 42)
    ]
    path = write_jsonl(folder / "in.jsonl", chains)
    assert (
        main(["score", str(path), "--scorer", "null", "--out", str(folder / "scores"), "--set", "splitter=lines"]) == 0
    )
    return folder / "scores"


def sample(scores: Path, folder: Path, *arguments: str) -> list[dict[str, str]]:
    path = folder / "labels.csv"
    assert main(["label", str(scores), "--out", str(path), "--overwrite", *arguments]) == 0
    return rows_of(path)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(folder: Path, rows: list[dict[str, str]], say) -> Path:
    path = folder / "filled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "human": say(row)} for row in rows)
    return path


def truth(row: dict[str, str]) -> bool:
    left, _, right = row["claim"].lstrip("'").partition("=")
    a, _, b = left.strip().partition(" + ")
    return int(a) + int(b) == int(right)


def corrected(capsys, scores: Path, labels: Path, *arguments: str) -> dict:
    capsys.readouterr()
    assert main(["label", str(scores), "--labels", str(labels), "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_sample_is_blind_stratified_and_safe_to_open(scores, tmp_path):
    rows = sample(scores, tmp_path, "--n", "40")
    assert list(rows[0]) == ["id", "question", "step", "claim", "evidence", "human", "comment", "row"]
    assert len(rows) == 40
    assert {row["human"] for row in rows} == {""}
    assert sum(not truth(row) for row in rows) >= 10
    assert any(row["claim"].startswith("'-") for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    # Wrong ones do not stand together.
    order = [truth(row) for row in rows]
    assert sum(a != b for a, b in itertools.pairwise(order)) > 5
    assert {row["id"] for row in rows} <= {row["id"] for row in sample(scores, tmp_path, "--n", "120")}
    shown = sample(scores, tmp_path, "--n", "5", "--show-verdicts")
    assert {row["judge"] for row in shown} == {"exact"}
    assert {row["verdict"] for row in shown} <= {"supported", "contradicted"}


def test_with_every_step_labelled_the_corrected_ki_is_what_the_person_says(scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "1000")
    assert len(rows) == 120
    said = {row["id"]: "wrong" if truth(row) and int(row["id"][0], 16) < 4 else "right" for row in rows}
    found = corrected(capsys, scores, fill(tmp_path, rows, lambda row: said[row["id"]]))
    by_chain: dict[str, list[bool]] = {}
    for key, label in said.items():
        by_chain.setdefault(key.partition(".")[0], []).append(label == "right")
    expected = sum(sum(own) / len(own) for own in by_chain.values()) / len(by_chain)
    ki, claims = found["shares"]
    assert ki["corrected"]["estimate"]["value"] == pytest.approx(expected)
    assert claims["corrected"]["estimate"]["value"] == pytest.approx(list(said.values()).count("right") / 120)
    assert ki["judged"]["value"] == pytest.approx(sum(map(truth, rows)) / 120)
    assert ki["corrected"]["labels"] == 120


def test_a_part_of_the_labels_corrects_ki_and_says_how_many_a_width_needs(scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "60")
    # The person finds every contradicted sum right: the judge's KI is too low.
    labels = fill(tmp_path, rows, lambda _: "right")
    found = corrected(capsys, scores, labels, "--width", "0.1")
    ki = found["shares"][0]
    assert ki["corrected"]["estimate"]["value"] == pytest.approx(1)
    assert ki["corrected"]["estimate"]["low"] > ki["judged"]["high"]
    assert found["labels_needed"] > 0
    assert {one["label"]: one["right"] - one["labelled"] for one in found["strata"]} == {
        "contradicted": 0,
        "supported": 0,
    }
    assert main(["label", str(scores), "--labels", str(labels), "--width", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "as judged" in printed
    assert "an interval of KI 0.1 wide needs about" in printed


def test_a_spreadsheet_may_drop_apostrophes_and_write_semicolons(scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "40")
    path = tmp_path / "saved.csv"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(rows[0])
    writer.writerows([*(cell.lstrip("'") for cell in list(row.values())[:5]), "Right", "", row["row"]] for row in rows)
    path.write_text("\ufeff" + text.getvalue(), encoding="utf-8")
    assert corrected(capsys, scores, path)["shares"][0]["corrected"]["labels"] == 40


def test_unsure_and_empty_labels_are_left_out_and_counted(scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "40")
    said = dict(zip((row["id"] for row in rows), ["", "unsure", *["right"] * 38], strict=True))
    found = corrected(capsys, scores, fill(tmp_path, rows, lambda row: said[row["id"]]))
    assert found["left_out"] == {"claims without a label": 1, "claims labelled unsure": 1}
    assert found["shares"][0]["corrected"]["labels"] == 38


def test_deleted_rows_are_counted(scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "40")
    labels = fill(tmp_path, rows[3:20] + rows[22:], lambda _: "right")
    found = corrected(capsys, scores, labels)
    assert found["left_out"] == {"claims of the sample whose row is not in the file": 5}
    assert found["shares"][0]["corrected"]["labels"] == 35
    assert main(["label", str(scores), "--labels", str(labels)]) == 0
    assert "5 claims of the sample whose row is not in the file" in capsys.readouterr().out
    # A row that stands there twice stands in for no other.
    assert corrected(capsys, scores, fill(tmp_path, [*rows[1:], rows[5]], lambda _: "right"))["left_out"] == {
        "claims of the sample whose row is not in the file": 1
    }
    # Two samples in one file, of which one is whole.
    more = sample(scores, tmp_path, "--n", "10", "--seed", "1")
    assert corrected(capsys, scores, fill(tmp_path, [*rows, *more[:8]], lambda _: "right"))["left_out"] == {
        "claims of the sample whose row is not in the file": 2
    }
    # Who takes the column out is not asked for it.
    bare = [{name: cell for name, cell in row.items() if name != "row"} for row in rows]
    assert corrected(capsys, scores, fill(tmp_path, bare, lambda _: "right"))["left_out"] == {}


@pytest.mark.parametrize(
    ("policy", "judged", "rows"),
    # Six of twelve claims have evidence, of which four are supported, and so are the others, from memory.
    [("default", 4 / 6, 6), ("strict", 4 / 12, 12), ("paper", 4 / 6, 6)],
)
def test_the_share_as_judged_counts_a_claim_from_the_judges_memory_as_the_policy_does(
    policy, judged, rows, tmp_path, capsys
):
    rivers = {"The Danube flows east.": ("supported", 0.9), "The Rhine flows south.": ("contradicted", 0.1)}

    def answer(request: dict) -> Answer:
        return verdict(*rivers[claim_of(request)])

    chains = []
    for i in range(12):
        text = list(rivers)[i % 3 == 0 and i < 6]
        passages = ["The Danube flows east, the Rhine flows north."] if i < 6 else []
        chains.append(
            {"id": f"q{i}", "question": f"Where does river {i} flow?", "answer": "4", "meta": {"passages": passages}}
        )
        chains[-1]["response"] = f"{text}\nThe answer is 4."
    path = write_jsonl(tmp_path / "in.jsonl", chains)
    with ChatServer(answer) as server:
        judge = {"name": "openai", "model": "m", "base_url": server.base_url, "cache": str(tmp_path / "cache")}
        sets = {"claims": ["sentence"], "judges": [judge], "retriever": "given", "policy": policy, "splitter": "lines"}
        options = [word for name, value in sets.items() for word in ("--set", f"{name}={json.dumps(value)}")]
        assert main(["score", str(path), "--scorer", "null", "--out", str(tmp_path / "scores"), *options]) == 0
    drawn = sample(tmp_path / "scores", tmp_path, "--n", "100")
    assert len(drawn) == rows
    found = corrected(capsys, tmp_path / "scores", fill(tmp_path, drawn, lambda _: "right"))
    shares = {one["name"]: one["judged"]["value"] for one in found["shares"]}
    assert shares["claims"] == pytest.approx(judged)
    if policy != "paper":  # which counts a step without a checkable claim as right
        assert shares["ki"] == pytest.approx(judged)


def test_the_reports_marks_are_labels_too(scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "40", "--show-verdicts")
    lines = {json.loads(line)["id"]: json.loads(line) for line in (scores.parent / "in.jsonl").read_text().splitlines()}
    by_question = {data["question"]: name for name, data in lines.items()}
    path = tmp_path / "marks.csv"
    head = [
        "run",
        "task",
        "question_id",
        "question_number",
        "step_number",
        "step_text",
        "claim",
        "verdict",
        "judge",
        "mark",
    ]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            name, step = by_question[row["question"].lstrip("'")], row["id"].split(".")[1]
            mark = "agree" if row["verdict"] == "supported" else "disagree"
            writer.writerow(["r", "t", name, 1, step, row["step"], row["claim"], row["verdict"], row["judge"], mark])
    found = corrected(capsys, scores, path)
    assert found["marks"]
    assert found["shares"][0]["corrected"]["labels"] == 40
    assert found["shares"][0]["corrected"]["estimate"]["value"] == pytest.approx(1)
    assert main(["label", str(scores), "--labels", str(path)]) == 0
    assert "no sample drawn at random" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"human": "perhaps"}, "row 2, field 'human': got 'perhaps', expected right, wrong or unsure"),
        ({"id": "0.1.1"}, "row 2, field 'id': '0.1.1' is no verdict of these scores"),
        ({"claim": "quite another"}, "row 2, field 'claim'"),
        ({"row": "Mar 12"}, "row 2, field 'row': expected what `stepgauge label` wrote (3 of 112), got 'Mar 12'"),
        ({"row": "13 of 12"}, "row 2, field 'row'"),
    ],
)
def test_a_wrong_label_names_row_and_field(change, said, scores, tmp_path, capsys):
    rows = sample(scores, tmp_path, "--n", "10")
    rows[0] |= {"human": "right", **change}
    path = fill(tmp_path, rows, lambda row: row["human"])
    assert main(["label", str(scores), "--labels", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--labels", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--n", "0"], "--n 0: expected 1 or more"),
        (["--width", "0.1"], "--width needs --labels"),
        (["--width", "2", "--labels", "x.csv"], "--width 2.0: expected a number between 0 and 1"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, said, scores, capsys):
    assert main(["label", str(scores), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_labels_are_not_written_over_and_other_csv_is_refused(scores, tmp_path, capsys):
    sample(scores, tmp_path, "--n", "5")
    assert main(["label", str(scores), "--out", str(tmp_path / "labels.csv")]) == 2
    assert "perhaps with labels in it" in capsys.readouterr().err
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert main(["label", str(scores), "--labels", str(tmp_path / "other.csv")]) == 2
    assert "no column 'id'" in capsys.readouterr().err


@pytest.mark.parametrize("text", [*HOSTILE, "'quoted", " =1", "\t=1", "plain", "", "'=1"])
def test_a_cell_is_inert_and_read_back_as_it_was(text):
    from stepgauge.adapters.labelled.cells import inert, restored

    cell = inert(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert restored(cell) == text


def printed_of(capsys, *arguments: object) -> str:
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_corrected_ki_stands_wherever_the_scores_are_shown_until_they_change(scores, tmp_path, capsys):
    own = tmp_path / "scores"
    shutil.copytree(scores, own, ignore=shutil.ignore_patterns("corrected_ki.json"))
    rows = sample(own, tmp_path, "--n", "60")
    labels = fill(tmp_path, rows, lambda _: "right")
    ki = corrected(capsys, own, labels, "--no-keep")["shares"][0]
    assert "KI corrected" not in printed_of(capsys, "show", own)
    assert corrected(capsys, own, labels)["shares"][0] == ki
    three = [f"{ki['corrected']['estimate'][name]:.2f}".replace("0.", ".", 1) for name in ("value", "low", "high")]
    line = f"KI corrected by 60 labelled steps: {three[0]} [{three[1]}, {three[2]}]; as judged .7"
    assert line in printed_of(capsys, "show", own)
    assert line in printed_of(capsys, "compare", f"a={own}", f"b={scores}", "--width", "200")
    assert main(["report", f"a={own}", "--out", str(tmp_path / "report.html")]) == 0
    assert line in (tmp_path / "report.html").read_text(encoding="utf-8")
    with (own / "scores.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    said = printed_of(capsys, "show", own)
    assert "KI corrected" not in said
    assert "labels of scores that were here before" in " ".join(said.split())


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        "[" * 5000,
        '{"scores": 1}',
        '{"scores": "SAME", "of": {"": {"labels": "x"}}}',
        '{"scores": "SAME", "of": {"": {"labels": 1e999, "corrected": [1, 0, 1], "judged": [1], "marks": false}}}',
    ],
)
def test_a_damaged_file_of_a_corrected_ki_is_passed_over_in_a_line(damage, scores, tmp_path, capsys):
    own = tmp_path / "scores"
    shutil.copytree(scores, own, ignore=shutil.ignore_patterns("corrected_ki.json"))
    digest = hashlib.sha256((own / "scores.jsonl").read_bytes()).hexdigest()[:16]
    (own / "corrected_ki.json").write_text(damage.replace("SAME", digest), encoding="utf-8")
    assert "is not what `stepgauge label` writes" in " ".join(printed_of(capsys, "show", own).split())


def test_models_of_one_folder_are_corrected_each_for_itself(scores, tmp_path, capsys):
    kept = [json.loads(line) for line in (scores / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    own = write_jsonl(
        tmp_path / "scores.jsonl", [{**row, "model": ("one", "two")[i % 2]} for i, row in enumerate(kept)]
    )
    for model in ("one", "two"):
        rows = sample(Path(f"{own}::{model}"), tmp_path)
        corrected(capsys, Path(f"{own}::{model}"), fill(tmp_path, rows, lambda _: "right"))
    said = printed_of(capsys, "show", own)
    assert "KI of one corrected by 60 labelled steps: 1.00" in said
    assert "KI of two corrected by 60 labelled steps: 1.00" in said


def test_under_the_papers_policy_steps_with_nothing_to_check_are_right_without_a_label(tmp_path, capsys):
    chains = [
        {
            "id": f"q{i}",
            "question": f"Q{i}?",
            "response": f"We think about it.\n{i} + 1 = {i + 1 + (i % 3 == 0)}\n{i} + 2 = {i + 2}\nThe answer is 4.",
            "answer": "4",
        }
        for i in range(2, 14)
    ]
    chains.append({"id": "q0", "question": "Q0?", "response": "Nothing to check.\nThe answer is 4.", "answer": "4"})
    path = write_jsonl(tmp_path / "in.jsonl", chains)
    scores = tmp_path / "scores"
    options = ["--set", "splitter=lines", "--set", "policy=paper"]
    assert main(["score", str(path), "--scorer", "null", "--out", str(scores), *options]) == 0
    rows = sample(scores, tmp_path, "--n", "1000")
    assert len(rows) == 24
    all_of_them = corrected(capsys, scores, fill(tmp_path, rows, lambda row: "right" if truth(row) else "wrong"))
    ki = [json.loads(line)["score"]["metrics"]["ki"] for line in (scores / "scores.jsonl").read_text().splitlines()]
    for kind in (all_of_them["shares"][0]["judged"], all_of_them["shares"][0]["corrected"]["estimate"]):
        assert kind["value"] == pytest.approx(sum(ki) / 13)
    assert all_of_them["shares"][0]["corrected"]["labels"] == 24
    assert {one["label"]: one["steps"] for one in all_of_them["strata"]} == {"contradicted": 4, "supported": 20}
    one = corrected(capsys, scores, fill(tmp_path, rows[:1], lambda _: "right"))
    assert one["shares"][0]["corrected"]["estimate"]["value"] is None
