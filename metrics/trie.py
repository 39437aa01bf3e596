"""The token trie: many token sequences that share prefixes, each shared token once.

A picture of three prefixes of one chain, `q` question, `s` step, `a` answer (the last answer token is only predicted):

    q q q s s s s s s        trunk
          a a                branch of prefix 0 (question alone)
                a a          branch of prefix 1
                      a a    branch of prefix 2

Nodes are numbered in preorder, so a node's subtree is a run of numbers and "is an ancestor of" is a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .tokens import TokenSpan


@dataclass(frozen=True)
class Trie:
    """Sequences merged by common prefix; n nodes, p predictions.

    Attributes:
        token: (n,) token id of each node.
        depth: (n,) position of the token in its sequence.
        end: (n,) one past the last node of the node's subtree.
        pair_node: (p,) the node whose logits predict.
        pair_token: (p,) the token predicted.
        pair_span: (p,) which sequence it belongs to.
    """

    token: np.ndarray
    depth: np.ndarray
    end: np.ndarray
    pair_node: np.ndarray
    pair_token: np.ndarray
    pair_span: np.ndarray

    def closure(self, nodes: np.ndarray) -> np.ndarray:
        """`nodes` (sorted) and all their ancestors, sorted."""
        ids = np.arange(len(self.token))
        following = np.searchsorted(nodes, ids)
        # The first wanted node at or after an id lies in that id's subtree exactly when any does.
        candidate = nodes[np.minimum(following, len(nodes) - 1)]
        return ids[(following < len(nodes)) & (candidate < self.end)]


def build_trie(spans: Sequence[TokenSpan]) -> Trie:
    """Merge sequences by their longest common token prefixes. Their last tokens are predicted, never fed in."""
    # Big-endian bytes sort as the token ids do, and compare at memcmp speed.
    order = sorted(range(len(spans)), key=lambda i: spans[i].ids[:-1].astype(">u4").tobytes())
    tokens: list[np.ndarray] = []
    depths: list[np.ndarray] = []
    closed: list[tuple[np.ndarray, int]] = []
    pairs: list[tuple[np.ndarray, np.ndarray, int]] = []
    path = np.zeros(0, dtype=np.int64)
    previous = np.zeros(0, dtype=np.int64)
    count = 0
    for index in order:
        span = spans[index]
        fed = span.ids[:-1]
        shared = _common_prefix(previous, fed)
        closed.append((path[shared:], count))
        tokens.append(fed[shared:])
        depths.append(np.arange(shared, len(fed)))
        path = np.concatenate([path[:shared], np.arange(count, count + len(fed) - shared)])
        count += len(fed) - shared
        previous = fed
        pairs.append((path[span.start - 1 :], span.ids[span.start :], index))
    closed.append((path, count))
    end = np.zeros(count, dtype=np.int64)
    for nodes, stop in closed:
        end[nodes] = stop
    return Trie(
        token=np.concatenate(tokens),
        depth=np.concatenate(depths),
        end=end,
        pair_node=np.concatenate([nodes for nodes, _, _ in pairs]),
        pair_token=np.concatenate([targets for _, targets, _ in pairs]),
        pair_span=np.concatenate([np.full(len(nodes), index) for nodes, _, index in pairs]),
    )


def _common_prefix(left: np.ndarray, right: np.ndarray) -> int:
    length = min(len(left), len(right))
    different = np.flatnonzero(left[:length] != right[:length])
    return int(different[0]) if different.size else length


@dataclass(frozen=True)
class Tile:
    """Part of a trie that goes through the model in one row: some predicting nodes and all their ancestors.

    Attributes:
        chain: which trie it is part of.
        nodes: (m,) node numbers, sorted.
        predicting: (k,) those of them whose logits are wanted, sorted.
    """

    chain: int
    nodes: np.ndarray
    predicting: np.ndarray


def split_tiles(trie: Trie, chain: int, max_nodes: int, max_predicting: int) -> list[Tile]:
    """Cut a trie into tiles within both limits, or as small as a single prediction."""
    predicting = np.unique(trie.pair_node)
    return _halve(trie, Tile(chain, np.arange(len(trie.token)), predicting), max_nodes, max_predicting)


def halve_tile(trie: Trie, tile: Tile) -> list[Tile]:
    """The tile's predictions in two halves, each with its own ancestors; the tile itself when it holds only one."""
    half = len(tile.predicting) // 2
    if half == 0:
        return [tile]
    parts = tile.predicting[:half], tile.predicting[half:]
    return [Tile(tile.chain, trie.closure(part), part) for part in parts]


def _halve(trie: Trie, tile: Tile, max_nodes: int, max_predicting: int) -> list[Tile]:
    fits = len(tile.nodes) <= max_nodes and len(tile.predicting) <= max_predicting
    if fits or len(tile.predicting) == 1:
        return [tile]
    return [part for half in halve_tile(trie, tile) for part in _halve(trie, half, max_nodes, max_predicting)]
