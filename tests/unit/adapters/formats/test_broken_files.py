"""Broken input costs its own row or file, with the reason; what stands beside it is scored, shown and compared."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from scoring import rows, score, traces, write_jsonl

from stepgauge.adapters.cli import main

GOOD = json.dumps(traces(1)[0]).encode() + b"\n"
NULL = ("--set", "scorer=null")


def zipped(name: str, data: bytes, **how: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **how) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def encrypted(data: bytes) -> bytes:
    """An archive whose headers say that its member is encrypted."""
    out = bytearray(zipped("a.jsonl", data))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        out[out.index(signature) + at] |= 1
    return bytes(out)


def of_method(number: int) -> bytes:
    out = bytearray(zipped("a.jsonl", GOOD))
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        out[out.index(signature) + at] = number
    return bytes(out)


def corrupt(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(byte ^ 0x55 for byte in data[len(data) // 2 : len(data) // 2 + 40])


def trace(**fields: object) -> bytes:
    return json.dumps({**traces(1)[0], **fields}).encode() + b"\n"


def deep(levels: int) -> bytes:
    return b'{"question": "q", "response": "r", "id": ' + b"[" * levels + b"]" * levels + b"}\n"


MANY = b"".join(json.dumps(one).encode() + b"\n" for one in traces(300))
MMLU = {"question_id": 1, "question": "q", "options": ["a", "b"], "answer": "A", "category": "x"}

# name: content, chains that are read all the same, kinds of what is skipped
CASES: dict[str, tuple[str, bytes, int, list[str]]] = {
    "accuracy of 401 digits": ("a.jsonl", trace(meta={"accuracy": 10**400}), 1, []),
    "number of 5,000 digits": (
        "a.jsonl",
        GOOD + b'{"question": "q", "response": "r", "id": 1' + b"0" * 5000 + b"}\n",
        1,
        ["not JSON"],
    ),
    "NaN id": ("a.jsonl", GOOD + trace(id=float("nan")), 1, ["not a trace"]),
    "list id": ("a.jsonl", GOOD + trace(id=[1]), 1, ["not a trace"]),
    "ids 900 deep": ("a.jsonl", GOOD + deep(900), 1, ["nested too deeply"]),
    "ids 100,000 deep": ("a.jsonl", GOOD + deep(100_000), 1, ["not JSON"]),
    "array nested deeply": ("a.json", b"[" + GOOD + b"," + deep(900) + b"," + GOOD + b"]", 2, ["nested too deeply"]),
    "MMLU-Pro without a response": (
        "a.json",
        json.dumps([{**MMLU, "model_outputs": "(A)"}, MMLU, {**MMLU, "model_outputs": "(B)"}]).encode(),
        2,
        ["the model's output is no text"],
    ),
    "infinite answer": (
        "a.jsonl",
        json.dumps(
            {
                "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "1"}],
                "answer": float("inf"),
                "choices": ["1", "2"],
            }
        ).encode(),
        0,
        ["the gold answer is none of the options"],
    ),
    "first line is garbage": ("a.jsonl", b"garbage\n" + GOOD, 1, ["not JSON"]),
    "NULs between": ("a.jsonl", GOOD + b"\0" * 4096 + b"\n" + GOOD, 2, ["not JSON"]),
    "byte order mark": ("a.jsonl", b"\xef\xbb\xbf" + GOOD, 1, []),
    "CRLF": ("a.jsonl", GOOD.replace(b"\n", b"\r\n") * 2, 2, []),
    "lone surrogates": (
        "a.jsonl",
        trace(id="\ud800", question="\udfff", answer="\ud800", meta={"task": "\ud800"}),
        1,
        [],
    ),
    "UTF-16": ("a.jsonl", GOOD.decode().encode("utf-16"), 0, ["the file cannot be read"]),
    "random bytes": ("a.jsonl", bytes(range(256)) * 40, 0, ["the file cannot be read"]),
    "gzip cut off": ("a.jsonl.gz", gzip.compress(MANY)[:-2000], 100, ["the file is damaged"]),
    "gzip with bytes behind": ("a.jsonl.gz", gzip.compress(GOOD) + b"TRAILING", 1, ["the file is damaged"]),
    "two gzip members": ("a.jsonl.gz", gzip.compress(GOOD) * 2, 2, []),
    "zip cut off": ("a.zip", zipped("a.jsonl", MANY)[:-30], 0, ["the file cannot be read"]),
    "zip corrupt": (
        "a.zip",
        corrupt(zipped("a.jsonl", GOOD, compression=zipfile.ZIP_DEFLATED)),
        0,
        ["the file cannot be read"],
    ),
    "zip encrypted": ("a.zip", encrypted(GOOD), 0, ["the file cannot be read"]),
    "zip of unknown method": ("a.zip", of_method(99), 0, ["the file cannot be read"]),
    "zip with paths": ("a.zip", zipped("/../../etc/a.jsonl", GOOD), 1, []),
    "zip in a zip": ("a.zip", zipped("a.zip", zipped("a.jsonl", GOOD)), 0, ["the file cannot be read"]),
    "truncated Inspect log": ("a.eval", zipped("header.json", b'{"version": 2'), 0, ["the file cannot be read"]),
    "Inspect log of nothing": ("a.json", b'{"version": 2, "eval": {}}', 0, ["the file cannot be read"]),
}


@pytest.mark.parametrize("case", CASES)
def test_broken_file_in_a_folder_costs_what_is_broken(tmp_path, capsys, case):
    if "Inspect" in case:
        pytest.importorskip("inspect_ai")
    name, content, chains, kinds = CASES[case]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(content)
    (folder / "good.jsonl").write_bytes(GOOD)
    assert score(folder, "--out", tmp_path / "out", *NULL) == 0
    read = [row["key"]["file"] for row in rows(tmp_path / "out")]
    assert str(folder / "good.jsonl") in read
    assert len(read) - 1 >= chains
    if case != "gzip cut off":
        assert len(read) - 1 == chains
    skipped = rows(tmp_path / "out", "skipped.jsonl")
    assert [one["kind"] for one in skipped] == kinds
    assert all(one["key"]["file"] == str(folder / name) and one["reason"] for one in skipped)
    assert f"{len(kinds)} skipped, 0 failed" in capsys.readouterr().out


def test_an_encrypted_archive_is_named_as_that(tmp_path):
    (tmp_path / "a.zip").write_bytes(encrypted(GOOD))
    (tmp_path / "good.jsonl").write_bytes(GOOD)
    assert score(tmp_path, "--out", tmp_path / "out", *NULL) == 0
    [skipped] = rows(tmp_path / "out", "skipped.jsonl")
    assert skipped["reason"] == "the file cannot be read: the archive is encrypted; unpack it with its password"


def test_zipped_line_over_64_mib_costs_itself(tmp_path):
    long = b'{"question": "q", "response": "' + b"x" * (65 * 2**20) + b'"}\n'
    (tmp_path / "a.zip").write_bytes(zipped("a.jsonl", GOOD * 2 + long + GOOD, compression=zipfile.ZIP_DEFLATED))
    assert score(tmp_path / "a.zip", "--out", tmp_path / "out", *NULL) == 0
    assert [row["key"]["row"] for row in rows(tmp_path / "out")] == [1, 2, 4]
    [skipped] = rows(tmp_path / "out", "skipped.jsonl")
    assert (skipped["key"]["row"], skipped["kind"]) == (3, "row too long")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # such names have at most 107 characters
        one.bind(path.name)
        os.chdir(here)


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": pipe,
    "socket": unix_socket,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "loop of links": lambda path: path.symlink_to(path.name),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
}
EVERY = ("score", "compare", "report", "show", "fit")


def door(name: str, path: Path, out: Path) -> list[str]:
    return {
        "score": ["score", str(path), "--out", str(out), *NULL],
        "compare": ["compare", f"a={path}", f"b={path}"],
        "report": ["report", str(path), "-o", str(out)],
        "show": ["show", str(path)],
        "fit": ["fit", "--traces", str(path), "--out", str(out)],
        "corpus": ["corpus", "build", str(path), str(out)],
    }[name]


@pytest.mark.parametrize("command", [*EVERY, "corpus"])
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_one_line_at_every_door(tmp_path, capsys, kind, command):
    ODD[kind](tmp_path / "x.jsonl")
    assert main(door(command, tmp_path / "x.jsonl", tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert error.startswith("stepgauge: ")
    assert error.count("\n") == 1
    assert "x.jsonl" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_costs_a_folder_nothing_else(tmp_path, kind):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.jsonl").write_bytes(GOOD)
    ODD[kind](folder / "x.jsonl")
    (folder / "folder.jsonl").mkdir()
    (folder / "folder.jsonl" / "up").symlink_to("..")
    assert score(folder, "--out", tmp_path / "out", *NULL) == 0
    assert len(rows(tmp_path / "out")) == 1
    [skipped] = rows(tmp_path / "out", "skipped.jsonl")
    assert skipped["key"]["file"].endswith("x.jsonl")


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    """Two scored runs."""
    base = tmp_path_factory.mktemp("runs")
    for name in ("a", "b"):
        write_jsonl(base / f"{name}.jsonl", traces(4, meta={"model": name, "task": "sums", "accuracy": 1}))
        assert score(base / f"{name}.jsonl", "--out", base / name, *NULL) == 0
    return base


BROKEN = {
    "samples_x.jsonl": b"\x00\xff garbage\n",
    "truncated.jsonl.gz": gzip.compress(MANY)[:20],
    "encrypted.zip": encrypted(GOOD),
    "unknown.zip": of_method(99),
    "damaged.eval": b"PK\x03\x04rest",
    "deeper/scores.jsonl": b"garbage\n",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["compare", "report", "show"])
def test_broken_file_beside_scored_runs_is_left_out_and_named(scored, tmp_path, capsys, caplog, name, command):
    for run in ("a", "b"):
        shutil.copytree(scored / run, tmp_path / run / "run")
        (tmp_path / run / name).parent.mkdir(exist_ok=True)
        (tmp_path / run / name).write_bytes(BROKEN[name])
    runs = [f"{run}={tmp_path / run}" for run in ("a", "b")]
    arguments = {
        "compare": ["compare", *runs, "--width", "300"],
        "report": ["report", *runs, "-o", str(tmp_path / "out.html")],
        "show": ["show", str(tmp_path / "a")],
    }[command]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    if command == "show":  # takes what is newest, and names a broken file where it is that
        assert "The answer is 1." in said
        return
    assert str(tmp_path / "a" / name) in caplog.text
    noted = said if command == "compare" else (tmp_path / "out.html").read_text()
    assert Path(name).name in noted
    assert "left out: the file cannot be read" in " ".join(noted.split())


def test_broken_row_of_a_scored_run_is_left_out_of_every_view(scored, tmp_path, capsys, caplog):
    lines = (scored / "b" / "scores.jsonl").read_text().splitlines()
    write_jsonl(tmp_path / "b.jsonl", [lines[0][:100], *lines[1:]])
    assert main(["compare", str(scored / "a"), str(tmp_path / "b.jsonl")]) == 0
    noted = " ".join(capsys.readouterr().out.split())
    assert "1 row that cannot be read left out" in noted
    assert f"{tmp_path / 'b.jsonl'}, row 1: not JSON" in caplog.text
    assert main(["compare", str(scored / "a"), str(tmp_path / "b.jsonl"), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())[0]["tasks"][0]["n_pairs"] == 3
    assert main(["show", str(tmp_path / "b.jsonl"), "--limit", "9"]) == 0
    assert "The answer is 4." in capsys.readouterr().out


def test_file_that_vanishes_or_shrinks_while_it_is_read_costs_itself(tmp_path):
    from stepgauge.adapters.formats.detect import find_sources
    from stepgauge.adapters.formats.fitting_data import read_chains

    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_bytes(GOOD * 2)
    sources = find_sources([str(tmp_path)])
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "b.jsonl").write_bytes(GOOD + GOOD[:20])
    data = read_chains(sources)
    assert len(data.chains) == 3
    assert dict(data.skipped) == {"the file cannot be read": 1, "not JSON": 1}


def test_nothing_readable_at_all_is_one_line(tmp_path, capsys):
    (tmp_path / "a.zip").write_bytes(encrypted(GOOD))
    for path in (tmp_path, tmp_path / "a.zip"):
        assert score(path, "--out", tmp_path / "out", *NULL) == 2
        error = capsys.readouterr().err
        assert f"{tmp_path / 'a.zip'}: the file cannot be read: the archive is encrypted" in error
        assert error.count("\n") == 1
