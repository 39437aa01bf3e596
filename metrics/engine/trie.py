"""The token trie: token sequences merged by shared prefixes, so that each shared token is stored once.

Three prefixes of one chain, with `q` question, `s` step, `a` answer (the last answer token is only predicted):

    q q q s s s s s s        trunk
          a a                branch of prefix 0 (question alone)
                a a          branch of prefix 1
                      a a    branch of prefix 2

Nodes are numbered in preorder, so a subtree is a range of numbers and "is an ancestor of" is a comparison.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..tokenization.token_span import TokenSpan, common_prefix


@dataclass(frozen=True)
class Trie:
    """Sequences merged by common prefix; n nodes, p predictions.

    Attributes:
        token: (n,) token id of each node.
        depth: (n,) position of the token in its sequence.
        end: (n,) one past the last node of the node's subtree.
        pair_node: (p,) the node whose logits make the prediction.
        pair_token: (p,) the predicted token.
        pair_span: (p,) the sequence it belongs to.
        pair_weight: (p,) the weight of its log-probability in that sequence's sum.
    """

    token: np.ndarray
    depth: np.ndarray
    end: np.ndarray
    pair_node: np.ndarray
    pair_token: np.ndarray
    pair_span: np.ndarray
    pair_weight: np.ndarray

    @cached_property
    def predicting(self) -> np.ndarray:
        """The nodes whose logits are needed, sorted, each once."""
        return np.unique(self.pair_node)

    @cached_property
    def _pair_order(self) -> np.ndarray:
        return np.argsort(self.pair_node, kind="stable")

    def pairs_at(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pairs predicted by the sorted `nodes`, and for each pair the index of its node in `nodes`."""
        ordered = self.pair_node[self._pair_order]
        first, stop = np.searchsorted(ordered, nodes, "left"), np.searchsorted(ordered, nodes, "right")
        place = np.repeat(np.arange(len(nodes)), stop - first)
        # Each node's pairs are a range of `ordered`: compute its start, and the offset of each pair in it.
        into = np.arange(len(place)) - np.repeat(np.cumsum(stop - first) - (stop - first), stop - first)
        return self._pair_order[np.repeat(first, stop - first) + into], place


def build_trie(spans: Sequence[TokenSpan]) -> Trie:
    """Merge sequences by their common beginnings. Last tokens are predicted but never fed in."""
    nodes = _Nodes()
    paths = _trunk_paths(nodes, spans)
    pair_node, pair_token, pair_span = array("q"), array("q"), array("q")
    for index, span in enumerate(spans):
        path, tail, before = paths[id(span.trunk)], span.tail.tolist(), span.start - span.shared
        shared = span.shared if tail else span.shared - 1
        own = nodes.walk(int(path[shared - 1]) if shared else -1, tail[:-1])
        if span.start <= shared:
            pair_node.frombytes(path[span.start - 1 : shared].tobytes())
        pair_node.extend(own[max(0, span.start - 1 - shared) :])
        if before < 0:
            pair_token.extend(span.trunk[span.start : span.shared].tolist())
        pair_token.extend(tail[max(0, before) :])
        pair_span.extend([index] * (span.n - span.start))
    number, size = nodes.preorder()
    token, depth, end = (np.zeros(len(number), dtype=np.int64) for _ in range(3))
    token[number], depth[number], end[number] = nodes.token, nodes.depth, number + size
    return Trie(
        token=token,
        depth=depth,
        end=end,
        pair_node=number[np.frombuffer(pair_node, dtype=np.int64)],
        pair_token=np.frombuffer(pair_token, dtype=np.int64),
        pair_span=np.frombuffer(pair_span, dtype=np.int64),
        pair_weight=_weights(spans, len(pair_span)),
    )


