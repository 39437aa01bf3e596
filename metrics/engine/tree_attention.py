"""Tree attention: the masks that tell each model family which nodes of the trie a node may attend to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"


class NoTrieAttention(Exception):
    """The model does not support the trie's mask; the message says why."""


@dataclass(frozen=True)
class AttentionPlan:
    """Which masks a model needs.

    Attributes:
        kinds: layer kinds in the model (full, sliding, chunked).
        window: tokens a token in a sliding layer sees, itself included.
        chunk: tokens per chunk of a chunked layer.
        additive: the attention implementation (eager) adds the mask to the scores instead of taking booleans.
    """

    kinds: tuple[str, ...]
    window: int | None = None
    chunk: int | None = None
    additive: bool = False

    @property
    def plainly_causal(self) -> bool:
        """Whether all layers attend to the whole sequence, so that a first piece of text needs no mask of ours."""
        return self.kinds == (FULL,)


def plan_attention(model: PreTrainedModel) -> AttentionPlan:
    """The plan for a model, from its configuration. Raises NoTrieAttention for layers with a recurrent state."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if not getattr(config, "use_sliding_window", True):
        window = None
    layer_types = getattr(config, "layer_types", None)
    kinds = tuple(sorted(set(layer_types))) if layer_types else (SLIDING if window else FULL,)
    unknown = sorted(set(kinds) - {FULL, SLIDING, CHUNKED})
    if unknown:
        raise NoTrieAttention(f"its {unknown[0]!r} layers carry a state that branches would share")
    implementation = config._attn_implementation or "eager"
    if implementation not in ("sdpa", "eager"):
        raise NoTrieAttention(f"its attention implementation {implementation!r} takes no mask of its own")
    return AttentionPlan(
        kinds=kinds,
        window=window if SLIDING in kinds else None,
        chunk=getattr(config, "attention_chunk_size", None) if CHUNKED in kinds else None,
        additive=implementation == "eager",
    )


def ancestors(order: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """Which positions of a row of trie nodes each position attends to: its ancestors and itself; padding only itself.

    Args:
        order: (rows, length) preorder number of the node at each position, -1 for padding.
        end: (rows, length) end of its subtree.

    Returns:
        (rows, length, length) booleans, queries before keys.
    """
    import torch

    queries, keys = order[:, :, None], order[:, None, :]
    same = torch.eye(order.shape[1], dtype=torch.bool, device=order.device)
    return (keys <= queries) & (queries < end[:, None, :]) & (keys >= 0) & (queries >= 0) | same


def masks(
    plan: AttentionPlan, seen: torch.Tensor, query_depth: torch.Tensor, key_depth: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor | dict[str, torch.Tensor]:
    """The masks for a model, made from which keys each query sees in the trie.

    Args:
        plan: the kinds of layers in the model.
        seen: (rows, queries, keys) booleans.
        query_depth: (rows, queries) position of each query in its sequence.
        key_depth: (rows, keys) position of each key in its sequence.
        dtype: of the mask in its additive form.

    Returns:
        (rows, 1, queries, keys) for one kind of layer, else a dict of them by kind, in transformers' format.
    """
    import torch

    out = {}
    for kind in plan.kinds:
        mask = seen
        if kind == SLIDING and plan.window is not None:
            mask = mask & (query_depth[:, :, None] - key_depth[:, None, :] < plan.window)
        elif kind == CHUNKED and plan.chunk is not None:
            mask = mask & (query_depth[:, :, None] // plan.chunk == key_depth[:, None, :] // plan.chunk)
        mask = mask[:, None]
        if plan.additive:
            mask = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)
        out[kind] = mask
    return next(iter(out.values())) if len(out) == 1 else out
