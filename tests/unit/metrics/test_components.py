"""Claim extractors, judges and retrievers of a gauge: by name, with options, as objects; what `close` frees."""

from __future__ import annotations

import dataclasses

import pytest

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.knowledge.base import ClaimExtractor
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.plugins import registry


class Seeing:
    """A judge that says what it was shown."""

    name = "seeing"
    kinds = frozenset({"sentence"})
    needs_evidence = False
    needs_traces = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.closed = 0

    def judge(self, claims, evidence, traces):
        assert len(claims) == len(evidence) == len(traces)
        self.seen += [(claim.text, trace.question) for claim, trace in zip(claims, traces, strict=True)]
        return [Verdict(claim, "supported", self.name) for claim in claims]

    def close(self) -> None:
        self.closed += 1


def words(traces, steps):  # noqa: ARG001
    return [
        [
            Claim(word, i, step.start, step.end, "sentence")
            for i, step in enumerate(own)
            for word in step.text.split()
            if word != "skip"
        ]
        for own in steps
    ]


WORDS = ClaimExtractor("words", words)


def test_a_judge_that_asks_for_traces_gets_the_trace_of_each_claim():
    judge = Seeing()
    gauge = Gauge(scorer=None, claims=[WORDS], judges=[judge], splitter="lines")
    scores = gauge.score([Trace("first", "a b\nc"), Trace("second", "skip"), Trace("third", "d")])
    assert judge.seen == [("a", "first"), ("b", "first"), ("c", "first"), ("d", "third")]
    assert [score.metrics["n_failed"] for score in scores] == [0, 0, 0]
    assert scores[0].provenance["judges"] == ["seeing"]
    assert scores[0].provenance["claims"] == ["words"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"claims": ["sentense"]}, "unknown claim extractor 'sentense'; did you mean 'sentence'"),
        ({"claims": [{"name": "sentence", "depth": 2}]}, "claim extractor 'sentence': unknown option 'depth'"),
        ({"claims": [3]}, "claim extractor 3: expected a name, options with a 'name', or an object that is one"),
        ({"judges": [object()]}, "expected a name, options with a 'name', or an object that is one"),
        ({"judges": [{"model": "x"}]}, "expected a name, or options with a 'name'"),
        ({"retriever": Seeing()}, "retriever .*expected a name, options with a 'name', or an object that is one"),
    ],
)
def test_a_part_that_is_none_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Gauge(scorer=None, **options)


class Misspelt:
    """A judge, backend or factory, once the methods that a test gives it are added."""

    name = "misspelt"
    kinds = None
    needs_evidence = False


def with_methods(*names: str, **values: object) -> Misspelt:
    methods = dict.fromkeys(names, lambda _, claims=(), *__: [None] * len(claims))
    return type("Part", (Misspelt,), {**methods, **values})()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (with_methods("judgee"), r"it has 'judgee'; did you mean 'judge'\?"),
        (with_methods("judge", "clsoe"), r"it has 'clsoe'; did you mean 'close'\?"),
        (with_methods("judge", needs_trace=True), r"it has 'needs_trace'; did you mean 'needs_traces'\?"),
        (with_methods("judge", label={"supported"}), r"it has 'label'; did you mean 'labels'\?"),
        (with_methods("judge", "descirbe"), r"it has 'descirbe'; did you mean 'describe'\?"),
        (with_methods("judge", name=3), "its name is 3"),
        (with_methods("judge", name="none"), "its name is 'none', which stands for no judge"),
        (with_methods("judge", kinds="sentence"), "its kinds are 'sentence', expected a set of texts or None"),
        (with_methods("judge", kinds=[3]), r"its kinds are \[3\], expected a set of texts or None"),
        (with_methods("judge", judge="no method"), "it has no 'judge'"),
    ],
)
def test_a_misspelt_method_of_a_judge_is_named_with_the_one_that_was_meant(monkeypatch, part, message):
    import stepgauge.metrics.gauge as module

    with pytest.raises(ValueError, match=message):
        Gauge(scorer=None, judges=[part])
    fitted = dataclasses.replace(module.registry(), judges={"of-a-plugin": lambda _: part})
    monkeypatch.setattr(module, "registry", lambda: fitted)
    with pytest.raises(ValueError, match=f"judge 'of-a-plugin': {message}"):
        Gauge(scorer=None, judges=["of-a-plugin"])


