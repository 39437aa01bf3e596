"""A gauge pickles as its options, into other processes too; an option that does not pickle is named."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest
from tiny_scorers import make_scorer

from stepgauge.metrics import ChainScore, Gauge, PlainTemplate, Trace
from stepgauge.metrics.knowledge.types import Claim

CHAIN = Trace("How many clips?", "48 / 2 = 24\n24 + 1 = 26", "25", id="clips")


@pytest.fixture(scope="module")
def gauge(tmp_path_factory, tokenizers) -> Gauge:
    """Options of every kind, none of them the default."""
    return Gauge(
        str(make_scorer(tmp_path_factory.mktemp("scorer"), "llama", tokenizers["qwen"])),
        "cpu",
        "float32",
        512,
        splitter="lines",
        template=PlainTemplate(cue="\nSo: "),
        variant="reference",
        controls=["filler"],
        claims=["arithmetic", {"name": "sentence"}],
        policy="strict",
        epsilon=0.1,
        progress=False,
    )


def score_clips(gauge: Gauge) -> ChainScore:
    return gauge.score([CHAIN])[0]


@pytest.mark.slow
def test_pickled_gauge_scores_alike_in_a_spawned_process(gauge):
    here = score_clips(gauge)  # its scoring LM is loaded now, and stays behind
    assert here.infogain_nats == here.infogain_nats, "a number, not nan"
    assert len(pickle.dumps(gauge)) < 2000
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        (there,) = pool.submit(gauge.score, [CHAIN]).result()
    assert there.to_dict() == here.to_dict()


def test_copy_of_a_gauge_is_a_gauge_of_its_own(gauge):
    here = score_clips(gauge)
    with copy.deepcopy(gauge) as other:
        assert score_clips(other).to_dict() == here.to_dict()
        assert other.backend is not gauge.backend
    assert score_clips(gauge).to_dict() == here.to_dict()


class ClosedJudge:
    name = "closed"
    kinds = None
    needs_evidence = False

    def __reduce__(self):
        raise RuntimeError("holds an open connection")

    def judge(self, claims: list[Claim], *_: object) -> list[None]:
        return [None for _ in claims]


class OpenJudge(ClosedJudge):
    name = "open"

    def __reduce__(self):
        return OpenJudge, ()


def test_part_that_pickles_travels_as_it_is():
    again = pickle.loads(pickle.dumps(Gauge(None, judges=["exact", OpenJudge()])))
    assert again.score([CHAIN])[0].provenance["judges"] == ["exact", "open"]


def test_part_that_does_not_pickle_is_named():
    with pytest.raises(TypeError) as error:
        pickle.dumps(Gauge(None, judges=["exact", ClosedJudge()]))
    assert "this Gauge does not pickle, since judges[1] does not: <" in str(error.value)
    assert "ClosedJudge" in str(error.value)
    assert "(RuntimeError: holds an open connection)" in str(error.value)
    assert "give its name" in str(error.value)


def test_option_that_does_not_pickle_is_named():
    class LocalTemplate(PlainTemplate):
        pass

    with pytest.raises(TypeError, match=r"since template does not: .*LocalTemplate"):
        pickle.dumps(Gauge(None, template=LocalTemplate()))
