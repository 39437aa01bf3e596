"""Runs the scoring LM over token tries: many prefixes of many chains in few forward passes.

Small tries are scored whole with tree attention, several in the rows of one pass (`forward.rows_pass`). Bigger tries
are scored in two phases: the trunk, into a KV cache, then the branches against that cache (`chunked`). Either way each
distinct token is computed once.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from transformers import PreTrainedModel

from ..errors import OutOfMemory
from ..likelihood import Unscored
from ..tokenization.spans import TokenSpan
from .chunked import TooBig, long_trie
from .forward import Found, log_probabilities, rows_pass
from .memory import is_out_of_memory, unless_out_of_memory
from .runner import Engine, Limits
from .tree_attention import NoTrieAttention, plan_attention
from .trie import Trie, build_trie

log = logging.getLogger(__name__)

# Exceptions raised by models whose forward pass does not support such masks or caches.
_REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError, NotImplementedError)
_BUDGET_FLOOR = 256
_CPU_BUDGET = 1024
_MOST_PADDING = 0.05


# On two cores tiles of 256 to 512 tokens cost the same within 7 %; an accelerator needs larger passes to be busy.
_CPU_LIMITS = Limits(row=512, tile=256)
_ACCELERATOR_LIMITS = Limits(row=2048, tile=4096)


def make_engine(model: PreTrainedModel, token_budget: int | str = "auto") -> Engine:
    """Choose batch size and attention for a model.

    The trie's masks are tried on a few tokens and compared with plain passes. If the model raises or the results
    differ, every sequence gets a plain pass of its own, and one warning says why.
    `token_budget`: "auto" or a positive number, checked by the caller (`models.check_token_budget`).
    """
    limits = _CPU_LIMITS if model.device.type == "cpu" else _ACCELERATOR_LIMITS
    engine = Engine(model, _auto_budget(model) if token_budget == "auto" else int(token_budget), limits)
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
    # Activations of one layer at a time, about 16 hidden-size vectors per token, may fill a quarter of free memory.
    per_token = 16 * config.hidden_size * model.dtype.itemsize + 8 * getattr(config, "intermediate_size", 0)
    return int(min(65536, max(_BUDGET_FLOOR, free // 4 // per_token)))


def log_likelihoods(
    engine: Engine, groups: Sequence[Sequence[TokenSpan]], done: Callable[[int], None]
) -> list[np.ndarray | Unscored]:
    """Log-likelihoods in nats of token sequences, in groups that share prefixes.

    Args:
        engine: the model and its limits.
        groups: any sets of sequences, with the tokens that count in each and their weights.
        done: called with a number of groups whenever that many more are finished.

    Returns:
        For each group, its sequences' (weighted) sums of log-probabilities: float64 sums of float32 terms.

    Raises OutOfMemory when no group at all fits in memory; a single one that does not fit is Unscored.
    """
    engine.stats.sequence_tokens += sum(span.n for spans in groups for span in spans)
    if engine.plan is None:
        return _all_failed_raises([_plain(engine, spans, done) for spans in groups])
    tries = [build_trie(spans) for spans in groups]
    engine.stats.unique_tokens += sum(len(trie.token) for trie in tries)
    found: dict[int, list[Found]] = {}
    failed: dict[int, str] = {}
    queue = sorted(range(len(tries)), key=lambda i: len(tries[i].token))
    while queue:
        batch = _take_batch(engine, tries, queue)
        rows = [tries[i] for i in batch]
        values = None
        if _goes_whole(engine, rows[0]):
            values = unless_out_of_memory(lambda r=rows: rows_pass(engine, r), engine.model.device)
            if values is None and len(batch) > 1:
                engine.shrink(len(batch) * len(rows[0].token))
                queue += reversed(batch)
                continue
        if values is not None:
            found.update((i, [value]) for i, value in zip(batch, values, strict=True))
        else:
            try:
                found[batch[0]] = long_trie(engine, rows[0])
            except TooBig:
                failed[batch[0]] = (
                    f"out of memory on a single pass of 1 token on {engine.model.device}, the smallest there is; "
                    "use a smaller scorer, a narrower dtype or a device with more memory"
                )
        done(len(batch))
    return _all_failed_raises(
        [
            Unscored(failed[i]) if i in failed else _sums(tries[i], found[i], len(spans))
            for i, spans in enumerate(groups)
        ]
    )


def _sums(trie: Trie, found: Sequence[Found], sequences: int) -> np.ndarray:
    sums = np.zeros(sequences)
    for pairs, values in found:
        np.add.at(sums, trie.pair_span[pairs], trie.pair_weight[pairs] * values.cpu().numpy().astype(np.float64))
    return sums


def _all_failed_raises(results: list[np.ndarray | Unscored]) -> list[np.ndarray | Unscored]:
    reasons = [result.reason for result in results if isinstance(result, Unscored)]
    if reasons and len(reasons) == len(results):
        raise OutOfMemory(reasons[0])
    return results


def _goes_whole(engine: Engine, trie: Trie) -> bool:
    return len(trie.token) <= engine.row and len(trie.predicting) <= engine.most_logits


def _take_batch(engine: Engine, tries: Sequence[Trie], queue: list[int]) -> list[int]:
    """Pop the longest tries that fit in one pass; `queue` is sorted by length, longest last."""
    batch = [queue.pop()]
    length, wanted = len(tries[batch[0]].token), len(tries[batch[0]].predicting)
    if not _goes_whole(engine, tries[batch[0]]):
        return batch
    filled = length
    while queue:
        rows, most = len(batch) + 1, max(wanted, len(tries[queue[-1]].predicting))
        filled += len(tries[queue[-1]].token)
        if rows * length > engine.token_budget or rows * length * length > engine.limits.mask:
            break
        # Prefer a smaller pass over heavy padding.
        if rows * length - filled > _MOST_PADDING * rows * length:
            break
        if rows * most > engine.most_logits:
            break
        wanted = most
        batch.append(queue.pop())
    return batch


def _plain(engine: Engine, spans: Sequence[TokenSpan], done: Callable[[int], None]) -> np.ndarray | Unscored:
    """One ordinary causal forward pass per sequence: slow, but works with any causal LM."""
    try:
        weights = [1.0 if span.weights is None else span.weights for span in spans]
        values = _plain_values(engine, spans)
        result = np.array([(weight * value).sum() for weight, value in zip(weights, values, strict=True)])
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        result = Unscored(f"out of memory on a single pass on {engine.model.device}: {error!s:.200}")
    done(1)
    return result


def _plain_values(engine: Engine, spans: Sequence[TokenSpan]) -> Iterator[np.ndarray]:
    takes_keep = "logits_to_keep" in inspect.signature(engine.model.forward).parameters
    for span in spans:
        fed = torch.from_numpy(span.ids[:-1])[None].to(engine.model.device)
        wanted = span.n - span.start
        keep = {"logits_to_keep": wanted} if takes_keep else {}
        with torch.inference_mode():
            logits = engine.model(input_ids=fed, use_cache=False, **keep).logits[0, -wanted:]
            values = log_probabilities(logits, np.arange(wanted), span.targets)
        engine.stats.computed_tokens += span.n - 1
        engine.stats.passes += 1
        yield values.cpu().numpy().astype(np.float64)


def _check_trie_agrees(engine: Engine) -> None:
    """Raises NoTrieAttention unless trie and plain passes give the same log-probabilities on three short sequences."""
    vocabulary = engine.model.config.get_text_config().vocab_size
    random = np.random.default_rng(0)
    trunk, first, second = (random.integers(0, vocabulary, size) for size in (40, 5, 4))
    sequences = [trunk, np.concatenate([trunk[:13], first]), np.concatenate([trunk[:25], second])]
    spans = [TokenSpan(ids, len(ids) - 4) for ids in sequences]
    plain = np.concatenate(list(_plain_values(engine, spans)))
    trie = build_trie(spans)
    small = replace(engine, limits=replace(engine.limits, tile=6), token_budget=16)
    for way, run in (("masks", lambda: rows_pass(engine, [trie])), ("cache", lambda: long_trie(small, trie))):
        try:
            found = run()
        except _REFUSALS as error:
            if is_out_of_memory(error):
                raise
            raise NoTrieAttention(
                f"its forward pass refused the trie's {way} ({type(error).__name__}: {error!s:.200})"
            ) from error
        pairs = np.concatenate([pairs for pairs, _ in found])
        values = np.concatenate([values.cpu().numpy() for _, values in found])
        trie_values = values[np.lexsort((pairs, trie.pair_span[pairs]))]
        off = float(np.abs(trie_values - plain).max())
        allowed = 1e-3 if engine.model.dtype == torch.float32 else 0.5
        if not off <= allowed:
            raise NoTrieAttention(f"with the trie's {way} its log-probabilities differ by {off:.3g} nats")
