"""The engine's own door: any sets of weighted token sequences, against one plain forward pass per sequence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sweeps import sweep
from tiny_scorers import make_scorer
from transformers import AutoModelForCausalLM

from stepgauge.metrics.engine.scheduler import Limits, log_likelihoods, make_engine
from stepgauge.metrics.tokenization.spans import TokenSpan

TOLERANCE = 1e-3
LIMITS = {
    "whole": Limits(row=10**6, tile=10**6),
    "two phases": Limits(row=1, tile=64),
    "small pieces": Limits(row=1, tile=5, mask=12 * 200, logits=3 * 600),
}


@pytest.fixture
def model(tmp_path, tokenizers):
    return AutoModelForCausalLM.from_pretrained(make_scorer(tmp_path, "qwen2", tokenizers["qwen"]), dtype="float32")


def plain(model, span: TokenSpan) -> float:
    with torch.inference_mode():
        log_p = model(input_ids=torch.tensor(span.ids)[None]).logits[0].float().log_softmax(-1)
    weights = np.ones(len(span.ids)) if span.weights is None else span.weights
    scored = enumerate(range(span.start, len(span.ids)))
    return sum(float(weights[k]) * log_p[j - 1, span.ids[j]].item() for k, j in scored)


def chain(rng, steps: int, step: int = 9) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Token ids of a question, of steps and of a cue with an answer of four tokens."""
    draw = lambda n: rng.integers(3, 600, n)  # noqa: E731
    return draw(12), [draw(step) for _ in range(steps)], draw(7)


def joined(question, steps, end, **options) -> TokenSpan:
    ids = np.concatenate([question, *steps, end])
    return TokenSpan(ids, len(ids) - 4, **options)


def prefixes(rng) -> list[TokenSpan]:
    question, steps, end = chain(rng, 8)
    return [joined(question, steps[:i], end) for i in range(9)]


def leave_one_out(rng) -> list[TokenSpan]:
    """Each step left out once, and each such chain cut after every step: long branches with branches of their own."""
    question, steps, end = chain(rng, 6)
    chains = [steps, *(steps[:i] + steps[i + 1 :] for i in range(6))]
    return [joined(question, chain[:i], end) for chain in chains for i in range(len(chain) + 1)]


def weighted(rng) -> list[TokenSpan]:
    question, steps, end = chain(rng, 4)
    return [joined(question, steps[:i], end, weights=rng.normal(size=4)) for i in range(5)]


def nothing_shared(rng) -> list[TokenSpan]:
    return [TokenSpan(np.concatenate([[3 + i], rng.integers(3, 600, 20)]), 5) for i in range(6)]


def the_same_twice(rng) -> list[TokenSpan]:
    spans = prefixes(rng)
    return [*spans, *spans]


def two_tokens(rng) -> list[TokenSpan]:
    return [TokenSpan(rng.integers(3, 600, 2), 1)]


def on_trunks(rng) -> list[TokenSpan]:
    """Prefixes that leave one of two trunks, early or late, some of them along it or along the other."""
    question, steps, end = chain(rng, 6)
    first, second = np.concatenate([question, *steps]), np.concatenate([question, *steps[:2], *steps[4:]])
    spans = [
        TokenSpan(trunk, cut, None, cut, np.concatenate([trunk[cut : cut + more], tail]))
        for trunk in (first, second)
        for cut in (12, 30, 31, len(trunk))
        for more in (0, 2)
        for tail in (end, end[:1], end[::-1])
    ]
    along = TokenSpan(second, 32, None, 30, np.concatenate([first[30:40], end]))
    return [*spans, along, TokenSpan(first, 5), TokenSpan(first, 3, None, 20), TokenSpan(first, 2, None, 3, end)]


SETS = [prefixes, leave_one_out, weighted, nothing_shared, the_same_twice, two_tokens, on_trunks]


@pytest.mark.parametrize(
    ("make", "limits"),
    sweep(
        itertools.product(SETS, LIMITS),
        [*((make, "whole") for make in SETS), (leave_one_out, "two phases"), (leave_one_out, "small pieces")],
    ),
)
def test_any_set_of_sequences_gives_the_plain_numbers_and_computes_each_token_once(model, make, limits):
    rng = np.random.default_rng(0)
    groups = [make(rng), prefixes(rng)]
    engine = make_engine(model)
    engine.limits = LIMITS[limits]
    finished = []
    for spans, values in zip(groups, log_likelihoods(engine, groups, finished.append), strict=True):
        assert values == pytest.approx([plain(model, span) for span in spans], abs=TOLERANCE)
    assert sum(finished) == 2
    # One node per distinct beginning of what is fed in: all tokens but a sequence's last.
    distinct = [{tuple(span.ids[:n]) for span in spans for n in range(1, len(span.ids))} for spans in groups]
    assert engine.stats.unique_tokens == sum(map(len, distinct)) == engine.stats.computed_tokens
    assert engine.stats.sequence_tokens == sum(len(span.ids) for spans in groups for span in spans)


def test_leave_one_out_chains_share_what_comes_before_the_gap(model):
    spans = leave_one_out(np.random.default_rng(1))
    engine = make_engine(model)
    log_likelihoods(engine, [spans], lambda _: None)
    assert engine.stats.saved_ratio > 2


def test_no_pass_is_padded_beyond_its_share_whatever_the_lengths(model):
    rng = np.random.default_rng(0)
    groups = [[TokenSpan(rng.integers(3, 600, int(n)), int(n) - 2)] for n in rng.integers(4, 180, 60)]
    engine = make_engine(model)
    log_likelihoods(engine, groups, lambda _: None)
    assert engine.stats.padding_share <= 0.05
    assert engine.stats.passes < 60, "nothing was batched: the test shows nothing"


class Watched:
    """Stands in front of a model and notes the largest mask and the most logits of its passes."""

    def __init__(self, model) -> None:
        self.mask, self.logits, self.inner = 0, 0, model.forward
        model.forward = self

    def __call__(self, *args, **kwargs):
        mask = kwargs.get("attention_mask")
        self.mask = max(self.mask, 0 if mask is None else mask.numel())
        out = self.inner(*args, **kwargs)
        self.logits = max(self.logits, out.logits.numel())
        return out


def test_masks_and_logits_of_a_long_chain_stay_within_their_limits(model):
    rng = np.random.default_rng(0)
    question, steps, end = chain(rng, 30)
    spans = [joined(question, steps[:i], end) for i in range(31)]
    engine = make_engine(model, token_budget=64)
    engine.limits = Limits(row=64, tile=32, mask=32 * 400, logits=20 * 600)
    watched = Watched(model)
    values = log_likelihoods(engine, [spans], lambda _: None)[0]
    assert 0 < watched.mask <= engine.limits.mask
    assert 0 < watched.logits <= engine.limits.logits
    assert values[::10] == pytest.approx([plain(model, span) for span in spans[::10]], abs=TOLERANCE)
