"""Bad and hostile input: each gives one clear reason or error, and never a made-up number."""

from __future__ import annotations

import json
import math
import time

import pytest
from sweeps import sweep
from tiny_scorers import make_scorer

from stepgauge.metrics import ChainScore, Gauge, Trace
from stepgauge.metrics.knowledge.types import Passage, Verdict
from stepgauge.metrics.render import chain_table

QUESTION = "Natalia sold 48 clips in April and half as many in May. How many altogether?"
RESPONSE = "In May she sold 48 / 2 = 24 clips.\nAltogether she sold 48 + 24 = 72 clips."


@pytest.fixture(scope="module")
def gauge(tmp_path_factory, tokenizers):
    return Gauge(str(make_scorer(tmp_path_factory.mktemp("scorer"), "llama", tokenizers["qwen"])), device="cpu")


@pytest.mark.parametrize(
    ("response", "answer", "reason"),
    [
        ("", "72", "no steps in the response"),
        (" \n\t\u200b", "72", "no steps in the response"),
        ("\x00\x00", "72", "no steps in the response"),
        (RESPONSE, None, "no gold answer"),
        (RESPONSE, "", "no gold answer"),
        (RESPONSE, [" "], "no gold answer"),
        ("\n".join(f"Step {i}: {i} + 1 = {i + 1}" for i in range(300)), "72", "more than the scorer's context of 512"),
        ("word " * 20_000, "72", "more than the scorer's context of 512"),
        pytest.param(
            "word " * 200_000, "72", "more than the scorer's context of 512", marks=pytest.mark.slow, id="a megabyte"
        ),
        pytest.param(
            "\n".join(f"Step {i}: {i} + 1 = {i + 1}" for i in range(3000)),
            "72",
            "more than the scorer's context of 512",
            marks=pytest.mark.slow,
            id="3000 steps",
        ),
    ],
)
def test_chain_that_cannot_be_scored_is_missing_with_the_reason_and_its_neighbours_are_scored(
    gauge, response, answer, reason
):
    good = Trace(QUESTION, RESPONSE, "72")
    before, bad, after = gauge.score([good, Trace(QUESTION, response, answer), good])
    assert math.isnan(bad.infogain)
    assert reason in bad.missing["infogain"]
    for neighbour in (before, after):
        assert not math.isnan(neighbour.infogain)


@pytest.mark.parametrize(
    "response",
    [
        "48 + 24 = 72",
        "พฤษภาคมขายได้ 24\nمجموع ٧٢\n合計は72です。",
        "48 / 2 = 24\x00\n\x0048 + 24 = 72",
        "48 / 2 = 24 \ud800\n48 + 24 = 72 \udfff",
        "👩‍👩‍👧‍👦 48 / 2 = 24\n\u202e48 + 24 = 72",
        "<s>48 / 2</s> = 24\n<unk>",
    ],
)
def test_odd_text_is_scored_and_its_result_round_trips_through_json(gauge, response):
    score = gauge.score([Trace(QUESTION, response, "72")])[0]
    assert all(map(math.isfinite, score.log_likelihoods))
    assert [response[step.start : step.end] for step in score.steps] == [step.text for step in score.steps]
    text = json.dumps(score.to_dict(), allow_nan=False)
    restored = ChainScore.from_dict(json.loads(text))
    assert restored == score
    assert restored.metrics.keys() == score.metrics.keys()


def test_replaced_surrogates_are_noted(gauge):
    odd, plain = gauge.score([Trace(QUESTION, "48 + 24 = 72 \ud800", "72"), Trace(QUESTION, RESPONSE, "72")])
    assert odd.notes == ["lone surrogates in the response were read as U+FFFD"]
    assert plain.notes == []


def test_one_step_chain_has_one_gain(gauge):
    score = gauge.score([Trace(QUESTION, "48 + 24 = 72", "72")])[0]
    assert score.n_steps == 1
    assert score.steps[0].gain == pytest.approx(score.infogain_nats)


def test_an_exponent_bomb_is_uncheckable_with_its_reason_and_costs_no_time():
    started = time.perf_counter()
    score = Gauge(scorer=None).score([Trace(QUESTION, "9**9**9 = 1\n48 + 24 = 72", "72")])[0]
    assert time.perf_counter() - started < 5
    verdict = score.steps[0].verdicts[0]
    assert verdict.label == "insufficient"
    assert verdict.reason.startswith("not evaluable: exponent")
    assert score.ki == 1.0
    assert score.metrics["ki_coverage"] == 0.5
    assert score.metrics["n_failed"] == 0


def test_a_word_of_other_arithmetic_silences_no_chain():
    chains = [
        Trace("Area?", f"A triangle with {word} 10 and height 4.\n10 * 4 = 40.\n40 / 2 = 25.", "20")
        for word in ("base", "side")
    ]
    assert [score.ki for score in Gauge(scorer=None).score(chains)] == [0.5, 0.5]


