"""`stepgauge score`: which files it reads, what it reads out of them, and what it says of those that it cannot read."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from scoring import rows, score, traces, write_jsonl
from sweeps import sweep

MMLU_PRO = {
    "question_id": 70,
    "question": "Which vitamin prevents scurvy?",
    "options": ["Vitamin A", "Vitamin C", "Vitamin D"],
    "answer": "B",
    "answer_index": 1,
    "category": "health",
    "pred": "A",
    "generated_text": " Scurvy comes from a lack of vitamin C. The answer is (B).",
}
CHAT = {
    "id": "chat-1",
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1 plus 1?"},
        {"role": "assistant", "content": "3"},
        {"role": "user", "content": [{"type": "text", "text": "What is 2 plus 3?"}]},
        {"role": "assistant", "content": "2 + 3 = 5.\nThe answer is 5.", "reasoning_content": "Add them."},
    ],
    "target": "#### 5",
}
LETTERED = {
    "messages": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "It is red.\n\\boxed{A}"}],
    "choices": ["red", "green"],
    "label": "A",
}
TRACE: dict[str, Any] = traces(1, meta={"task": "sums", "accuracy": {"exact": True}, "subject": "algebra"})[0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            MMLU_PRO,
            {
                "task": "mmlu_pro",
                "doc_id": 70,
                "answer": ["Vitamin C"],
                "model_answer": "A",
                "accuracy": {"correct": 0.0},
                "subject": "health",
                "question": "Which vitamin prevents scurvy?\nA. Vitamin A\nB. Vitamin C\nC. Vitamin D",
            },
        ),
        ({**MMLU_PRO, "pred": "B"}, {"accuracy": {"correct": 1.0}}),
        ({**MMLU_PRO, "pred": None}, {"accuracy": {"correct": 0.0}, "model_answer": None}),
        (
            CHAT,
            {"id": "chat-1", "model": "gpt-x", "question": "What is 2 plus 3?", "answer": ["5"], "model_answer": "5"},
        ),
        (LETTERED, {"id": "1", "answer": ["red"], "question": "Which?"}),
        ({**LETTERED, "label": 1}, {"answer": ["green"]}),
        (TRACE, {"id": "q0", "task": "sums", "accuracy": {"exact": 1.0}, "subject": "algebra", "answer": ["1"]}),
    ],
)
def test_row_of_each_format_becomes_a_chain_with_its_gold_answer_and_accuracy(tmp_path, row, expected):
    assert score(write_jsonl(tmp_path / "in.jsonl", [row]), "--out", tmp_path / "out") == 0
    (written,) = rows(tmp_path / "out")
    assert {name: written[name] for name in expected} == expected
    assert written["key"] == {"file": str(tmp_path / "in.jsonl"), "row": 1, "repeat": 0}
    assert written["score"]["trace_hash"] == written["trace_hash"]
    assert written["score"]["metrics"]["infogain"] is not None


SOLUTIONS = [
    "Three boxes of 24 pens make 3 * 24 = 72 pens, so the total is $\\boxed{72}$.",
    "Three boxes of 24.\nThe answer is 72.",
    "Three boxes of 24.\n#### 72",
]


@pytest.mark.parametrize(
    ("format", "gold"),
    [
        *(("chat", gold) for gold in [*SOLUTIONS, 72, 72.0, ["72", SOLUTIONS[0]]]),
        *(("traces", gold) for gold in [*SOLUTIONS, ["72", SOLUTIONS[0]]]),
    ],
)
def test_gold_answer_may_be_a_worked_solution_in_every_format(tmp_path, format, gold):
    said = {"question": "How many pens?", "response": "3 * 24 = 72.\nThe answer is 72.", "answer": gold}
    chat = {
        "messages": [{"role": "user", "content": said["question"]}, {"role": "assistant", "content": said["response"]}]
    }
    row = said if format == "traces" else {**chat, "answer": gold}
    score(write_jsonl(tmp_path / "in.jsonl", [row]), "--out", tmp_path / "out")
    (written,) = rows(tmp_path / "out")
    assert set(written["answer"]) == {"72"}
    assert written["score"]["provenance"]["gold_answer"] == "the one accepted answer"


@pytest.mark.parametrize(
    "options",
    [
        {"choices": ["red", "green"]},
        {"options": {"A": "red", "B": "green"}},
        {"opa": "red", "opb": "green"},
        {"A": "red", "B": "green"},
    ],
)
def test_options_of_a_chat_are_found_where_data_sets_keep_them(tmp_path, options):
    row = {"messages": LETTERED["messages"], "label": "The leaf is green. The answer is B.", **options}
    score(write_jsonl(tmp_path / "in.jsonl", [row]), "--out", tmp_path / "out")
    (written,) = rows(tmp_path / "out")
    assert written["answer"] == ["green"]
    assert written["score"]["metrics"]["gold_probability"] is not None
    assert not written["score"]["notes"]


def test_letter_whose_options_are_not_known_is_measured_and_noted(tmp_path):
    row = {"messages": LETTERED["messages"], "label": "B", "first_option_text": "red"}
    score(write_jsonl(tmp_path / "in.jsonl", [row]), "--out", tmp_path / "out")
    (written,) = rows(tmp_path / "out")
    assert (written["answer"], len(written["score"]["notes"])) == (["B"], 1)
    assert "lone letter B" in written["score"]["notes"][0]


@pytest.mark.parametrize(("answer", "found"), [("B", ["green"]), (["B", "green"], ["green"]), ("AB", ["red", "green"])])
def test_letters_in_a_trace_are_its_choices(tmp_path, answer, found):
    row = {"question": "Which?", "response": "It is green.", "answer": answer, "choices": ["red", "green"]}
    score(write_jsonl(tmp_path / "in.jsonl", [row]), "--out", tmp_path / "out")
    assert rows(tmp_path / "out")[0]["answer"] == found


def test_reasoning_of_a_chat_comes_before_its_visible_text_and_earlier_turns_are_left_out(tmp_path):
    score(write_jsonl(tmp_path / "in.jsonl", [CHAT]), "--out", tmp_path / "out")
    (written,) = rows(tmp_path / "out")
    assert [step["text"] for step in written["score"]["steps"]] == ["Add them.", "2 + 3 = 5.", "The answer is 5."]


def _array(path: Path, value: bytes) -> Path:
    path.write_bytes(value)
    return path


def _gz(path: Path, value: bytes) -> Path:
    path.write_bytes(gzip.compress(value))
    return path


def _zip(path: Path, value: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.json", value)
    return path


@pytest.mark.parametrize(
    ("name", "write", "indent"),
    sweep(
        [
            (name, write, indent)
            for name, write in (("in.json", _array), ("in.json.gz", _gz), ("in.zip", _zip), ("no_suffix", _gz))
            for indent in (None, 2)
        ],
        [("in.json", _array, 2), ("in.zip", _zip, None)],
    ),
)
def test_array_is_read_plain_or_packed_across_the_chunks_it_is_read_in(tmp_path, name, write, indent):
    long = " ".join(["word"] * 70_000)  # longer than a chunk
    many = [{**MMLU_PRO, "question_id": i, "generated_text": long if i == 3 else "Ümläut.\nB."} for i in range(40)]
    data = json.dumps(many, indent=indent, ensure_ascii=False).encode()
    assert score(write(tmp_path / name, data), "--set", "scorer=null", "--out", tmp_path / "out") == 0
    written = rows(tmp_path / "out")
    assert [row["doc_id"] for row in written] == list(range(40))
    assert written[0]["score"]["steps"][0]["text"] == "Ümläut."


@pytest.mark.parametrize(
    ("bad", "kind", "detail"),
    [
        ('{"question": "q", "resp', "not JSON", "Unterminated string"),
        ("[1, 2]", "not a JSON object", "got [1, 2]"),
        ('"text"', "not a JSON object", "got 'text'"),
        ('{"question": "q"}', "not a trace", "response"),
        ('{"question": "q", "response": 7}', "not a trace", "field 'response': expected text, got 7"),
        ('{"question": "q", "response": "r", "anwser": "3"}', "not a trace", "unknown field 'anwser'"),
        ("[" * 100_000, "not JSON", ""),
    ],
)
def test_malformed_line_is_skipped_with_file_line_and_reason_and_strict_stops_there(
    tmp_path, capsys, caplog, bad, kind, detail
):
    source = write_jsonl(tmp_path / "in.jsonl", [*traces(2), "", bad, *traces(1)])
    assert score(source, "--out", tmp_path / "out") == 0
    assert len(rows(tmp_path / "out")) == 3
    (skipped,) = rows(tmp_path / "out", "skipped.jsonl")
    assert skipped["key"]["row"] == 4
    assert skipped["kind"] == kind
    assert detail in skipped["reason"]
    assert f"{source}, row 4: {kind}" in caplog.text
    assert "3 scored, 1 skipped, 0 failed" in capsys.readouterr().out

    assert score(source, "--out", tmp_path / "strict", "--window", 2, "--strict") == 2
    assert f"{source}, row 4: {kind}" in capsys.readouterr().err
    assert len(rows(tmp_path / "strict")) == 2  # the whole windows before it stay


def test_lines_that_are_no_utf8_are_skipped(tmp_path):
    source = tmp_path / "in.jsonl"
    good = json.dumps(traces(1)[0]).encode() + b"\n"
    source.write_bytes(good + b'{"question": "\xff", "response": "r"}\n' + good)
    score(source, "--out", tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 2
    assert rows(tmp_path / "out", "skipped.jsonl")[0]["kind"] == "not JSON"


@pytest.mark.parametrize(
    ("broken", "chains", "skipped"),
    [
        ('[%s, {nope: 1, "a": {"b": 2}}, %s]', 2, ["not JSON"]),
        ("[%s %s, %s]", 3, ["not JSON"]),
        ("[%s, garbage, %s, %s]", 3, ["not JSON"]),
        ("[%s, \x00, %s, %s]", 3, ["not JSON"]),
        ('[%s, {"question": "cut \n%s, %s]', 3, ["not JSON"]),
        ('[%s, {"question": "a", "response": [1, 2}, %s]', 2, ["not JSON"]),
        ("[%s, 3, %s]", 2, ["not a JSON object"]),
        ("[%s, %s", 2, ["not JSON"]),
        ('[%s, {"question', 1, ["not JSON"]),
    ],
)
def test_array_goes_on_behind_an_element_that_is_malformed(tmp_path, broken, chains, skipped):
    element = json.dumps(traces(1)[0])
    source = tmp_path / "in.json"
    source.write_text(broken.replace("%s", element), encoding="utf-8")
    score(source, "--out", tmp_path / "out")
    assert len(rows(tmp_path / "out")) == chains
    assert [row["kind"] for row in rows(tmp_path / "out", "skipped.jsonl")] == skipped


def test_damaged_archive_gives_what_can_be_read_and_says_where_it_ends(tmp_path):
    source = tmp_path / "in.jsonl.gz"
    data = gzip.compress("".join(json.dumps(row) + "\n" for row in traces(1200)).encode())
    source.write_bytes(data[: len(data) // 2])
    assert score(source, "--out", tmp_path / "out", "--set", "scorer=null", "--set", "claims=[]", "--window", 999) == 0
    assert len(rows(tmp_path / "out")) > 100
    [skipped] = rows(tmp_path / "out", "skipped.jsonl")
    assert skipped["kind"] == "the file is damaged"
    assert "end-of-stream marker" in skipped["reason"]


def test_folder_gives_each_file_of_a_known_format_once_and_globs_do_likewise(tmp_path, monkeypatch, capsys):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    write_jsonl(tmp_path / "in" / "b.jsonl", traces(1))
    write_jsonl(tmp_path / "in" / "deep" / "a.jsonl", [CHAT])
    (tmp_path / "in" / "results_2026.json").write_text('{\n  "results": {}, "configs": {}}')
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    for paths in (["in"], ["in/**/*.json*"], ["in", "in/b.jsonl", "in/**/*.jsonl"]):
        assert score(*paths, "--out", "out", "--restart") == 0
        files = [Path(row["key"]["file"]).as_posix() for row in rows(tmp_path / "out")]
        assert files == ["in/b.jsonl", "in/deep/a.jsonl"]
    capsys.readouterr()
    assert score("in", "--out", "in/scores") == 0
    assert score("in", "--out", "in/scores") == 0  # below a folder what is scored already is no input
    assert "nothing is left to score" in capsys.readouterr().out
    assert score("in/scores", "--out", "in/scores", "--restart") == 2  # its own output would be overwritten
    assert "in/scores/scores.jsonl, which is to be scored, lies in it" in capsys.readouterr().err
    assert len(rows(tmp_path / "in" / "scores")) == 2


def test_scored_run_is_scored_again_from_its_own_rows_with_other_options(tmp_path):
    response = " I add.\n\n 1+1 = 2 \n\nB \n"
    odd = {"question": "Which?\n  A) 1 B) 2", "choices": ["1", "2"], "answer": ["2"], "response": response}
    meta = {"task": "sums", "model": "m", "doc_id": 7, "subject": "odd", "accuracy": {"exact": 1.0}}
    source = write_jsonl(tmp_path / "in.jsonl", [*traces(3, meta=meta), {**traces(1)[0], **odd}])
    assert score(source, "--out", tmp_path / "first", "--set", "splitter=sentences") == 0
    for again in (tmp_path / "first", tmp_path / "first" / "scores.jsonl"):
        out = tmp_path / f"again-{again.name}"
        assert score(again, "--out", out, "--set", "splitter=lines") == 0
        assert score(source, "--out", tmp_path / "direct", "--set", "splitter=lines", "--restart") == 0
        for one, other in zip(rows(out), rows(tmp_path / "direct"), strict=True):
            assert one.pop("key")["file"] != other.pop("key")["file"]
            assert one == other
        assert {row["score"]["provenance"]["splitter"] for row in rows(out)} == {"lines"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "in.jsonl",
            '{"foo": 1, "bar": 2}\n',
            "no known format (lm-eval, inspect, mmlu-pro, chat, scored, traces): a row",
        ),
        ("in.jsonl", "", "the file is empty"),
        ("in.csv", "a,b\n1,2\n", "neither JSON nor JSON Lines"),
        ("results_1.json", '{\n "results": {}, "configs": {}\n}', "this is lm-eval's results file"),
        ("in.jsonl", '{"trace_hash": "x", "steps": []}\n', "without their questions"),
        ("in.jsonl", "{]\n", "not JSON"),
    ],
)
def test_file_of_no_known_format_is_one_clear_error(tmp_path, capsys, name, content, said):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert score(tmp_path / name, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"stepgauge: {tmp_path / name}: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_format_can_be_forced(tmp_path):
    both = {**TRACE, "messages": CHAT["messages"]}
    source = write_jsonl(tmp_path / "in.jsonl", [both])
    score(source, "--out", tmp_path / "chat")
    score(source, "--out", tmp_path / "forced", "--format", "traces")
    assert [row["question"] for row in rows(tmp_path / "chat")] == ["What is 2 plus 3?"]
    assert [row["kind"] for row in rows(tmp_path / "forced", "skipped.jsonl")] == ["not a trace"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--set", "splitte=lines"], "unknown option 'splitte'; did you mean 'splitter'?"),
        (["--set", "splitter=lnes"], "unknown splitter 'lnes'; did you mean 'lines'?"),
        (["--set", "splitter"], "expected NAME=VALUE"),
        (["--set", "epsilon=-1"], "epsilon -1: expected"),
        (["--set", "metrics=infogian"], "unknown metric 'infogian'; did you mean 'infogain'?"),
        (["--set", "question={{question}}"], "is for lm-eval's samples; the input is traces"),
        (["--where", "subject"], "expected FIELD=VALUE"),
        (["--where", "idd=q1"], "unknown field 'idd'; did you mean 'id'?"),
        (["--limit", "-1"], "--limit -1: expected a number, or 0 for all"),
        (["--write-logs"], "none of the inputs is an Inspect log"),
    ],
)
def test_wrong_option_is_one_clear_error_with_the_nearest_valid_name(tmp_path, capsys, args, said):
    assert score(write_jsonl(tmp_path / "in.jsonl", traces(1)), "--out", tmp_path / "out", *args) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        (["category=health"], [0, 2]),
        (["category=health", "category=math"], [0, 1, 2]),
        (["category=health", "question_id=2"], [2]),
        (["nested.deep=true"], [3]),
        (["pred=null"], [3]),
    ],
)
def test_where_keeps_rows_by_their_own_fields(tmp_path, capsys, where, kept):
    categories = ["health", "math", "health", "law"]
    many = [{**MMLU_PRO, "question_id": i, "category": category} for i, category in enumerate(categories)]
    many[3] |= {"nested": {"deep": True}, "pred": None}
    args = [part for pair in where for part in ("--where", pair)]
    assert score(write_jsonl(tmp_path / "in.jsonl", many), "--out", tmp_path / "out", *args) == 0
    assert [row["doc_id"] for row in rows(tmp_path / "out")] == kept
    assert f"{4 - len(kept)} rows passed over: left out by --where" in capsys.readouterr().out


def test_dry_run_counts_chains_steps_and_reasons_and_writes_nothing(tmp_path, capsys):
    empty = {**MMLU_PRO, "generated_text": "  "}
    source = write_jsonl(tmp_path / "in.jsonl", [MMLU_PRO, empty, {**MMLU_PRO, "options": None}, "{"])
    assert score(source, "--dry-run") == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "in.jsonl MMLU-Pro output 2 2 1.0 2" in said
    assert "skipped: field 'options' is no list of texts 1" in said
    assert "skipped: not JSON 1" in said
    assert "the response holds no text 1" in said
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.slow
def test_all_of_mmlu_pros_health_and_math_rows_are_read_and_cut_into_steps(shared_data):
    from stepgauge.adapters.formats.detect import find_sources
    from stepgauge.adapters.formats.options import Wanted
    from stepgauge.adapters.offline.dry_run import look

    sources = find_sources([str(shared_data / "mmlupro-outputs")], wanted=Wanted({"category": ["health", "math"]}))
    found, _ = look(sources, "lines")
    assert [(one.chains, one.skipped.total()) for one in found] == [(818 + 1351, 0)] * 4
    assert all(one.steps >= one.chains for one in found)
    reasons = {reason for one in found for reason in one.without}
    assert reasons <= {"note: no answer could be read from the model's output; it counts as wrong"}
