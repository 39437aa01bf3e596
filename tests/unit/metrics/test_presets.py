"""The preset `paper`, its policy and its judge, on a scripted server."""

from __future__ import annotations

import inspect
import json
import math

import pytest
from chat_server import Answer, ChatServer, quoted, verdict

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.conclusion import Conclusion
from stepgauge.metrics.presets import preset_options, without_preset

DEFAULTS = {name: one.default for name, one in inspect.signature(Gauge).parameters.items()}
RESPONSE = "Let us begin. Vitamin D raises calcium. Vitamin C raises calcium. So it is D."
PASSAGES = {"passages": [{"id": "b1", "text": "Vitamin D raises the absorption of calcium."}]}


def answer(request) -> Answer:
    shown = quoted(request)
    if "pieces" in shown:
        return Answer(json.dumps({"begins": [piece["n"] for piece in shown["pieces"]]}))
    if "step" in shown:
        step = shown["step"].strip()
        return Answer(json.dumps({"claims": [{"claim": step, "query": step}] if "calcium" in step else []}))
    return verdict("supported" if "Vitamin D" in shown["claim"] else "contradicted", 0.5)


def paper(server: ChatServer, response: str = RESPONSE, **options):
    endpoint = {"base_url": server.base_url, "model": "m", "cache": "off", "max_retries": 0}
    # Passages that come with the question, so that the test needs no encoder.
    options = {"scorer": None, "preset": "paper", "endpoint": endpoint, "retriever": "given", **options}
    with Gauge(**options, progress=False) as gauge:
        (score,) = gauge.score([Trace("Which?", response, "D", meta=PASSAGES)])
    return score


def test_ki_is_the_share_of_steps_that_are_not_judged_wrong():
    with ChatServer(answer) as server:
        score = paper(server)
    assert [step.text for step in score.steps] == [
        "Let us begin.",
        "Vitamin D raises calcium.",
        "Vitamin C raises calcium.",
        "So it is D.",
    ]
    assert [verdict.label for step in score.steps for verdict in step.verdicts] == ["supported", "contradicted"]
    assert score.metrics["ki"] == score.metrics["ki_paper"] == 3 / 4
    assert score.metrics["ki_coverage"] == 1 / 2
    assert score.provenance["policy"] == "paper"


def test_under_the_default_policy_the_same_verdicts_speak_for_half_of_the_steps():
    with ChatServer(answer) as server:
        score = paper(server, policy="strict")  # what is given besides stays
    assert score.metrics["ki"] == 1 / 2
    assert score.metrics["ki_coverage"] == 1 / 2
    assert score.metrics["ki_paper"] == 3 / 4


def test_the_judge_is_asked_for_one_of_two_and_a_third_is_no_verdict():
    def third(request):
        return verdict("insufficient") if "claim" in quoted(request) else answer(request)

    with ChatServer(third) as server:
        score = paper(server)
    asked = [request for request in server.requests if "claim" in quoted(request)]
    schema = asked[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["supported", "contradicted"]
    assert "no third" in asked[0]["messages"][0]["content"]
    assert [verdict.label for step in score.steps for verdict in step.verdicts] == [None, None]
    assert "neither supported nor contradicted" in score.steps[1].verdicts[0].error
    assert math.isnan(score.metrics["ki"])


def test_a_judge_that_fails_is_neither_right_nor_wrong():
    def down(request):
        return Answer(status=500, body=b"{}") if "claim" in quoted(request) else answer(request)

    with ChatServer(down) as server:
        score = paper(server)
    assert math.isnan(score.metrics["ki"])
    assert "2 of 4 steps could not be judged" in score.missing["ki"]


def test_a_chain_without_knowledge_counts_as_right():
    with ChatServer(answer) as server:
        score = paper(server, "Let us begin. So it is D.")
    assert score.metrics["ki"] == 1
    assert score.metrics["ki_coverage"] == 0
    conclusion = Conclusion()
    conclusion.add(score, question="q", accuracy=None)
    text = " ".join(conclusion.sentences())
    assert "On average 100% of a chain's steps hold, with what cannot be checked counted as right; 0% of" in text
    assert "checkable steps hold" not in text


def test_the_preset_written_out_is_what_the_gauge_uses():
    endpoint = {"base_url": "http://localhost:1/v1", "model": "m", "temperature": None}
    written = without_preset({"preset": "paper", "endpoint": endpoint, "splitter": "lines"}, DEFAULTS)
    assert written == {
        "splitter": "lines",
        "claims": [{"name": "llm", "max_claims": 1, **endpoint}],
        "judges": [{"name": "openai", "two_way": True, **endpoint}],
        "retriever": {"name": "dense", "floor": -1},
        "policy": "paper",
    }
    assert without_preset({"splitter": "lines"}, DEFAULTS) == {"splitter": "lines"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "papre"}, "unknown preset 'papre'.* 'paper'"),
        ({"preset": 3}, "preset 3: expected a name"),
        ({"preset": "paper"}, "endpoint None: expected the server .* nothing is sent anywhere else"),
        ({"preset": "paper", "endpoint": {"base_url": "http://localhost:1/v1"}}, "expected the server"),
        ({"endpoint": {"base_url": "http://localhost:1/v1", "model": "m"}}, "only a preset asks it"),
        (
            {"preset": "paper", "endpoint": {"base_url": "http://localhost:1/v1", "model": "m", "modle": 1}},
            "unknown option 'modle'",
        ),
    ],
)
def test_a_wrong_preset_is_named(given, said):
    with pytest.raises(ValueError, match=said):
        Gauge(scorer=None, **given)


def test_nothing_is_chosen_without_a_preset():
    assert preset_options(None, None, DEFAULTS, DEFAULTS) == {}