def test_a_chain_that_rests_on_equations_says_arithmetic_only():
    class Reader:
        name = "reader"
        kinds = frozenset({"sentence"})
        needs_evidence = False

        def judge(self, claims, evidence):  # noqa: ARG002
            return [Verdict(claim, "supported", self.name, evidence=[Passage("p", "Iron.")]) for claim in claims]

    equations, nobody_read, both = (
        Gauge(scorer=None, claims=claims, judges=judges).score(
            [Trace(QUESTION, "48 + 24 = 72. Iron is a metal.", "72")]
        )[0]
        for claims, judges in (
            (["arithmetic"], ["exact"]),
            (["arithmetic", "sentence"], ["exact"]),
            (["arithmetic", "sentence"], ["exact", Reader()]),
        )
    )
    assert "ki 1.000 (arithmetic only)" in chain_table(equations)
    assert "ki 1.000 (arithmetic only)" in chain_table(nobody_read)
    assert "ki 1.000  " in chain_table(both)
    assert "arithmetic only" not in chain_table(both)


@pytest.mark.parametrize("steps", sweep([500, 3000], [500]))
def test_thousands_of_steps_without_a_scorer_end_in_seconds(steps):
    response = "\n".join(f"Step {i}: {i} + 1 = {i + 1}" for i in range(steps))
    started = time.perf_counter()
    score = Gauge(scorer=None).score([Trace(QUESTION, response, "72")])[0]
    assert time.perf_counter() - started < steps / 150
    assert (score.n_steps, score.ki) == (steps, 1.0)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"response": None}, TypeError, "trace 'row 7', field 'response': expected text, got None"),
        ({"question": 3}, TypeError, "field 'question': expected text, got 3"),
        ({"answer": 72}, TypeError, "field 'answer': expected a list of texts, got 72"),
        ({"choices": ["72"]}, ValueError, "field 'choices': expected two or more options, got 1"),
        ({"choices": ["1", "2"]}, ValueError, "field 'answer': '72' is not one of the choices"),
        ({"choices": "ab"}, TypeError, "field 'choices': expected a list of texts"),
    ],
)
def test_trace_of_the_wrong_form_is_refused_naming_trace_and_field(fields, error, message):
    with pytest.raises(error) as raised:
        Trace(**{"question": QUESTION, "response": RESPONSE, "answer": "72", "id": "row 7", **fields})
    assert message in str(raised.value)
    assert "'row 7'" in str(raised.value)


def test_trace_round_trips_and_names_an_unknown_field():
    trace = Trace(QUESTION, RESPONSE, ["72", "seventy-two"], id="x", meta={"subject": "math"})
    assert Trace.from_dict(json.loads(json.dumps(trace.to_dict()))) == trace
    with pytest.raises(ValueError, match="unknown field 'anser'"):
        Trace.from_dict({"question": "q", "response": "r", "anser": "72"})


def test_something_else_than_a_trace_is_refused_with_its_place():
    with pytest.raises(TypeError, match=r"traces\[1\]: expected a Trace, got dict"):
        Gauge(scorer=None).score([Trace("q", "r"), {"question": "q"}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splitter": "lnes"}, "unknown splitter 'lnes'; did you mean 'lines'?"),
        ({"judges": ["exat"]}, "unknown judge 'exat'; did you mean 'exact'?"),
        ({"claims": ["arithmetics"]}, "did you mean 'arithmetic'?"),
        ({"variant": "referense"}, "did you mean 'reference'?"),
        ({"template": "plane"}, "did you mean 'plain'?"),
        ({"backend": "vlm"}, "unknown likelihood backend 'vlm'; did you mean 'vllm'"),
        ({"retriever": "bm26"}, "unknown retriever 'bm26'"),
        ({"judges": "exact"}, "judges 'exact': expected a list of names"),
        ({"epsilon": -1}, "epsilon -1: expected a number of nats"),
        ({"epsilon": math.nan}, "epsilon nan: expected a number of nats"),
        ({"epsilon": True}, "epsilon True: expected a number of nats"),
        ({"epsilon": "0.1"}, "epsilon '0.1': expected a number of nats"),
        ({"epsilon": 10**400}, "expected a number of nats"),
    ],
)
def test_wrong_option_is_refused_when_the_gauge_is_made(options, message):
    with pytest.raises(ValueError, match=r"unknown|expected") as raised:
        Gauge(**options)
    assert message in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("steps", sweep([2_000, 16_000], [2_000]))
def test_repeated_long_input_does_not_grow_quadratically(steps):
    """Four times the steps must cost far less than sixteen times as much in everything but the model."""

    def seconds(steps: int) -> float:
        response = "\n".join(f"Then {i} + 1 = {i + 1}." for i in range(steps))
        started = time.process_time()
        Gauge(scorer=None).score([Trace(QUESTION, response, "72")])
        return time.process_time() - started

    seconds(100)
    assert seconds(steps) < 8 * seconds(steps // 4) + 1
