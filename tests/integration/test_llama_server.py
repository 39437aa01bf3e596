"""The judge `openai` and the extractor `llm` against llama.cpp's own server with SmolLM2, whatever it answers.

SmolLM2 is no judge: what is tested is that requests are understood and replies are read, not what they say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from llama_server import MODEL, llama_server, why_not
from scoring import write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.metrics import Gauge, Trace

pytest.importorskip("openai")
pytestmark = pytest.mark.slow

TEXT = "Insulin is a hormone that lowers blood glucose."
PASSAGES = ["Insulin is a hormone of the pancreas. It lowers the concentration of glucose in the blood."]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if reason := why_not():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with llama_server() as found:
        yield found


def server(address: str, name: str, **more: object) -> dict[str, object]:
    options = {"base_url": address, "model": MODEL, "cache": "off", "timeout": 120, "concurrency": 1, "max_tokens": 80}
    return {"name": name, **options, **more}


def test_the_judge_gets_a_verdict_in_the_schema_that_the_server_enforces(address):
    judge = server(address, "openai", structured="always")
    with Gauge(scorer=None, claims=["sentence"], judges=[judge], retriever="given") as gauge:
        (score,) = gauge.score([Trace("What is insulin?", TEXT, meta={"passages": PASSAGES})])
    verdicts = [verdict for step in score.steps for verdict in step.verdicts]
    assert verdicts
    for verdict in verdicts:
        assert verdict.judge == f"openai:{MODEL}"
        # The model may contradict itself, or be cut off, but the schema leaves no other way to fail.
        assert verdict.label or ("contradicts itself" in verdict.error or "max_tokens" in verdict.error), verdict.error
    assert score.provenance["evidence"][f"openai:{MODEL}"]["prompt_sha256"]


def test_replies_without_a_schema_are_read_or_refused_and_tokens_are_counted(address, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "prompt.txt").write_text("Answer with one word, True or False: is the claim true?", encoding="utf-8")
    judge = server(address, "openai", structured="never", prompt=str(tmp_path / "prompt.txt"), max_tokens=5)
    rows = [{"claim": text, "label": label, "passages": PASSAGES} for text, label in
            (("Insulin lowers glucose.", "right"), ("Insulin raises glucose.", "wrong"))]  # fmt: skip
    path = write_jsonl(tmp_path / "claims.jsonl", rows)
    command = ["judge-check", "--judges", json.dumps(judge), "--on", str(path), "--move", "0", "--format", "json"]
    assert main(command) == 0
    (found,) = json.loads(capsys.readouterr().out)["judges"]
    assert sum(n for row in found["said"].values() for n in row.values()) == 2
    assert found["cost"]["calls"] >= 1
    assert found["cost"]["tokens"] > 50


def test_the_extractor_is_answered_and_its_claims_are_in_the_text_or_its_step_says_why(address):
    extractor = server(address, "llm", max_tokens=80)
    with Gauge(scorer=None, claims=[extractor], judges=["exact"]) as gauge:
        (score,) = gauge.score([Trace("What is insulin?", TEXT)])
    for step in score.steps:
        for verdict in step.verdicts:
            assert verdict.error
            if verdict.judge != "llm":
                assert TEXT[verdict.claim.start : verdict.claim.end].strip()
