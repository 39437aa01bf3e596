"""Methods to compute the same log-likelihoods, from the published one to ours, and a floor for the cost of any of them.

Each takes the requests of some chains and returns their log-likelihoods in nats, one list per chain. All but ours
tokenize each text in full; for all of them tokenizing is part of the measured time. The floor takes token counts and
computes nothing useful.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import DynamicCache

from stepgauge.metrics.engine.forward import cache_argument
from stepgauge.metrics.likelihood import Request, Unscored
from stepgauge.metrics.tokenization.spans import TokenSpan

from .tokens import Counts, common_prefix, in_depth_first_order, token_spans

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from stepgauge.metrics.likelihood import LikelihoodBackend

Groups = Sequence[Sequence[Request]]
Values = list[list[float]]


def published(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, groups: Groups) -> Values:
    """One forward pass per prefix, with logits of all positions over the whole vocabulary; only answer tokens count."""

    def value(span: TokenSpan) -> float:
        ids = torch.from_numpy(span.ids).to(model.device)
        log_p = torch.log_softmax(model(input_ids=ids[None], use_cache=False).logits[0].float(), dim=-1)
        return log_p[span.start - 1 : -1].gather(-1, ids[span.start :, None]).sum(dtype=torch.float64).item()

    with torch.inference_mode():
        return [[value(span) for span in token_spans(tokenizer, requests)] for requests in groups]


def batched(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, groups: Groups, budget: int) -> Values:
    """All prefixes of all chains, sorted by length and padded on the right, up to `budget` tokens per pass.

    Right padding needs no mask under causal attention. Hidden states are gathered at the answers before the output
    layer, so that no other position's logits are computed.
    """
    spans = [span for requests in groups for span in token_spans(tokenizer, requests)]
    out = [0.0] * len(spans)
    with torch.inference_mode():
        for batch in batches([len(span.ids) - 1 for span in spans], budget):
            for i, value in zip(batch, _padded_pass(model, [spans[i] for i in batch]), strict=True):
                out[i] = value
    return in_groups(out, groups)


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Batches of indices, longest first, with rows times longest row within `budget`; at least one index per batch."""
    out: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if out and (len(out[-1]) + 1) * lengths[out[-1][0]] <= budget:
            out[-1].append(i)
        else:
            out.append([i])
    return out


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """(rows, longest length) token ids, shorter rows padded on the right."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    return ids


def _padded_pass(model: PreTrainedModel, spans: Sequence[TokenSpan]) -> list[float]:
    rows = np.repeat(np.arange(len(spans)), [len(span.ids) - span.start for span in spans])
    places = np.concatenate([np.arange(span.start - 1, len(span.ids) - 1) for span in spans])
    targets = torch.from_numpy(np.concatenate([span.ids[span.start :] for span in spans])).to(model.device)
    ids = torch.from_numpy(padded([span.ids[:-1] for span in spans])).to(model.device)
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    head: Any = model.get_output_embeddings()
    logits = head(hidden[torch.from_numpy(rows), torch.from_numpy(places)])
    log_p = torch.log_softmax(logits.float(), dim=-1).gather(-1, targets[:, None])[:, 0].double()
    return np.bincount(rows, weights=log_p.cpu().numpy()).tolist()


def cached(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, groups: Groups) -> Values:
    """One sequence after the other with one KV cache, which is cropped to what the next sequence shares with it.

    In depth-first order no token is computed twice, except one that ends one context and lies inside another.
    """
    return [_cached_chain(model, token_spans(tokenizer, requests)) for requests in groups]


@torch.inference_mode()
def _cached_chain(model: PreTrainedModel, spans: Sequence[TokenSpan]) -> list[float]:
    cache, held = DynamicCache(), np.zeros(0, dtype=np.int64)
    out = [0.0] * len(spans)
    for i in in_depth_first_order(spans):
        span = spans[i]
        # If the cache holds the token before the answer, compute it again: its logits were not kept.
        shared = min(common_prefix(held, span.ids[:-1]), span.start - 1)
        if shared < len(held):
            cache.crop(shared - len(held))
        held = span.ids[:-1]
        wanted = len(span.ids) - span.start
        fed = torch.from_numpy(held[shared:]).to(model.device)
        targets = torch.from_numpy(span.ids[span.start :]).to(model.device)
        kept = {cache_argument(type(model)): cache}
        logits = model(input_ids=fed[None], use_cache=True, logits_to_keep=wanted, **kept).logits[0]
        log_p = torch.log_softmax(logits[-wanted:].float(), dim=-1).gather(-1, targets[:, None])
        out[i] = log_p.sum(dtype=torch.float64).item()
    return out


def ours(backend: LikelihoodBackend, groups: Groups) -> Values:
    """The backend's `score`, as `Gauge.score` calls it, tokenizing included."""
    out = []
    for result in backend.score(groups, lambda _: None):
        if isinstance(result, Unscored):
            raise ValueError(f"a chain could not be scored: {result.reason}")
        out.append([score.log_likelihood for score in result])
    return out


@torch.inference_mode()
def floor_by_chain(model: PreTrainedModel, chains: Sequence[Counts]) -> None:
    """One causal pass per chain over as many tokens as it has unique ones: no mask, padding or cache.

    Logits are computed at as many positions as the chain's answers need, and discarded.
    """
    for chain in chains:
        _row_pass(model, 1, chain.unique, chain.predicting)


@torch.inference_mode()
def floor_in_batches(model: PreTrainedModel, chains: Sequence[Counts], budget: int) -> None:
    """The same number of tokens in batches: chains of similar length are made equally long and need no padding."""
    for batch in batches([chain.unique for chain in chains], budget):
        unique, predicting = (sum(getattr(chains[i], name) for i in batch) for name in ("unique", "predicting"))
        _row_pass(model, len(batch), unique // len(batch), max(1, predicting // len(batch)))


def _row_pass(model: PreTrainedModel, rows: int, length: int, keep: int) -> None:
    vocabulary = model.config.get_text_config().vocab_size
    ids = torch.arange(rows * length, device=model.device).remainder(vocabulary).view(rows, length)
    model(input_ids=ids, use_cache=False, logits_to_keep=keep)


def in_groups(values: Sequence[float], groups: Groups) -> Values:
    """Split a flat list into lists of the groups' lengths."""
    rest = iter(values)
    return [[next(rest) for _ in requests] for requests in groups]
