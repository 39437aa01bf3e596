"""`InfoGainReward`, called as TRL's GRPOTrainer calls a reward function, against numbers worked out by hand."""

from __future__ import annotations

import logging
import math
import re

import pytest
from scripted_likelihoods import scripted_gauge

from stepgauge.adapters.trainer import InfoGainReward
from stepgauge.metrics import Gauge

# log p(gold | question, that many steps), and two tokens in the gold answer.
AFTER = (-5.0, -4.0, -4.5, -1.0, -0.5)
CHAIN = "We count the eggs.\nThen we count the boxes.\nNow we multiply.\nThe answer is 72."
PROMPT = "How many eggs are in 12 boxes of 6?"


def says(steps: list[str], _: str) -> tuple[float, int]:
    return AFTER[len(steps)], 2


def reward(**options) -> InfoGainReward:
    return InfoGainReward(scripted_gauge(says, claims=[], judges=[]), **options)


def asked(function, completions, prompts=None, answer="72", **columns):
    n = len(completions)
    extra = {"completion_ids": [[1]] * n, "trainer_state": object(), "log_extra": lambda *_: None}
    return function(prompts=prompts or [PROMPT] * n, completions=completions, answer=[answer] * n, **extra, **columns)


def test_it_is_the_gain_before_the_answer_is_stated():
    function = reward()
    assert function.__name__ == "infogain_nats_before_answer"
    assert asked(function, [CHAIN]) == [pytest.approx(4.0)], "-1.0 after three steps, -5.0 before the first"


def test_messages_give_what_their_texts_give():
    prompt = [{"role": "system", "content": "Think."}, {"role": "user", "content": PROMPT}]
    completion = [{"role": "assistant", "content": CHAIN}]
    seen = []

    def recording(steps, text):
        seen.append(steps)
        return says(steps, text)

    gauge = scripted_gauge(recording, claims=[], judges=[])
    assert asked(InfoGainReward(gauge), [completion], [prompt]) == [pytest.approx(4.0)]
    assert max(seen, key=len) == CHAIN.split("\n")


def test_the_question_is_the_data_sets_own_where_it_has_one():
    seen = []

    class Recorded(Gauge):
        def score(self, traces, **options):
            traces = list(traces)
            seen.extend(trace.question for trace in traces)
            return super().score(traces, **options)

    gauge = scripted_gauge(says, claims=[], judges=[])
    gauge.__class__ = Recorded
    few_shot = f"Question: 1 + 1?\nAnswer: 2\n\nQuestion: {PROMPT}\nAnswer:"
    assert asked(InfoGainReward(gauge), [CHAIN], [few_shot], question=[PROMPT]) == [pytest.approx(4.0)]
    asked(InfoGainReward(gauge), [CHAIN], [[{"role": "user", "content": "Other?"}, *_said("2"), *_user(PROMPT)]])
    assert seen == [PROMPT, PROMPT]


def _said(text):
    return [{"role": "assistant", "content": text}]


def _user(text):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"per": "step"}, 4.0 / 3),
        ({"per": "answer_token"}, 4.0 / 2),
        ({"per": "step_token"}, 4.0 / 12),  # the scripted LM's tokens are words, twelve in three steps
        ({"clip": 2.5}, 2.5),
        ({"epsilon": 4.0}, 0.0),
        ({"epsilon": 3.9}, 4.0),
    ],
)
def test_it_is_normalised_bounded_and_cut_off_as_asked(options, expected):
    assert asked(reward(**options), [CHAIN]) == [pytest.approx(expected)]


def test_a_missing_reward_is_none_and_its_share_is_logged(caplog):
    metrics = []
    completions = [CHAIN, "The answer is 72.", "", _said(CHAIN), 7]
    found = asked(reward(), completions, log_metric=lambda *given: metrics.append(given))
    assert found == [pytest.approx(4.0), None, None, pytest.approx(4.0), None]
    assert metrics == [("stepgauge/reward_missing", 3 / 5)]
    assert "the first step states the answer" in caplog.text
    caplog.clear()
    asked(reward_again := reward(), ["The answer is 72."])
    asked(reward_again, ["The answer is 72."])
    assert len(caplog.records) == 1, "a reason is told once, not at each step of a training"
    assert asked(reward(), [CHAIN], answer=None) == [None]


def test_a_backend_that_fails_leaves_the_completion_out(caplog):
    caplog.set_level(logging.CRITICAL)

    def fails(steps, text):
        if "We count the eggs." in steps:
            raise RuntimeError("out of memory")
        return says(steps, text)

    function = InfoGainReward(scripted_gauge(fails, claims=[], judges=[]))
    other = CHAIN.replace("We count the eggs.", "We look at the eggs.")
    assert asked(function, [CHAIN, other]) == [None, pytest.approx(4.0)]


def test_credit_by_steps_adds_up_to_the_reward():
    function = reward()
    credit = function.step_credit([PROMPT] * 2, [CHAIN, "The answer is 72."], answer=["72"] * 2)
    steps, nothing = credit
    assert nothing is None
    assert steps is not None
    assert [one.gain for one in steps] == pytest.approx([1.0, -0.5, 3.5])
    assert [CHAIN[one.start : one.end] for one in steps] == CHAIN.split("\n")[:3] == [one.text for one in steps]
    assert sum(one.gain for one in steps) == pytest.approx(asked(function, [CHAIN])[0])
    bounded = reward(epsilon=0.5, clip=2.0).step_credit([PROMPT], [CHAIN], answer=["72"])[0]
    assert [one.gain for one in bounded or ()] == pytest.approx([1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"per": "token"}, "step_token"),
        ({"epsilon": -1.0}, "epsilon -1.0"),
        ({"epsilon": "0.1"}, "epsilon '0.1': expected a number of nats"),
        ({"epsilon": True}, "epsilon True: expected a number of nats"),
        ({"clip": 0.1, "epsilon": 0.2}, "clip 0.1"),
        ({"clip": "3"}, "clip '3': expected a number of nats"),
        ({"clip": True}, "clip True: expected a number of nats"),
        ({"clip": math.nan}, "clip nan: expected a number of nats"),
        ({"gauge": Gauge(None)}, "no scoring LM"),
        ({"gauge": Gauge("smollm2"), "scorer": "smollm2"}, "the gauge has one"),
    ],
)
def test_an_option_that_cannot_be_is_named(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        InfoGainReward(**options)


def test_a_data_set_without_gold_answers_is_refused():
    with pytest.raises(ValueError, match="no column 'answer'"):
        reward()(prompts=[PROMPT], completions=[CHAIN], solution=["72"])


def test_a_column_of_another_length_is_named():
    with pytest.raises(ValueError, match=re.escape("the column 'answer' has 1 values for 2 completions")):
        reward()(prompts=[PROMPT, PROMPT], completions=[CHAIN, CHAIN], answer=["72"])
