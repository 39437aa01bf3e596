"""Single forward passes of the scoring LM over pieces of token tries, and the log-probabilities read off them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from .runner import Engine
from .tree_attention import ancestors, masks
from .trie import Trie

# Logits converted to float32 and normalised at a time: on a CPU what stays in its cache takes a third of the time; an
# accelerator wants large kernels.
_SOFTMAX_ELEMENTS = 1 << 24
_SOFTMAX_ELEMENTS_CPU = 1 << 20


class Found(NamedTuple):
    """Log-probabilities of some pairs of a trie: (k,) indices, and (k,) float32 nats on the model's output device."""

    pairs: np.ndarray
    values: torch.Tensor


class _BorrowedLayer(DynamicLayer):
    """A read-only view of a trunk's keys and values: branches attend to it, and nothing of a branch is stored."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object):
        assert self.keys is not None
        assert self.values is not None
        return torch.cat([self.keys, key_states], dim=-2), torch.cat([self.values, value_states], dim=-2)


def cropped(cache: Cache, length: int, *, borrowed: bool = False) -> Cache:
    """A cache of the first `length` positions, without copying; adding to it does not change `cache`.

    `borrowed`: for a single pass over branches; it discards what the pass adds.
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


@functools.cache
def cache_argument(model: type[torch.nn.Module]) -> str:
    """The name of a model's KV cache argument: `cache` since transformers 5.24, except in models written earlier."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


@dataclass(frozen=True)
class Rows:
    """Whole tries laid out in the rows of one pass, with the predicting nodes at the right end of each row.

    Attributes:
        order: (rows, length) preorder number of the node at each position, -1 for padding.
        token, end, depth: (rows, length) those of the node, as in `Trie`.
        wanted: number of positions at the right end whose logits are kept.
    """

    order: np.ndarray
    token: np.ndarray
    end: np.ndarray
    depth: np.ndarray
    wanted: int


def lay_out(tries: Sequence[Trie]) -> Rows:
    """One trie per row, padded to the longest."""
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
    """Run a piece of a path after the tokens already in `cache`, and add it to the cache.

    Returns what its nodes predict, or None if none of them predicts.
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
    """Run whole subtrees, given by their roots, after the path whose keys and values `trunk` holds."""
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
        rows: (k,) the row of `logits` for each pair, in ascending order.
        targets: (k,) token ids.

    Returns:
        (k,) float32, nats, on the logits' device.
    """
    needed = np.unique(rows)
    if len(needed) < len(logits):
        logits = logits[torch.from_numpy(needed).to(logits.device, non_blocking=True)]
        rows = np.searchsorted(needed, rows)
    elements = _SOFTMAX_ELEMENTS_CPU if logits.device.type == "cpu" else _SOFTMAX_ELEMENTS
    chunk = max(1, elements // logits.shape[-1])
    row_index = torch.from_numpy(rows).to(logits.device, non_blocking=True)
    target_index = torch.from_numpy(targets).to(logits.device, non_blocking=True)
    starts = range(0, len(logits), chunk)
    bounds = [*np.searchsorted(rows, starts).tolist(), len(rows)]
    return torch.cat(
        [
            logits[first : first + chunk].float().log_softmax(-1)[row_index[low:high] - first, target_index[low:high]]
            for first, (low, high) in zip(starts, pairwise(bounds), strict=True)
        ]
    )


def _logits(
    engine: Engine,
    token: torch.Tensor,
    depth: torch.Tensor,
    mask: torch.Tensor | dict[str, torch.Tensor] | None,
    cache: Cache | None,
    wanted: int,
) -> torch.Tensor:
    """(rows, wanted, vocabulary): logits of the last `wanted` positions of each row."""
    output = engine.model(
        input_ids=token,
        attention_mask=mask,
        position_ids=depth,
        use_cache=cache is not None,
        logits_to_keep=wanted,
        **{cache_argument(type(engine.model)): cache},
    )
    return output.logits[:, -wanted:]


def _predicting_last(places: np.ndarray, predicting: np.ndarray, length: int) -> np.ndarray:
    """`places` reordered: predicting ones at the right end, the others at the left, padded in between with -1.

    `logits_to_keep` keeps the right end of every row. Order is free: the mask, not the position, decides what a node
    attends to.
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
