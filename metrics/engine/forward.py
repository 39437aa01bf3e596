"""Single forward passes of the scoring LM over pieces of token tries, and the log-probabilities read off them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from .runner import Engine
from .tree_attention import ancestors, masks
from .trie import Trie

# Elements of logits converted to float32 and summed over at once.
_SOFTMAX_ELEMENTS = 1 << 24


class Found(NamedTuple):
    """Log-probabilities of some pairs of a trie: (k,) indices, and (k,) float32 nats where the model put them."""

    pairs: np.ndarray
    values: torch.Tensor


class _BorrowedLayer(DynamicLayer):
    """Keys and values of a trunk that branches see and leave as they are: nothing of a branch is kept."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object):
        assert self.keys is not None
        assert self.values is not None
        return torch.cat([self.keys, key_states], dim=-2), torch.cat([self.values, value_states], dim=-2)


def cropped(cache: Cache, length: int, *, borrowed: bool = False) -> Cache:
    """A cache of the first `length` positions, without copying; what is added to it leaves `cache` as it is.

    `borrowed`: for one pass over branches; it forgets what the pass adds.
    """
    if length == 0:
        return DynamicCache()
    layers = []
    for layer in cache.layers:
        if not isinstance(layer, DynamicLayer) or layer.keys is None or layer.values is None:
            raise TypeError(f"its cache has a layer that cannot be cut ({type(layer).__name__})")
        view = _BorrowedLayer() if borrowed else DynamicLayer()
        view.lazy_initialization(layer.keys, layer.values)
        view.keys, view.values = layer.keys[..., :length, :], layer.values[..., :length, :]
        layers.append(view)
    return Cache(layers=layers)


@dataclass(frozen=True)
class Rows:
    """Whole tries laid out in the rows of one pass, the nodes that predict at the right end of each.

    Attributes:
        order: (rows, length) preorder number of the node in each place, -1 for padding.
        token, end, depth: (rows, length) of that node, as in `Trie`.
        wanted: places at the right end whose logits are kept.
    """

    order: np.ndarray
    token: np.ndarray
    end: np.ndarray
    depth: np.ndarray
    wanted: int


def lay_out(tries: Sequence[Trie]) -> Rows:
    """One trie a row, padded to the longest."""
    length = max(len(trie.token) for trie in tries)
    order = np.full((len(tries), length), -1, dtype=np.int64)
    token, end, depth = np.zeros_like(order), np.zeros_like(order), np.zeros_like(order)
    for row, trie in enumerate(tries):
        order[row] = _predicting_last(np.arange(len(trie.token)), trie.predicting, length)
        filled = order[row] >= 0
        for array, values in ((token, trie.token), (end, trie.end), (depth, trie.depth)):
            array[row, filled] = values[order[row, filled]]
    return Rows(order, token, end, depth, max(len(trie.predicting) for trie in tries))


def rows_pass(engine: Engine, tries: Sequence[Trie]) -> list[Found]:
    """Whole tries, one per row of a single pass."""
    rows = lay_out(tries)
    order, end, depth = (_to_device(engine, array) for array in (rows.order, rows.end, rows.depth))
    assert engine.plan is not None
    with torch.inference_mode():
        mask = masks(engine.plan, ancestors(order, end), depth, depth, engine.model.dtype)
        logits = _logits(engine, _to_device(engine, rows.token), depth, mask, None, rows.wanted)
        out = []
        for row, trie in enumerate(tries):
            pairs, place = trie.pairs_at(trie.predicting)
            kept = logits[row, rows.wanted - len(trie.predicting) :]
            out.append(Found(pairs, log_probabilities(kept, place, trie.pair_token[pairs])))
    _count(engine, sum(len(trie.token) for trie in tries), rows.order.size)
    return out


def path_pass(engine: Engine, trie: Trie, nodes: np.ndarray, cache: Cache) -> Found | None:
    """A piece of a path, after the tokens that `cache` holds already; the cache grows by it.

    Returns what its nodes predict, None when that is nothing.
    """
    past = cache.get_seq_length()
    places = np.flatnonzero(np.isin(nodes, trie.predicting, assume_unique=True))
    wanted = len(nodes) - int(places[0]) if places.size else 1
    depth = _to_device(engine, past + np.arange(len(nodes))[None])
    assert engine.plan is not None
    mask = None
    with torch.inference_mode():
        if past or not engine.plan.plainly_causal:
            keys = torch.arange(past + len(nodes), device=depth.device)[None]
            mask = masks(engine.plan, keys[:, None, :] <= depth[:, :, None], depth, keys, engine.model.dtype)
        logits = _logits(engine, _to_device(engine, trie.token[nodes][None]), depth, mask, cache, wanted)[0]
        _count(engine, len(nodes), len(nodes))
        if not places.size:
            return None
        pairs, place = trie.pairs_at(nodes[places])
        rows = places[place] - int(places[0])
        return Found(pairs, log_probabilities(logits, rows, trie.pair_token[pairs]))


