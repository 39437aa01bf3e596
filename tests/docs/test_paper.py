"""Runs docs/paper.md as it stands there, on a server of our own that speaks the OpenAI protocol."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from chat_server import Answer, ChatServer, quoted, verdict
from commands import blocks, shell
from raw_runs import lm_eval_run
from repo import REPO
from scoring import rows
from transformers import BertConfig, BertModel

PAGE = "docs/paper.md"
ADDRESS = "http://localhost:8000/v1"


def answer(request) -> Answer:
    """What a chat model might say: a step at every piece, a claim a step but for the sums, right where it says so."""
    shown = quoted(request)
    if "pieces" in shown:
        return Answer(json.dumps({"begins": [piece["n"] for piece in shown["pieces"]]}), model="gpt-4o-2024-08-06")
    if "step" in shown:
        text = " ".join(shown["step"].split())[:200]
        claims = [] if "=" in text else [{"claim": text, "query": text}]
        return Answer(json.dumps({"claims": claims}), model="gpt-4o-2024-08-06")
    return verdict("supported", 0.9, model="gpt-4o-2024-08-06")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizers) -> Path:
    out = tmp_path_factory.mktemp("paper")
    lm_eval_run(out / "out", [[i < 3] for i in range(12)])
    shutil.copytree(REPO / "tasks" / "samples" / "corpus", out / "textbooks")
    tokenizer = tokenizers["unigram"]
    for name in ("ncbi/MedCPT-Article-Encoder", "ncbi/MedCPT-Query-Encoder"):
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
        )
        BertModel(config).save_pretrained(out / name)
        tokenizer.pad_token = "</s>"
        tokenizer.save_pretrained(out / name)
    return out


@pytest.fixture(scope="module")
def server():
    with ChatServer(answer) as running:
        yield running


@pytest.fixture(scope="module")
def printed(folder, server) -> dict[str, str]:
    """What each command of the page prints, by its second word; Python's by "python"."""
    out = {}
    for language, body in blocks(PAGE):
        body = body.replace(ADDRESS, server.base_url)
        if language == "sh":
            key = next((option for option in ("--splitters", "--dry-run") if option in body), body.split()[1])
            out[key] = shell(folder, body, STEPGAUGE_CACHE=str(folder / "cache")).stdout
            if key in ("estimate", "--dry-run"):
                assert server.requests == []  # neither asks anybody
        elif language == "python":
            out[language] = shell(folder, [sys.executable, "-c", body], STEPGAUGE_CACHE=str(folder / "cache")).stdout
        elif language == "yaml":
            code = "import sys, yaml; from stepgauge.metrics import Gauge; g = Gauge(**yaml.safe_load(sys.argv[1]))"
            out[language] = shell(folder, [sys.executable, "-c", f"{code}; print(g.splitter.name)", body]).stdout
    return out


@pytest.mark.slow
def test_the_run_takes_the_papers_route(folder, printed):
    assert "ki" in printed["score"]
    scores = [row["score"] for row in rows(folder / "scores")]
    assert len(scores) == 12
    for score in scores:
        about = score["provenance"]
        assert about["splitter"] == "llm:gpt-4o:marked"
        assert about["policy"] == "paper"
        assert about["claims"] == ["llm:gpt-4o"]
        assert about["judges"] == ["openai:gpt-4o"]
        assert about["retriever"] == "dense"
        assert about["evidence"]["openai:gpt-4o"]["two_way"] is True
        assert about["evidence"]["openai:gpt-4o"]["reported_models"] == ["gpt-4o-2024-08-06"]
        assert score["metrics"]["ki"] == score["metrics"]["ki_paper"]
        assert 0 < score["metrics"]["ki_coverage"] < 1  # the last step announces the answer


@pytest.mark.slow
def test_the_estimate_is_no_less_than_what_the_run_asked_for(printed, server):
    calls = {
        line.split()[0]: int(line.split()[2].replace(",", ""))
        for line in printed["estimate"].splitlines()
        if line.startswith(("splitter", "extractor", "judge"))
    }
    assert set(calls) == {"splitter", "extractor", "judge"}
    assert re.search(r"\d\.\d\d$", printed["estimate"].splitlines()[2].rstrip()), printed["estimate"]
    (said,) = re.findall(r"(\d+) chains of (\d+\.\d) steps, with (\d+) claims at most", printed["estimate"])
    chains, steps, claims = int(said[0]), float(said[1]), int(said[2])
    assert (chains, claims) == (12, calls["extractor"])  # the paper's route: one claim a step
    assert calls["judge"] == claims < chains * steps  # the last step announces the answer
    assert re.search(rf"\b{chains} +\d+ +{steps}\b", printed["--dry-run"]), printed["--dry-run"]
    sorts = [quoted(request) for request in server.requests]
    assert 0 < sum("pieces" in shown for shown in sorts) <= calls["splitter"] + 1  # the page's Python asks one more
    assert sum("claim" in shown for shown in sorts) > 0
    assert {request["model"] for request in server.requests} == {"gpt-4o"}


@pytest.mark.slow
def test_the_same_run_again_pays_for_no_reply_twice(folder, printed, server):
    assert printed["score"]
    before = len(server.requests)
    (body,) = (text for language, text in blocks(PAGE) if language == "sh" and "--out scores" in text)
    body = body.replace(ADDRESS, server.base_url).replace("--out scores", "--out again")
    shell(folder, body, STEPGAUGE_CACHE=str(folder / "cache"))
    assert len(server.requests) == before
    metrics = [[row["score"]["metrics"]["ki"] for row in rows(folder / name)] for name in ("scores", "again")]
    assert metrics[0] == metrics[1]


@pytest.mark.slow
def test_python_and_yaml_take_the_preset(printed):
    assert printed["python"].startswith("1.0 ['supported'")
    assert printed["yaml"].strip() == "sentences"


@pytest.mark.slow
def test_the_same_chains_are_shown_under_each_splitter(printed, folder):
    lines = printed["--splitters"].partition("The same chains, cut by each splitter:")[2].splitlines()
    assert {line.split()[0] for line in lines if line.startswith(("auto", "sentences", "llm"))} == {
        "auto",
        "sentences",
        "llm",
    }
    cut_by = {
        name: {row["score"]["provenance"]["splitter"] for row in rows(folder / "cuts" / name)} for name in ("llm",)
    }
    assert cut_by == {"llm": {"llm:gpt-4o:marked"}}
