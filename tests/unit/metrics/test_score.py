"""A chain's score and its written form: what is read again equals what was written, missing numbers included."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_likelihoods import scripted_gauge

from stepgauge.metrics import ChainScore, Gauge, StepScore, Trace
from stepgauge.metrics.controls.other_chains import SourceChain
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.score import ControlScore


def same(one: object, other: object) -> bool:
    """Equal part by part, without the classes' own equality: nan is nan, and a list a tuple of the same."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def check(score: ChainScore) -> None:
    """From the dict, and from its JSON text, which is strict."""
    written = score.to_dict()
    for again in (
        ChainScore.from_dict(written),
        ChainScore.from_dict(json.loads(json.dumps(written, allow_nan=False))),
    ):
        assert again == score
        assert same(again, score)
        assert again.to_dict() == written


# --- made ones

numbers = st.floats(allow_infinity=False)
texts = st.text(max_size=8)
spans = st.integers(0, 99)
names = st.dictionaries(texts, numbers, max_size=4)


def some(strategy):
    """A list or a tuple, as the parts of a score may be either."""
    return st.lists(strategy, max_size=3) | st.lists(strategy, max_size=3).map(tuple)


claims = st.builds(Claim, texts, spans, spans, spans, texts, st.none() | texts)
passages = st.builds(Passage, texts, texts, texts, st.none() | st.floats(allow_nan=False, allow_infinity=False))
chance = st.none() | st.floats(0, 1)
verdicts = st.builds(
    Verdict,
    claims,
    st.sampled_from(["supported", "contradicted", "insufficient"]),
    texts,
    chance,
    some(passages),
    texts,
) | st.builds(Verdict, claims, st.none(), texts, chance, some(passages), texts, texts)
steps = st.builds(
    StepScore,
    texts,
    spans,
    spans,
    st.sampled_from(["reasoning", "final_answer"]),
    st.booleans(),
    numbers,
    numbers,
    numbers,
    st.none() | spans,
    numbers,
    numbers,
    some(verdicts),
)
controls = st.builds(
    ControlScore, some(texts), some(texts), numbers, numbers, some(st.builds(SourceChain, st.none() | texts, texts))
)
anything = st.none() | texts | spans | some(texts) | st.floats(allow_nan=False, allow_infinity=False)
scores = st.builds(
    ChainScore,
    st.none() | texts,
    texts,
    some(steps),
    some(numbers),
    st.none() | spans,
    names,
    st.dictionaries(texts, texts, max_size=3),
    some(texts),
    st.dictionaries(texts, anything, max_size=3),
    st.dictionaries(texts, controls, max_size=2),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scores)
def test_score_equals_what_is_read_from_its_written_form(score):
    check(score)


STEP = StepScore("One.", 0, 4, log_likelihood=-2.0, verdicts=(Verdict(Claim("c", 0, 0, 1, "w"), "supported", "j"),))
SCORE = ChainScore("id", "hash", [STEP], [-3.0, -2.0], 1, {"infogain": 0.5, "ki": math.nan}, {"ki": "none"})


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"log_likelihoods": [-3.0, math.nan]},
        {"metrics": {"infogain": 0.5, "ki": 0.0}},
        {"metrics": {"infogain": math.nan, "ki": math.nan}},
        {"steps": [dataclasses.replace(STEP, verdicts=())]},
        {"steps": [dataclasses.replace(STEP, gain=1.0)]},
        {"steps": []},
        {"controls": {"filler": ControlScore([], [])}},
    ],
)
def test_score_with_another_number_or_one_less_is_another(change):
    other = dataclasses.replace(SCORE, **change)
    assert other != SCORE
    assert ChainScore.from_dict(other.to_dict()) != ChainScore.from_dict(SCORE.to_dict())
    assert SCORE.to_dict() != SCORE


# --- real ones


def says(steps: Sequence[str], text: str) -> tuple[float, int]:
    return -9.0 / (1 + len(steps)) - len(text) / 7, len(text.split())


def test_scores_of_a_gauge_equal_what_is_read_again():
    lines = "Ann has 12 pens.\n3 * 5 = 15 pens more.\n12 + 15 = 26.\nThe answer is 27."
    traces = [
        Trace("How many pens?", lines, "27", id="pens"),
        Trace("How many pens?", lines, "27", ["26", "27"], id="choices"),
        Trace("How many pens?", "", "27", id="empty"),
        Trace("How many pens?", lines, id="no gold answer"),
        Trace("How many legs?", "Eight \ud800 legs.\n9**9**9 = 1", "eight", id="hostile"),
    ]
    found = scripted_gauge(says, controls=["filler", "foreign", "shuffled"], variant="reference").score(traces)
    assert any(step.verdicts for step in found[0].steps)
    assert found[0].controls["foreign"].chains
    assert all(math.isnan(value) for value in (found[2].infogain, found[3].infogain))
    for one in [*found, *Gauge(scorer=None).score(traces), *scripted_gauge(lambda *_: (math.nan, 1)).score(traces)]:
        check(one)