def branches_pass(engine: Engine, trie: Trie, subtrees: Sequence[int], trunk: Cache) -> Found:
    """Whole subtrees, given by their roots, after the path that `trunk` holds the keys and values of."""
    nodes = np.concatenate([np.arange(root, trie.end[root]) for root in subtrees])
    seen = np.concatenate([np.full(trie.end[root] - root, trie.depth[root]) for root in subtrees])
    predicting = nodes[np.isin(nodes, trie.predicting, assume_unique=True)]
    order = _predicting_last(np.arange(len(nodes)), np.flatnonzero(np.isin(nodes, predicting)), len(nodes))
    nodes, seen = nodes[order], seen[order]
    past = int(seen.max())
    depth, number, end, seen_t = (
        _to_device(engine, a[None]) for a in (trie.depth[nodes], nodes, trie.end[nodes], seen)
    )
    assert engine.plan is not None
    with torch.inference_mode():
        keys = torch.arange(past, device=depth.device)[None]
        visible = torch.cat([keys[:, None, :] < seen_t[:, :, None], ancestors(number, end)], dim=-1)
        mask = masks(engine.plan, visible, depth, torch.cat([keys, depth], dim=-1), engine.model.dtype)
        cache = cropped(trunk, past, borrowed=True)
        logits = _logits(engine, _to_device(engine, trie.token[nodes][None]), depth, mask, cache, len(predicting))[0]
        _count(engine, len(nodes), len(nodes))
        pairs, place = trie.pairs_at(nodes[len(nodes) - len(predicting) :])
        return Found(pairs, log_probabilities(logits, place, trie.pair_token[pairs]))


def log_probabilities(logits: torch.Tensor, rows: np.ndarray, targets: np.ndarray) -> torch.Tensor:
    """log softmax(logits)[row, target] of each pair, in float32, a bounded number of rows at a time.

    Args:
        logits: (n, vocabulary) in the model's dtype.
        rows: (k,) which row each pair is about.
        targets: (k,) token ids.

    Returns:
        (k,) float32, nats, on the logits' device.
    """
    chunk = max(1, _SOFTMAX_ELEMENTS // logits.shape[-1])
    norms = torch.cat([logits[first : first + chunk].float().logsumexp(-1) for first in range(0, len(logits), chunk)])
    row_index = torch.from_numpy(rows).to(logits.device, non_blocking=True)
    target_index = torch.from_numpy(targets).to(logits.device, non_blocking=True)
    return logits[row_index, target_index].float() - norms[row_index]


def _logits(
    engine: Engine,
    token: torch.Tensor,
    depth: torch.Tensor,
    mask: torch.Tensor | dict[str, torch.Tensor] | None,
    cache: Cache | None,
    wanted: int,
) -> torch.Tensor:
    """(rows, wanted, vocabulary): logits of the last places of each row."""
    output = engine.model(
        input_ids=token,
        attention_mask=mask,
        position_ids=depth,
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=wanted,
    )
    return output.logits[:, -wanted:]


def _predicting_last(places: np.ndarray, predicting: np.ndarray, length: int) -> np.ndarray:
    """`places` with the predicting ones at the right end, -1 between them and the others up to `length`.

    That is where `logits_to_keep` reaches them in every row; the mask, not the place, says what a node sees.
    """
    out = np.full(length, -1, dtype=np.int64)
    others = places[~np.isin(places, predicting, assume_unique=True)]
    out[: len(others)] = others
    out[length - len(predicting) :] = predicting
    return out


def _to_device(engine: Engine, array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(engine.model.device, non_blocking=True)


def _count(engine: Engine, tokens: int, places: int) -> None:
    engine.stats.passes += 1
    engine.stats.computed_tokens += tokens
    engine.stats.padding_tokens += places - tokens
