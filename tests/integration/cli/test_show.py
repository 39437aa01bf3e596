"""`stepgauge show`: which chains are shown, in which order, and what stands above each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from memory import most_memory
from scoring import rows, score, write_jsonl

from stepgauge.adapters.cli import main

GAIN = "infogain_nats_before_answer"
RIGHT = "We add.\n{i} + 1 = {n}\nThe answer is {n}."
WRONG = "We add.\n{i} + 1 = {m}\nThe answer is {m}."
# Id: (response, what the run says, gain before the answer). A wrong sum is what the judge contradicts.
CHAINS: dict[str, tuple[str, float | None, float | None]] = {
    "a": (RIGHT, 1.0, 0.5),
    "b": (WRONG, 0.0, 3.0),
    "c": ("We add.\nThe answer is 9.", 0.0, 1.0),
    "d": (WRONG, None, None),
    "e": (WRONG, 0.0, 2.0),
    "f": (RIGHT, 0.25, -4.0),
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    given = []
    for i, (name, (response, said, _)) in enumerate(CHAINS.items(), 20):
        text = response.format(i=i, n=i + 1, m=i + 5)
        meta = {"task": "sums", **({} if said is None else {"accuracy": said})}
        question = f"What is {i} plus 1?"
        given.append({"id": name, "question": question, "response": text, "answer": str(i + 1), "meta": meta})
    assert score(write_jsonl(folder / "in.jsonl", given), "--out", folder / "out") == 0
    written = rows(folder / "out")
    for row in written:
        row["score"]["metrics"][GAIN] = CHAINS[row["id"]][2]
    write_jsonl(folder / "out" / "scores.jsonl", written)
    return folder / "out"


def show(*args: object, capsys: Any) -> str:
    capsys.readouterr()
    assert main(["show", *map(str, args)]) == 0
    return capsys.readouterr().out


def headings(said: str) -> list[tuple[str, str]]:
    """`(“1 of 6”, id)` of each chain."""
    return re.findall(r"^(\d+ of \d+)  id (\w)  task sums$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ([], "abcdef"),
        (["--wrong"], "bce"),
        (["--contradicted"], "bde"),
        (["--gains-most"], "becafd"),
        (["--wrong", "--contradicted", "--gains-most"], "be"),
        (["--contradicted", "--gains-most"], "bed"),
    ],
)
def test_flags_choose_and_order_chains_and_limit_0_shows_all(scored, flags, shown, capsys):
    said = show(scored, *flags, "--limit", 0, capsys=capsys)
    assert headings(said) == [(f"{i} of {len(shown)}", name) for i, name in enumerate(shown, 1)]
    assert "--limit 0" not in said
    first = show(scored, *flags, capsys=capsys)
    assert headings(first) == [(f"1 of {len(shown)}", shown[0])]
    assert f"{len(shown) - 1} more chain" in first


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_chain_has_its_question_both_answers_and_whether_the_models_is_right(scored, width, capsys):
    verdicts = ["✓ right (accuracy)", "✗ wrong (accuracy)", "✗ wrong (accuracy)"]
    verdicts += ["the run does not say whether it is right", "✗ wrong (accuracy)"]
    verdicts += ["neither right nor wrong (accuracy 0.25)"]
    for i, (name, verdict) in enumerate(zip(CHAINS, verdicts, strict=True)):
        said = show(scored, "--id", name, "--width", width, capsys=capsys)
        assert headings(said) == [(f"{i + 1} of 6", name)]
        whole = " ".join(said.split())
        given = re.search(
            r"question: (.*?) gold answer: (\S+) model's answer: (\S+) \(read in the response\) – ", whole
        )
        assert given is not None, whole
        assert given[1] == f"What is {20 + i} plus 1?"
        assert given[2] == str(21 + i)
        assert given[3] == {"a": "21", "b": "26", "c": "9", "d": "28", "e": "29", "f": "26"}[name]
        assert whole[given.end() :].startswith(verdict)
        assert max(map(len, said.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_number_of_a_chain_is_cut_at_any_width(scored, width, capsys):
    (row,) = [row for row in rows(scored) if row["id"] == "b"]
    said = show(scored, "--id", "b", "--width", width, capsys=capsys)
    for step in row["score"]["steps"]:
        assert f"{step['gain']:+.2f}" in said
        assert f"{step['log_likelihood']:.2f}" in said
    assert "→ contradicted" in said
    assert "…" not in said
    assert ("p per token need" in said) == (width < 80), "what is left out is said"


def test_a_selection_that_nothing_fits_says_so_and_an_unknown_id_is_an_error(scored, tmp_path, capsys):
    lines = (scored / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    alone = write_jsonl(tmp_path / "one.jsonl", lines[:1])
    said = show(alone, "--wrong", capsys=capsys)
    assert said.startswith("0 of 1 scored chain with a wrong answer")
    assert main(["show", str(scored), "--id", "z"]) == 2
    assert "no chain with id 'z' among 6 scored chains" in capsys.readouterr().err


def test_wrong_says_how_many_nobody_has_judged(scored, capsys):
    assert "2 chains left out of which the run does not say" in show(scored, "--wrong", "--width", 160, capsys=capsys)


def test_scores_that_stand_alone_are_shown_without_what_they_do_not_hold(scored, tmp_path, capsys):
    bare = write_jsonl(tmp_path / "bare.jsonl", (row["score"] for row in rows(scored)))
    said = show(bare, "--contradicted", capsys=capsys)
    assert "1 of 3  id b\n" in said
    assert "gold answer: not in the file" in said
    assert "the run does not say whether it is right" in said


def test_a_sentence_below_a_chain_says_whether_its_steps_help_and_hold(scored, capsys):
    said = " ".join(show(scored, "--id", "b", capsys=capsys).split())
    assert "The steps make the gold answer 3.00 nats likelier; step 2 is contradicted." in said
    said = " ".join(show(scored, "--id", "a", capsys=capsys).split())
    assert "Before step 2 states it, the steps make the gold answer 0.50 nats likelier; 1 of 3 steps could be" in said
    assert "chains gain" not in said, "one chain has no mean"
    assert "chains gain" in " ".join(show(scored, "--limit", "2", capsys=capsys).split())


@pytest.mark.parametrize(
    "flags",
    [
        ("--id", "q7"),
        pytest.param(("--gains-most", "--wrong"), marks=pytest.mark.slow),
        pytest.param(("--limit", 3), marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow_with_the_rows_of_a_file(tmp_path, flags):
    response = "\n".join(f"Line {i}: {i} + 1 = {i + 1}, so we go on." for i in range(40))
    given = {"id": "a", "question": "What is 40 plus 1?", "response": f"{response}\nThe answer is 40.", "answer": "41"}
    meta = {"task": "sums", "accuracy": 0}
    assert score(write_jsonl(tmp_path / "in.jsonl", [{**given, "meta": meta}]), "--out", tmp_path / "out") == 0
    row = json.loads((tmp_path / "out" / "scores.jsonl").read_text(encoding="utf-8"))
    taken = []
    for count in (300, 1_500):
        again = ({**row, "id": f"q{i}", "doc_id": f"q{i}"} for i in range(count))
        taken.append(most_memory("show", write_jsonl(tmp_path / "many.jsonl", again), *flags))
    # A row held is 40 kB: 1,200 of them would be 48 MiB.
    assert taken[1] - taken[0] < 12, taken


def test_a_question_that_its_prompt_labels_is_labelled_once(scored, tmp_path, capsys):
    asked = {
        "Question: What is 20 plus 1?\nAnswer:": "question: What is 20 plus 1? Answer:",
        "Q: Q: why?": "question: Q: why?",
    }
    for given, shown in asked.items():
        (row,) = rows(scored)[:1]
        file = write_jsonl(tmp_path / "scores.jsonl", [row | {"question": given}])
        assert shown in show(file, capsys=capsys).splitlines()
