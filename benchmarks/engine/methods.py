"""Ways to the same log-likelihoods, from the published one to ours, and the least that any of them can cost.

Each takes the requests of some chains and returns their log-likelihoods in nats, a list a chain. All but ours tokenize
each text whole, and all of them do so on the clock. The floor takes counts: it computes nothing of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import DynamicCache

from stepgauge.metrics.likelihood import Request, Unscored
from stepgauge.metrics.tokenization.spans import TokenSpan

from .tokens import Counts, common_prefix, in_depth_first_order, token_spans

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from stepgauge.metrics.likelihood import LikelihoodBackend

Groups = Sequence[Sequence[Request]]
Values = list[list[float]]


def published(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, groups: Groups) -> Values:
    """One forward pass per prefix, logits of all positions over the whole vocabulary; the answer's tokens count."""

    def value(span: TokenSpan) -> float:
        ids = torch.from_numpy(span.ids).to(model.device)
        log_p = torch.log_softmax(model(input_ids=ids[None], use_cache=False).logits[0].float(), dim=-1)
        return log_p[span.start - 1 : -1].gather(-1, ids[span.start :, None]).sum(dtype=torch.float64).item()

    with torch.inference_mode():
        return [[value(span) for span in token_spans(tokenizer, requests)] for requests in groups]


def batched(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, groups: Groups, budget: int) -> Values:
    """All prefixes of all chains sorted by length, padded on the right, up to `budget` tokens a pass.

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
    """Indices, the longest first, cut so that rows times the longest row is within `budget`; at least one a batch."""
    out: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if out and (len(out[-1]) + 1) * lengths[out[-1][0]] <= budget:
            out[-1].append(i)
        else:
            out.append([i])
    return out


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """(rows, length of the longest) token ids, the shorter ones filled up on the right."""
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
    """One sequence after the other against one KV cache, cut back to what the next one shares with it.

    Depth-first order: no token is computed twice, but for one that both ends a context and stands within another's.
    """
    return [_cached_chain(model, token_spans(tokenizer, requests)) for requests in groups]


@torch.inference_mode()
def _cached_chain(model: PreTrainedModel, spans: Sequence[TokenSpan]) -> list[float]:
    cache, held = DynamicCache(), np.zeros(0, dtype=np.int64)
    out = [0.0] * len(spans)
    for i in in_depth_first_order(spans):
        span = spans[i]
        # The token before the answer goes through again where it is held: its logits are not.
        shared = min(common_prefix(held, span.ids[:-1]), span.start - 1)
        if shared < len(held):
            cache.crop(shared - len(held))
        held = span.ids[:-1]
        wanted = len(span.ids) - span.start
        fed = torch.from_numpy(held[shared:]).to(model.device)
        targets = torch.from_numpy(span.ids[span.start :]).to(model.device)
        logits = model(input_ids=fed[None], past_key_values=cache, use_cache=True, logits_to_keep=wanted).logits[0]
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
    """For each chain one causal pass over a row of as many tokens as it has unique ones: no mask, padding or cache.

    Logits are computed at as many positions as the chain's answers need, and not looked at.
    """
    for chain in chains:
        _row_pass(model, 1, chain.unique, chain.predicting)


@torch.inference_mode()
def floor_in_batches(model: PreTrainedModel, chains: Sequence[Counts], budget: int) -> None:
    """The same number of tokens, chains of like length together and made even, so that batches need no padding."""
    for batch in batches([chain.unique for chain in chains], budget):
        unique, predicting = (sum(getattr(chains[i], name) for i in batch) for name in ("unique", "predicting"))
        _row_pass(model, len(batch), unique // len(batch), max(1, predicting // len(batch)))


def _row_pass(model: PreTrainedModel, rows: int, length: int, keep: int) -> None:
    vocabulary = model.config.get_text_config().vocab_size
    ids = torch.arange(rows * length, device=model.device).remainder(vocabulary).view(rows, length)
    model(input_ids=ids, use_cache=False, logits_to_keep=keep)


def in_groups(values: Sequence[float], groups: Groups) -> Values:
    """A flat list cut into the groups' lengths."""
    rest = iter(values)
    return [[next(rest) for _ in requests] for requests in groups]
