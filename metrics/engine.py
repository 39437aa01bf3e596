"""Runs the scoring LM over token tries: many prefixes of many chains in few forward passes."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import PreTrainedModel

from .attention import AttentionPlan, NoTrieAttention, plan_attention, trie_masks
from .engine_statistics import EngineStatistics
from .errors import OutOfMemory
from .likelihood import Unscored
from .models import check_token_budget
from .tokens import TokenSpan
from .trie import Tile, Trie, build_trie, halve_tile, split_tiles

log = logging.getLogger(__name__)

_BUDGET_FLOOR = 256
_CPU_BUDGET = 1024
_MASK_ELEMENTS = 1 << 27
_LOGIT_ELEMENTS = 1 << 27
_SOFTMAX_ELEMENTS = 1 << 24


@dataclass
class Engine:
    """A causal LM with its way of attending and its batch size.

    Attributes:
        token_budget: tokens (rows x length) per forward pass. Halved for good after an out-of-memory error.
        plan: how masks are made, or None when every sequence goes through the model by itself.
        plain_reason: why `plan` is None.
    """

    model: PreTrainedModel
    token_budget: int
    plan: AttentionPlan | None = None
    plain_reason: str | None = None
    stats: EngineStatistics = field(default_factory=EngineStatistics)


def make_engine(model: PreTrainedModel, token_budget: int | str = "auto") -> Engine:
    """Choose batch size and attention for a model.

    The trie's mask is tried on a few tokens and compared with plain passes. A model that raises or differs is run
    the plain way, one pass per sequence, with one warning that says why.
    Raises ScorerError for a token budget that is neither "auto" nor a positive number.
    """
    check_token_budget(token_budget)
    engine = Engine(model, _auto_budget(model) if token_budget == "auto" else int(token_budget))
    try:
        engine.plan = plan_attention(model)
        _check_trie_agrees(engine)
    except NoTrieAttention as error:
        engine.plan, engine.plain_reason = None, str(error)
        log.warning(
            "%s is scored with one forward pass per prefix, several times slower than the trie: %s",
            type(model).__name__,
            error,
        )
    engine.stats.reset()
    return engine


def _auto_budget(model: PreTrainedModel) -> int:
    if model.device.type != "cuda":
        return _CPU_BUDGET
    free, _ = torch.cuda.mem_get_info(model.device)
    config = model.config.get_text_config()
    # Activations of one layer at a time: about 16 vectors of the hidden size per token, in a quarter of what is free.
    per_token = 16 * config.hidden_size * model.dtype.itemsize + 8 * getattr(config, "intermediate_size", 0)
    return int(min(65536, max(_BUDGET_FLOOR, free // 4 // per_token)))


def log_likelihoods(
    engine: Engine, groups: Sequence[Sequence[TokenSpan]], done: Callable[[int], None]
) -> list[np.ndarray | Unscored]:
    """Log-likelihood in nats of each span of each group, float64 sums of float32 log-probabilities.

    Raises OutOfMemory when no group at all fits in memory; a single one that does not fit is Unscored.
    """
    if engine.plan is None:
        return _all_failed_raises([_plain(engine, spans, done) for spans in groups])
    tries = [build_trie(spans) for spans in groups]
    sums = [np.zeros(len(spans)) for spans in groups]
    failed: dict[int, str] = {}
    vocabulary = engine.model.config.get_text_config().vocab_size
    tiles: list[Tile] = []
    for chain, trie in enumerate(tries):
        # A tile holds at least one whole path, which each tile computes anew: one that is hardly longer than the path
        # would cost more than it saves, whatever the budgets say.
        path = int(trie.depth.max() + 1)
        limit = max(min(max(engine.token_budget, 2 * path), int(_MASK_ELEMENTS**0.5)), path + path // 4)
        tiles += split_tiles(trie, chain, limit, max(1, _LOGIT_ELEMENTS // vocabulary))
    engine.stats.sequence_tokens += sum(len(span.ids) for spans in groups for span in spans)
    queue = sorted(tiles, key=_size)
    left = np.bincount([tile.chain for tile in tiles], minlength=len(tries))
    while queue:
        batch = _take_batch(queue, engine.token_budget, vocabulary)
        try:
            values = _forward(engine, tries, batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            values = None
        if values is None:
            # Outside the except block, where the traceback no longer keeps the failed pass's tensors alive.
            free_memory(engine)
            smaller = _smaller(engine, tries, batch)
            if not isinstance(smaller, str):
                left[batch[0].chain] += len(smaller) - len(batch)
                queue = sorted(queue + smaller, key=_size)
                continue
            failed[batch[0].chain] = smaller
        else:
            for tile, (pairs, found) in zip(batch, values, strict=True):
                np.add.at(sums[tile.chain], tries[tile.chain].pair_span[pairs], found)
        for tile in batch:
            left[tile.chain] -= 1
            if left[tile.chain] == 0:
                done(1)
    return _all_failed_raises([Unscored(failed[i]) if i in failed else total for i, total in enumerate(sums)])


def _all_failed_raises(results: list[np.ndarray | Unscored]) -> list[np.ndarray | Unscored]:
    reasons = [result.reason for result in results if isinstance(result, Unscored)]
    if reasons and len(reasons) == len(results):
        raise OutOfMemory(reasons[0])
    return results


def _size(tile: Tile) -> int:
    return len(tile.nodes)


def _take_batch(queue: list[Tile], budget: int, vocabulary: int) -> list[Tile]:
    """Pop the longest tiles that go together; `queue` is sorted by length, longest last."""
    batch = [queue.pop()]
    length, wanted = len(batch[0].nodes), len(batch[0].predicting)
    while queue:
        rows, most = len(batch) + 1, max(wanted, len(queue[-1].predicting))
        too_big = rows * length > budget or rows * length * length > _MASK_ELEMENTS
        if too_big or rows * most * vocabulary > _LOGIT_ELEMENTS:
            break
        wanted = most
        batch.append(queue.pop())
    return batch


def _smaller(engine: Engine, tries: Sequence[Trie], batch: list[Tile]) -> list[Tile] | str:
    """After an out-of-memory error: the same work in smaller pieces, or why there are none.

    The budget halves until a tile goes alone, then the tile itself is cut, down to a single prediction.
    """
    tokens = len(batch) * len(batch[0].nodes)
    if len(batch) > 1:
        engine.token_budget = tokens // 2
        log.warning("out of memory on %d tokens: token_budget is now %d", tokens, engine.token_budget)
        return batch
    halves = halve_tile(tries[batch[0].chain], batch[0])
    if len(halves) > 1:
        return halves
    return (
        f"out of memory on a single pass of {tokens} tokens on {engine.model.device}, the smallest there is; "
        "use a smaller scorer, a narrower dtype or a device with more memory"
    )


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def free_memory(engine: Engine) -> None:
    gc.collect()
    if engine.model.device.type == "cuda":
        torch.cuda.empty_cache()


def _forward(engine: Engine, tries: Sequence[Trie], batch: Sequence[Tile]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each tile's pairs (indices into its trie) and their log-probabilities, one forward pass for the whole batch."""
    assert engine.plan is not None
    device = engine.model.device
    length = max(len(tile.nodes) for tile in batch)
    wanted = max(len(tile.predicting) for tile in batch)
    places = np.full((len(batch), length), -1, dtype=np.int64)
    token, end, depth = np.zeros_like(places), np.zeros_like(places), np.zeros_like(places)
    for row, tile in enumerate(batch):
        # Predicting nodes stand at the right end, so that `logits_to_keep` reaches them in every row; the mask,
        # not the place, says what a node sees.
        predicts = np.isin(tile.nodes, tile.predicting, assume_unique=True)
        others = tile.nodes[~predicts]
        places[row, : len(others)] = others
        places[row, length - len(tile.predicting) :] = tile.predicting
        filled = places[row] >= 0
        trie = tries[tile.chain]
        for array, values in ((token, trie.token), (end, trie.end), (depth, trie.depth)):
            array[row, filled] = values[places[row, filled]]
    engine.stats.computed_tokens += sum(len(tile.nodes) for tile in batch)
    engine.stats.padding_tokens += places.size - sum(len(tile.nodes) for tile in batch)
    engine.stats.passes += 1
    with torch.inference_mode():
        to = {"device": device, "non_blocking": True}
        depth_t = torch.from_numpy(depth).to(**to)
        masks = trie_masks(
            engine.plan, torch.from_numpy(places).to(**to), torch.from_numpy(end).to(**to), depth_t, engine.model.dtype
        )
        logits = engine.model(
            input_ids=torch.from_numpy(token).to(**to),
            attention_mask=masks,
            position_ids=depth_t,
            use_cache=False,
            logits_to_keep=wanted,
        ).logits[:, -wanted:]
        asked, rows, targets = [], [], []
        for row, tile in enumerate(batch):
            trie = tries[tile.chain]
            pairs = np.flatnonzero(np.isin(trie.pair_node, tile.predicting))
            place = np.searchsorted(tile.predicting, trie.pair_node[pairs])
            rows.append(row * wanted + wanted - len(tile.predicting) + place)
            targets.append(trie.pair_token[pairs])
            asked.append(pairs)
        values = _log_probabilities(logits.flatten(0, 1), np.concatenate(rows), np.concatenate(targets))
    ends = np.cumsum([len(pairs) for pairs in asked])[:-1]
    return list(zip(asked, np.split(values, ends), strict=True))


