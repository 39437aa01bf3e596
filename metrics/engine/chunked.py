"""Scores a trie too big for one row: first its trunk, by chunked prefill into a KV cache, then its branches in tiles.

    q q q s s s s s s        the trunk, in chunks, with ordinary causal attention
          a a                a tile of branches: each attends to the trunk before its branching point, and to itself
                a a

A branch that is too big for a tile is treated as a trunk with branches of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from transformers.cache_utils import Cache, DynamicCache

from .forward import Found, branches_pass, cropped, path_pass
from .memory import unless_out_of_memory
from .runner import Engine
from .trie import Trie, heavy_path, roots


class TooBig(Exception):
    """Even a single token ran out of memory."""


def long_trie(engine: Engine, trie: Trie) -> list[Found]:
    """The log-probabilities of all pairs. Raises TooBig if even the smallest piece does not fit in memory."""
    found: list[Found] = []
    _walk(engine, trie, roots(trie), DynamicCache(), found)
    return found


def _walk(engine: Engine, trie: Trie, siblings: Sequence[int], cache: Cache, found: list[Found]) -> None:
    """Score sibling subtrees that follow the tokens in `cache`: the path through the largest, then everything else."""
    path, beside = heavy_path(trie, siblings)
    cache = _prefill(engine, trie, path, cache, found)
    # Deepest first: they need the whole cache, the later ones ever less of it.
    beside.sort(key=lambda root: int(trie.depth[root]), reverse=True)
    small = [root for root in beside if _fits(engine, *_size(trie, root), int(trie.depth[root]))]
    for tile in _tiles(engine, trie, small):
        _branches(engine, trie, tile, cache, found)
    for root in sorted(set(beside) - set(small)):
        _walk(engine, trie, [root], cropped(cache, int(trie.depth[root])), found)


def _prefill(engine: Engine, trie: Trie, path: np.ndarray, cache: Cache, found: list[Found]) -> Cache:
    first = 0
    while first < len(path):
        past = cache.get_seq_length()
        nodes = _chunk(engine, trie, path[first:], past)
        # Drop what a pass that ran out of memory already added to some layers.
        attempt = cropped(cache, past)
        done = unless_out_of_memory(lambda n=nodes, c=attempt: (path_pass(engine, trie, n, c),), engine.model.device)
        if done is None:
            if len(nodes) == 1:
                raise TooBig
            engine.shrink(len(nodes))
            continue
        found += [result for result in done if result is not None]
        cache, first = attempt, first + len(nodes)
    return cache


def _chunk(engine: Engine, trie: Trie, path: np.ndarray, past: int) -> np.ndarray:
    """The longest beginning of the path that fits in one pass."""
    size = max(1, min(len(path), engine.token_budget, engine.limits.mask // (past + engine.token_budget)))
    predicting = np.flatnonzero(np.isin(path[:size], trie.predicting, assume_unique=True))
    # The pass keeps all logits from the first predicting node on.
    if predicting.size and size - predicting[0] > engine.most_logits:
        size = int(predicting[0]) or engine.most_logits
    return path[:size]


def _size(trie: Trie, root: int) -> tuple[int, int]:
    """The number of tokens in a subtree, and how many of them predict."""
    end = int(trie.end[root])
    first, stop = np.searchsorted(trie.predicting, (root, end))
    return end - root, int(stop - first)


def _fits(engine: Engine, nodes: int, predicting: int, past: int) -> bool:
    """Whether a tile of `nodes` tokens after `past` tokens of the trunk is within the engine's limits."""
    within = nodes * (past + nodes) <= engine.limits.mask
    return nodes <= engine.tile and predicting <= engine.most_logits and within


def _tiles(engine: Engine, trie: Trie, subtrees: Sequence[int]) -> Iterator[list[int]]:
    """Group subtrees, deepest first, into tiles within the limits; a subtree that exceeds them gets its own tile."""
    tile: list[int] = []
    nodes = predicting = past = 0
    for root in subtrees:
        more, wanted = _size(trie, root)
        if tile and not _fits(engine, nodes + more, predicting + wanted, past):
            yield tile
            tile, nodes, predicting = [], 0, 0
        if not tile:
            past = int(trie.depth[root])
        tile.append(root)
        nodes, predicting = nodes + more, predicting + wanted
    if tile:
        yield tile


def _branches(engine: Engine, trie: Trie, subtrees: list[int], trunk: Cache, found: list[Found]) -> None:
    done = unless_out_of_memory(lambda: branches_pass(engine, trie, subtrees, trunk), engine.model.device)
    if done is not None:
        found.append(done)
        return
    engine.shrink(sum(int(trie.end[root]) - root for root in subtrees))
    if len(subtrees) > 1:
        half = len(subtrees) // 2
        for part in (subtrees[:half], subtrees[half:]):
            _branches(engine, trie, part, trunk, found)
    else:
        _walk(engine, trie, subtrees, cropped(trunk, int(trie.depth[subtrees[0]])), found)
