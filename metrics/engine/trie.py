"""The token trie: token sequences merged by shared prefixes, so that each shared token is stored once.

Three prefixes of one chain, with `q` question, `s` step, `a` answer (the last answer token is only predicted):

    q q q s s s s s s        trunk
          a a                branch of prefix 0 (question alone)
                a a          branch of prefix 1
                      a a    branch of prefix 2

Nodes are numbered in preorder, so a subtree is a range of numbers and "is an ancestor of" is a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..tokenization.spans import TokenSpan


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
    """Merge sequences by their longest common token prefixes. Last tokens are predicted but never fed in."""
    # Big-endian bytes sort in the order of the token ids, and compare at memcmp speed.
    order = sorted(range(len(spans)), key=lambda i: spans[i].ids[:-1].astype(">u4").tobytes())
    tokens: list[np.ndarray] = []
    depths: list[np.ndarray] = []
    closed: list[tuple[np.ndarray, int]] = []
    pairs: list[tuple[np.ndarray, np.ndarray, int, np.ndarray]] = []
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
        scored = len(span.ids) - span.start
        weights = np.ones(scored) if span.weights is None else np.asarray(span.weights, dtype=np.float64)
        pairs.append((path[span.start - 1 :], span.ids[span.start :], index, weights))
    closed.append((path, count))
    end = np.zeros(count, dtype=np.int64)
    for nodes, stop in closed:
        end[nodes] = stop
    return Trie(
        token=np.concatenate(tokens),
        depth=np.concatenate(depths),
        end=end,
        pair_node=np.concatenate([nodes for nodes, _, _, _ in pairs]),
        pair_token=np.concatenate([targets for _, targets, _, _ in pairs]),
        pair_span=np.concatenate([np.full(len(nodes), index) for nodes, _, index, _ in pairs]),
        pair_weight=np.concatenate([weights for _, _, _, weights in pairs]),
    )


def _common_prefix(left: np.ndarray, right: np.ndarray) -> int:
    length = min(len(left), len(right))
    different = np.flatnonzero(left[:length] != right[:length])
    return int(different[0]) if different.size else length


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