@pytest.mark.parametrize(
    "part",
    [
        with_methods("judge", "judges", "closing", "totals"),
        with_methods("judge", "close", "closed"),
        with_methods("judge", closed=False),  # no method: it tells whether the judge is closed
        with_methods("judge", closed=property(lambda self: 1 / 0)),  # nobody asked for it  # noqa: ARG005
        with_methods("judge", label="supported"),  # its own, and no set of labels
        with_methods("judge", label=property(lambda self: 1 / 0)),  # noqa: ARG005
        with_methods("judge", needs_trace="always"),
        with_methods("judge", "clone", "close_all", "describe_run", "disclose", "label_set", "statistics"),
    ],
)
def test_further_methods_of_a_judges_own_are_its_own_affair(part):
    assert Gauge(scorer=None, judges=[part]).score([Trace("q", "1 + 1 = 2")])


BACKEND = ("score", "too_long", "render_chat", "describe", "close")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ((*BACKEND[1:], "scores"), "likelihood backend 'own': it has 'scores'; did you mean 'score'"),
        ((*BACKEND, "statistic"), "likelihood backend 'own': it has 'statistic'; did you mean 'statistics'"),
        ((*BACKEND, "generates_json"), "it has 'generates_json'; did you mean 'generate_json'"),
    ],
)
def test_a_misspelt_method_of_a_likelihood_backend_is_named(monkeypatch, methods, message):
    import stepgauge.metrics.gauge as module

    fitted = dataclasses.replace(module.registry(), backends={"own": lambda *_, **__: with_methods(*methods)})
    monkeypatch.setattr(module, "registry", lambda: fitted)
    gauge = Gauge("any", backend="own")
    with pytest.raises(ValueError, match=message):
        _ = gauge.backend


def test_a_misspelt_method_of_a_backends_factory_is_named_when_the_gauge_is_made(monkeypatch):
    import stepgauge.metrics.gauge as module

    factory = with_methods("__call__", "fited_on")
    monkeypatch.setattr(module, "registry", lambda: dataclasses.replace(registry(), backends={"own": factory}))
    with pytest.raises(ValueError, match="likelihood backend 'own': it has 'fited_on'; did you mean 'fitted_on'"):
        Gauge("any", backend="own")


def test_a_part_that_wraps_another_can_what_the_other_can():
    class Wrapped:
        def __init__(self, inner: Seeing) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

    inner = Seeing()
    gauge = Gauge(scorer=None, claims=[WORDS], judges=[Wrapped(inner)], splitter="lines")  # type: ignore[list-item]
    gauge.score([Trace("first", "a")])
    assert inner.seen == [("a", "first")]


def test_close_frees_what_the_gauge_made_and_leaves_what_it_was_given(monkeypatch):
    import stepgauge.metrics.gauge as module

    made: list[Seeing] = []

    def make(_, *, flavour="plain"):
        made.append(Seeing())
        made[-1].name = flavour
        return made[-1]

    closed = []
    extractor = dataclasses.replace(WORDS, close=lambda: closed.append("extractor"))
    known = module.registry()
    fitted = dataclasses.replace(
        known,
        judges={**known.judges, "seeing": make},
        extractors={**known.extractors, "words": lambda _: extractor},
    )
    monkeypatch.setattr(module, "registry", lambda: fitted)
    given = Seeing()
    trace = Trace("q", "a")
    with Gauge(scorer=None, claims=["words"], judges=[{"name": "seeing", "flavour": "own"}, given]) as gauge:
        assert gauge.score([trace])[0].ki == 1
        gauge.close()
        gauge.close()
        assert (len(made), made[0].closed, given.closed, closed) == (1, 1, 0, ["extractor"])
        assert gauge.score([trace])[0].provenance["judges"] == ["own", "seeing"]
        assert (len(made), made[1].closed) == (2, 0)
    assert (made[1].closed, given.closed) == (1, 0)


def test_a_retriever_may_be_an_object():
    class Shelf:
        name = "shelf"

        def retrieve(self, claims, traces):  # noqa: ARG002
            return [[Passage("p", "text")] for _ in claims]

    class Reader(Seeing):
        needs_evidence = True

    judge = Reader()
    (score,) = Gauge(scorer=None, claims=[WORDS], judges=[judge], retriever=Shelf()).score([Trace("q", "a")])
    assert judge.seen == [("a", "q")]
    assert score.provenance["retriever"] == "shelf"
