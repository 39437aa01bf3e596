"""`stepgauge report` on scores from disk: it opens the page where there is a browser, and what it advises is right."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shlex
from html import unescape
from pathlib import Path

import pytest
from scoring import score, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.metrics.knowledge.types import Verdict
from stepgauge.metrics.plugins import registry


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    """A multiple-choice run in which no step can be checked."""
    folder = tmp_path_factory.mktemp("run")
    chains = [
        {
            "question": f"What is iron, in case {i}?",
            "response": "It is found in the crust of the earth.\nThe answer is (B).",
            "answer": "a metal",
            "choices": ["a gas", "a metal"],
            "model_answer": "B",
            "id": f"q{i}",
        }
        for i in range(2)
    ]
    assert score(write_jsonl(folder / "traces.jsonl", chains), "--out", folder / "scores") == 0
    return folder / "scores"


def test_open_hands_the_page_to_the_browser(scored, tmp_path, monkeypatch, capsys):
    browser, page = tmp_path / "browser", tmp_path / "my page.html"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    monkeypatch.setattr("webbrowser._tryorder", None)  # so that $BROWSER is read anew
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    assert main(["report", str(scored), "-o", str(page), "--open"]) == 0
    assert (tmp_path / "opened").read_text(encoding="utf-8").strip() == page.as_uri()
    assert "browser" not in capsys.readouterr().err


def test_open_says_where_the_page_is_if_there_is_no_browser(scored, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("webbrowser._tryorder", None)
    monkeypatch.setattr("webbrowser._browsers", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER", raising=False)
    page = tmp_path / "page.html"
    assert main(["report", str(scored), "-o", str(page), "--open"]) == 0
    assert page.exists()
    assert f"no browser was found on this machine; open {page.as_uri()} in one" in capsys.readouterr().err


def test_answers_of_scored_runs_stand_with_their_options(scored, tmp_path):
    page = tmp_path / "page.html"
    assert main(["report", str(scored), "-o", str(page)]) == 0
    packed = re.search(r'id="details-data">([^<]+)', page.read_text(encoding="utf-8"))
    assert packed is not None
    question = json.loads(gzip.decompress(base64.b64decode(packed[1])).decode().splitlines()[0])
    assert (question["a"], question["r"][0]["m"]) == (["B. a metal"], "B. a metal")


class Agrees:
    """Stands for a classifier of sentences, which cannot be fetched here: it agrees wherever there are passages."""

    name, kinds, needs_evidence = "nli", ("sentence",), True

    def judge(self, claims, evidence):
        return [
            Verdict(claim, "supported" if passages else "insufficient", self.name, evidence=list(passages))
            for claim, passages in zip(claims, evidence, strict=True)
        ]


def agrees(_around, *, model: str):
    assert "/" in model  # a hub id
    return Agrees()


def test_following_the_advice_of_a_page_without_a_knowledge_index_gives_one(scored, tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    assert main(["report", str(scored), "-o", str(page)]) == 0
    found = re.search(r"<pre[^>]*><code>stepgauge (score .*?)</code>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    monkeypatch.setitem(registry().judges, "nli", agrees)
    corpus = write_jsonl(tmp_path / "facts.jsonl", [{"id": "1", "text": "Iron is found in the crust of the earth."}])
    places = {
        "RUN": str(scored.parent / "traces.jsonl"),
        "DIR": str(tmp_path / "out"),
        "corpus=FOLDER": f"corpus={corpus}",
    }
    words = shlex.split(unescape(found[1]).replace("\\\n", ""))
    assert score(*(places.get(word, word) for word in words[1:])) == 0
    assert main(["report", str(tmp_path / "out"), "-o", str(page)]) == 0
    assert "no Knowledge Index" not in page.read_text(encoding="utf-8")