def _log_probabilities(logits: torch.Tensor, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """log softmax(logits[row])[target] for each pair, in float32, a bounded number of rows at a time."""
    chunk = max(1, _SOFTMAX_ELEMENTS // logits.shape[-1])
    row_index = torch.from_numpy(rows).to(logits.device)
    target_index = torch.from_numpy(targets).to(logits.device)
    out = torch.empty(len(rows), dtype=torch.float32, device=logits.device)
    for first in range(0, len(rows), chunk):
        part = slice(first, first + chunk)
        scores = logits[row_index[part]].float()
        picked = scores.gather(-1, target_index[part, None])[:, 0]
        out[part] = picked - scores.logsumexp(-1)
    return out.cpu().numpy().astype(np.float64)


def _plain(engine: Engine, spans: Sequence[TokenSpan], done: Callable[[int], None]) -> np.ndarray | Unscored:
    """One ordinary causal forward pass per sequence: slow, but any causal LM can do it."""
    try:
        result = np.array([values.sum() for values in _plain_values(engine, spans)])
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        result = Unscored(f"out of memory on a single pass on {engine.model.device}: {error!s:.200}")
    engine.stats.sequence_tokens += sum(len(span.ids) for span in spans)
    done(1)
    return result


def _plain_values(engine: Engine, spans: Sequence[TokenSpan]) -> Iterator[np.ndarray]:
    takes_keep = "logits_to_keep" in inspect.signature(engine.model.forward).parameters
    for span in spans:
        fed = torch.from_numpy(span.ids[:-1])[None].to(engine.model.device)
        wanted = len(span.ids) - span.start
        keep = {"logits_to_keep": wanted} if takes_keep else {}
        with torch.inference_mode():
            logits = engine.model(input_ids=fed, use_cache=False, **keep).logits[0, -wanted:]
            values = _log_probabilities(logits, np.arange(wanted), span.ids[span.start :])
        engine.stats.computed_tokens += len(span.ids) - 1
        engine.stats.passes += 1
        yield values


def _check_trie_agrees(engine: Engine) -> None:
    """Raises NoTrieAttention unless trie and plain passes give the same log-probabilities on three short sequences."""
    vocabulary = engine.model.config.get_text_config().vocab_size
    random = np.random.default_rng(0)
    trunk, first, second = (random.integers(0, vocabulary, size) for size in (40, 5, 4))
    sequences = [trunk, np.concatenate([trunk[:13], first]), np.concatenate([trunk[:25], second])]
    spans = [TokenSpan(ids, len(ids) - 4) for ids in sequences]
    plain = np.concatenate(list(_plain_values(engine, spans)))
    try:
        tries = [build_trie(spans)]
        tile = split_tiles(tries[0], 0, 10**9, 10**9)[0]
        pairs, values = _forward(engine, tries, [tile])[0]
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError, NotImplementedError) as error:
        if is_out_of_memory(error):
            raise
        raise NoTrieAttention(f"its forward pass refused the mask ({type(error).__name__}: {error!s:.200})") from error
    trie_values = values[np.lexsort((pairs, tries[0].pair_span[pairs]))]
    off = float(np.abs(trie_values - plain).max())
    allowed = 1e-3 if engine.model.dtype == torch.float32 else 0.5
    if not off <= allowed:
        raise NoTrieAttention(f"with the mask its log-probabilities differ by {off:.3g} nats from plain passes")
