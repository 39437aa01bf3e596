"""What a likelihood backend is asked about a chain: the texts that the template renders, with the chain held once."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from scripted_likelihoods import ScriptedBackend

from stepgauge.metrics import ChatTemplate, Gauge, PlainTemplate, Trace
from stepgauge.metrics.likelihood import Request, SpanScore
from stepgauge.metrics.plugins import registry

Messages = Sequence[dict[str, str]]


class Listening(ScriptedBackend):
    """Remembers what it is asked, and finds everything equally likely."""

    def __init__(self, render_chat: Callable[[Messages], str]) -> None:
        super().__init__(lambda *_: (-1.0, 1))
        self.render_chat = render_chat
        self.groups: list[Sequence[Request]] = []

    def score(self, groups, done):
        self.groups += groups
        done(len(groups))
        return [[SpanScore(-1.0, 1, 1)] * len(group) for group in groups]


def listening_gauge(render_chat: Callable[[Messages], str], **options) -> tuple[Gauge, Listening]:
    backend, backends = Listening(render_chat), registry().backends
    backends["listening"] = lambda *_, **__: backend
    try:
        return Gauge("listening", backend="listening", splitter="lines", progress=False, **options), backend
    finally:
        del backends["listening"]


def as_it_stands(messages: Messages) -> str:
    return "".join(f"<{message['role']}>{message['content']}" for message in messages)


def trimming(messages: Messages) -> str:
    return "".join(f"<{message['role']}>{message['content'].strip()}" for message in messages)


def without_thoughts(messages: Messages) -> str:
    return "".join(f"<{message['role']}>{message['content'].split('§')[-1]}" for message in messages)


def counting(messages: Messages) -> str:
    return f"({len(messages[-1]['content'])}) {messages[0]['content']} {messages[1]['content']}"


class Backwards(PlainTemplate):
    """Inherits how chains are written, and renders otherwise."""

    def render(self, question, steps, answer, render_chat):
        return super().render(question, list(reversed(steps)), answer, render_chat)


@dataclass(frozen=True)
class Bare:
    """What a plugin brings: a name and `render`."""

    name: str = "bare"

    def render(self, question, steps, answer, render_chat):
        del render_chat
        text = f"{question} [{len(steps)}] {' '.join(steps)} = "
        return Request(text + answer, len(text))


STEPS = ["She buys 3 boxes of 4.", "So 12 § in all.", "The answer is 12 pears.", "Let us check: 3 * 4 = 12.", "Yes."]
OPTIONS = ["12 pears", "12 apples", "Let us check: 3", "7"]
TRACE = Trace("How many pears does she have?", "\n".join(STEPS), "12 pears", OPTIONS)


@pytest.mark.parametrize("chat", [as_it_stands, trimming, without_thoughts, counting])
@pytest.mark.parametrize("template", [PlainTemplate(), ChatTemplate(), Backwards("backwards"), Bare()])
def test_every_prefix_is_asked_about_once_in_the_words_of_the_template(template, chat):
    gauge, backend = listening_gauge(chat, template=template)
    (score,) = gauge.score([TRACE])
    kept = [step.text for step in score.steps if step.kind != "final_answer"]
    assert len(kept) < len(STEPS), "no final answer in the middle: the test shows less than it should"
    expected = [
        template.render(TRACE.question, steps[:i], answer, chat)
        for steps, answers in ((STEPS, OPTIONS), (kept, OPTIONS[:1]))
        for i in range(len(steps) + 1)
        for answer in answers
    ]
    (group,) = backend.groups
    told = [(request.text, request.start, request.special_tokens) for request in group]
    assert set(told) == {(request.text, request.start, request.special_tokens) for request in expected}
    assert len(told) == len(set(told))
    assert [request.length for request in group] == [len(request.text) for request in group]


def test_published_figure_and_controls_ask_for_their_whole_texts():
    gauge, backend = listening_gauge(as_it_stands, variant="reference", controls=["filler", "shuffled"])
    gauge.score([TRACE])
    texts = {(request.text, request.start) for request in backend.groups[0]}
    for i in range(len(STEPS) + 1):
        assert ("\n".join([TRACE.question, *STEPS[:i]]) + " Answer: 12 pears", 0) in texts
    whole = [text for text, start in texts if start and text.count("\n") == len(STEPS) + 1]
    assert len({text.rpartition("\nAnswer: ")[0] for text in whole}) == 3, "the chain, filler lines and shuffled steps"


class Spaced(Bare):
    """Its prefixes begin alike, which only their texts tell."""

    def render(self, question, steps, answer, render_chat):
        del render_chat
        text = " ".join([question, *steps, "= "])
        return Request(text + answer, len(text))


@pytest.mark.parametrize("template", ["plain", "chat", Spaced()], ids=["plain", "chat", "spaced"])
def test_a_chains_requests_hold_its_text_once(template):
    lines = [f"Line {i} of the chain says that {i} and {i} make {2 * i}, as was to be shown." for i in range(300)]
    options = [f"{i} pears" for i in range(10)]
    gauge, backend = listening_gauge(as_it_stands, template=template)
    gauge.score([Trace("How many?", "\n".join(lines), options[3], options)])
    (group,) = backend.groups
    assert len(group) == 301 * 10
    written_out = sum(request.length for request in group)
    assert written_out > 30_000_000
    # A pickle holds each object once, as memory does.
    assert len(pickle.dumps(list(group))) < 600_000


@pytest.mark.slow
def test_three_thousand_steps_with_ten_options_are_scored():
    options = [f"{i} pears" for i in range(10)]
    response = "\n".join(
        f"Line {i} of the chain is about as long as steps are, which matters here." for i in range(3000)
    )
    gauge, backend = listening_gauge(as_it_stands, claims=[])
    (score,) = gauge.score([Trace("How many?", response, options[3], options)])
    assert len(score.log_likelihoods) == 3001
    assert not score.missing.get("infogain")
    assert len(backend.groups[0]) == 30_010


def test_a_chain_beyond_all_measure_is_refused_with_what_it_would_take():
    gauge, backend = listening_gauge(as_it_stands, claims=[], variant="reference")
    lines = "\n".join(f"Line {i} is one of many lines, all of which are long" + ", very long" * 30 for i in range(300))
    (score,) = gauge.score([Trace("How many?", lines, "3 pears")])
    assert backend.groups == [] or not backend.groups[0]
    assert "301 prefixes" in score.missing["infogain"]