def _weights(spans: Sequence[TokenSpan], pairs: int) -> np.ndarray:
    if all(span.weights is None for span in spans):
        return np.ones(pairs)
    given = (np.ones(span.n - span.start) if span.weights is None else span.weights for span in spans)
    return np.concatenate([np.asarray(weights, dtype=np.float64) for weights in given])


class _Nodes:
    """The nodes of a trie in the order in which they were added: parents before their children."""

    def __init__(self) -> None:
        self.token: list[int] = []
        self.depth: list[int] = []
        self._parent: list[int] = []
        self._child: dict[tuple[int, int], int] = {}

    def walk(self, node: int, tokens: Sequence[int]) -> list[int]:
        """The nodes of these tokens after `node` (-1: from the start), added where there are none."""
        out = []
        child, depth = self._child, self.depth[node] if node >= 0 else -1
        for token in tokens:
            depth += 1
            found = child.get((node, token))
            if found is None:
                found = child[node, token] = len(self.token)
                self.token.append(token)
                self.depth.append(depth)
                self._parent.append(node)
            node = found
            out.append(node)
        return out

    def preorder(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) the number of each node in preorder, children in the order of their tokens; (n,) its subtree's size."""
        n, parent = len(self.token), self._parent
        size = [1] * n
        for node in range(n - 1, -1, -1):
            if parent[node] >= 0:
                size[parent[node]] += size[node]
        above, sizes = np.asarray(parent, dtype=np.int64), np.asarray(size, dtype=np.int64)
        order = np.lexsort((np.asarray(self.token, dtype=np.int64), above))
        before = np.cumsum(sizes[order]) - sizes[order]
        eldest = np.flatnonzero(np.diff(above[order], prepend=-2))
        offset = np.empty(n, dtype=np.int64)
        offset[order] = before - np.repeat(before[eldest], np.diff(eldest, append=n))
        number: list[int] = []
        for node, beside in enumerate(offset.tolist()):
            number.append(beside if parent[node] < 0 else number[parent[node]] + 1 + beside)
        return np.asarray(number, dtype=np.int64), sizes


def _trunk_paths(nodes: _Nodes, spans: Sequence[TokenSpan]) -> dict[int, np.ndarray]:
    """For each trunk the nodes of as much of it as is fed in."""
    trunks: dict[int, tuple[np.ndarray, int]] = {}
    for span in spans:
        fed = span.shared if len(span.tail) else span.shared - 1
        _, most = trunks.get(id(span.trunk), (span.trunk, 0))
        trunks[id(span.trunk)] = span.trunk, max(most, fed)
    paths: dict[int, np.ndarray] = {}
    before, path = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for key, (trunk, most) in trunks.items():
        # Sequences that come without a common trunk mostly follow one with the same beginning.
        shared = common_prefix(before, trunk[:most])
        last = int(path[shared - 1]) if shared else -1
        added = nodes.walk(last, trunk[shared:most].tolist())
        path = np.concatenate([path[:shared], np.asarray(added, dtype=np.int64)])
        before = trunk[:most]
        paths[key] = path
    return paths


def roots(trie: Trie) -> list[int]:
    """The nodes at depth 0: one, unless sequences differ from their first token on."""
    out, node = [], 0
    while node < len(trie.token):
        out.append(node)
        node = int(trie.end[node])
    return out


def heavy_path(trie: Trie, siblings: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """The path that starts at the largest of the sibling subtrees and always continues into the largest child.

    Returns:
        Its nodes, from the top down, and the roots of all subtrees that branch off. Such a subtree is never larger than
        the one the path continues into, so nested paths are at most log2(n) deep.
    """
    end = trie.end.tolist()
    path: list[int] = []
    beside: list[int] = []
    level = list(siblings)
    while level:
        heaviest = max(level, key=lambda node: end[node] - node)
        beside += [node for node in level if node != heaviest]
        path.append(heaviest)
        level, child = [], heaviest + 1
        while child < end[heaviest]:
            level.append(child)
            child = end[child]
    return np.array(path), beside
