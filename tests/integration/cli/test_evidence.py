"""What verdicts rest on: a run goes on with the same evidence or not at all, and `compare` notes what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chat_server import Answer, ChatServer, claim_of, verdict
from scoring import rows, score, write_jsonl

from stepgauge.adapters.cli import main

pytest.importorskip("openai")

RIVERS = ["The Danube flows into the Black Sea.", "The Rhine flows into the North Sea.", "The Elbe flows north."]
LABELS = dict(zip(RIVERS, ("supported", "contradicted", "supported"), strict=True))


def chains(folder: Path, count: int = 12) -> Path:
    lines = [
        {
            "question": f"Where does river {i} flow?",
            "response": f"{RIVERS[i % 3]}\n{i} + 1 = {i + 1}",
            "answer": str(i + 1),
            "id": f"q{i}",
            "meta": {"passages": RIVERS},
        }
        for i in range(count)
    ]
    return write_jsonl(folder / "in.jsonl", lines)


def corpus(folder: Path, *texts: str) -> Path:
    (folder / "source").mkdir(exist_ok=True)
    write_jsonl(folder / "source" / "all.jsonl", [{"id": f"p{i}", "title": "", "text": t} for i, t in enumerate(texts)])
    assert main(["corpus", "build", str(folder / "source"), str(folder / "corpus")]) == 0
    return folder / "corpus"


@contextmanager
def serving(model: str = "m-1") -> Iterator[ChatServer]:
    def answer(request: dict) -> Answer:
        label = LABELS[claim_of(request)]
        return verdict(label, {"supported": 0.9, "contradicted": 0.1}[label], model=model)

    with ChatServer(answer) as server:
        yield server


def judged(
    folder: Path, server: ChatServer, out: str = "out", *options: object, retriever: object = "given", **judge: object
) -> int:
    """Score 12 chains, 4 a window, with the judge `openai`, a cache in `folder`."""
    part = {"name": "openai", "model": "m", "base_url": server.base_url, "cache": str(folder / "cache")}
    part |= {"max_retries": 0, "backoff": 0, **judge}
    settings = {"claims": ["arithmetic", "sentence"], "judges": ["exact", part], "retriever": retriever}
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    return score(
        folder / "in.jsonl", "--set", "scorer=null", "--set", "splitter=lines", *sets, "--out", folder / out,
        "--window", 4, *options, cheap=False,
    )  # fmt: skip


def stop_after_a_window(out: Path) -> None:
    """As if the run had been killed there."""
    (out / "windows.jsonl").write_text((out / "windows.jsonl").read_text().splitlines(keepends=True)[0])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stepgauge")]
    return line


def test_run_over_a_rebuilt_corpus_is_refused_and_named(tmp_path, capsys):
    chains(tmp_path)
    built = corpus(tmp_path, *RIVERS)
    with serving() as server:
        options = ("--set", f"corpus={built}")
        assert judged(tmp_path, server, "out", *options, retriever="bm25") == 0
        before = (tmp_path / "out" / "scores.jsonl").read_bytes()
        stop_after_a_window(tmp_path / "out")
        corpus(tmp_path, *RIVERS[:2])
        capsys.readouterr()
        assert judged(tmp_path, server, "out", *options, retriever="bm25") == 2
    line = one_line(capsys)
    assert "holds another run: evidence.bm25.corpus was " in line
    assert "--restart to overwrite it" in line
    assert (tmp_path / "out" / "scores.jsonl").read_bytes() == before


def test_run_with_another_prompt_or_option_of_a_part_is_refused_and_named(tmp_path, capsys):
    chains(tmp_path)
    prompt = tmp_path / "own.txt"
    prompt.write_text("Be strict.")
    with serving() as server:
        assert judged(tmp_path, server, prompt=str(prompt), retriever={"name": "given", "k": 3}) == 0
        prompt.write_text("Be lenient.")
        capsys.readouterr()
        assert judged(tmp_path, server, prompt=str(prompt), retriever={"name": "given", "k": 3}) == 2
        assert "evidence.openai:m.prompt_sha256 was " in one_line(capsys)
        prompt.write_text("Be strict.")
        assert judged(tmp_path, server, prompt=str(prompt), retriever={"name": "given", "k": 1}) == 2
        assert "k was 3, is 1" in one_line(capsys)
        assert judged(tmp_path, server, prompt=str(prompt), retriever={"name": "given", "k": 3}, temperature=0.5) == 2
        assert "temperature was 0.0, is 0.5" in one_line(capsys)
        assert judged(tmp_path, server, prompt=str(prompt), retriever={"name": "given", "k": 3}) == 0


def test_run_does_not_go_on_with_another_served_model(tmp_path, capsys):
    chains(tmp_path)
    with serving("m-2025-01-01") as server:
        assert judged(tmp_path, server, cache="off") == 0
        found = [row["score"]["provenance"]["evidence"]["openai:m"] for row in rows(tmp_path / "out")]
        assert {tuple(about["reported_models"]) for about in found} == {("m-2025-01-01",)}
        stop_after_a_window(tmp_path / "out")
        capsys.readouterr()
        address = server.base_url
    with serving("m-2025-06-01") as server:
        server.base_url, here = address, server.base_url
        text = (tmp_path / "out" / "run.json").read_text()
        (tmp_path / "out" / "run.json").write_text(text.replace(address, here))  # the same address, with another model
        server.base_url = here
        assert judged(tmp_path, server, cache="off") == 2
    line = one_line(capsys)
    assert "'openai:m' judged with m-2025-01-01 so far, and its server now runs m-2025-06-01" in line
    assert len((tmp_path / "out" / "windows.jsonl").read_text().splitlines()) == 1


def compared(folder: Path, *runs: str, options: tuple[str, ...] = ()) -> dict:
    paths = [str(folder / run) for run in runs]
    assert main(["compare", *paths, "--out", str(folder / "compared"), "--resamples", "999", *options]) == 0
    (table,) = json.loads((folder / "compared" / "comparison.json").read_text())
    return table


def test_compare_notes_each_difference_in_what_verdicts_rest_on(tmp_path):
    chains(tmp_path)
    prompt = tmp_path / "own.txt"
    prompt.write_text("Be strict.")
    with serving("m-1") as server:
        assert judged(tmp_path, server, "base", retriever={"name": "given", "k": 3}) == 0
        assert judged(tmp_path, server, "same", retriever={"name": "given", "k": 3}) == 0
    with serving("m-2") as server:
        retriever = {"name": "given", "k": 1}
        assert judged(tmp_path, server, "other", retriever=retriever, prompt=str(prompt), temperature=0.5) == 0
    notes = " | ".join(compared(tmp_path, "base", "other")["notes"])
    for said in (
        "k of 'given' differs: base: 3; other: 1",
        "prompt_sha256 of 'openai:m' differs: ",
        "temperature of 'openai:m' differs: base: 0.0; other: 0.5",
        "reported_models of 'openai:m' differs: base: ['m-1']; other: ['m-2']",
    ):
        assert said in notes
    assert " differs: " not in " | ".join(compared(tmp_path, "base", "same")["notes"])


def test_an_outage_is_no_regression_of_any_share(tmp_path):
    """Half of the second run's claims fail: its numbers are missing, not lower."""
    chains(tmp_path)
    with serving() as server:
        assert judged(tmp_path, server, "base", cache="off") == 0
    with ChatServer(lambda _: Answer(body=b"{}", status=500)) as server:
        assert judged(tmp_path, server, "down", cache="off") == 0
    found = [row["score"] for row in rows(tmp_path / "down")]
    for one in found:
        assert [one["metrics"][name] for name in ("ki", "ki_paper", "ki_coverage")] == [None] * 3
        assert one["missing"]["ki_coverage"].startswith("1 of 2 steps could not be judged: openai:m: HTTP 500")
        assert one["metrics"]["n_failed"] == 1
    for name in ("ki_coverage", "ki"):
        table = compared(tmp_path, "base", "down", options=("--reasoning", name))
        (task,) = table["tasks"]
        assert "regression" not in json.dumps(task["verdict"])
        (row,) = [row for row in task["rows"] if row["measure"] == name]
        assert row["n"] == 0
