"""Batches of token tries for a training step, and the loss on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..engine.forward import lay_out
from ..engine.tree_attention import AttentionPlan, ancestors, masks
from .examples import Example


def feature(example: Example) -> dict[str, Any]:
    """An example in the form Trainer's samplers expect: they group by the length of `input_ids`."""
    return {"input_ids": example.trie.token, "trie": example.trie}


def collate(features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tries as tensors: (rows, length) input_ids, order, end, depth; for each prediction (p,) its row, its position
    among the kept logits, its token and its weight; and `wanted`, how many positions at the right end have logits."""
    tries = [one["trie"] for one in features]
    rows = lay_out(tries)
    found = {"pair_row": [], "pair_place": [], "pair_token": [], "pair_weight": []}
    for row, trie in enumerate(tries):
        pairs, place = trie.pairs_at(trie.predicting)
        found["pair_row"].append(np.full(len(pairs), row))
        found["pair_place"].append(place + rows.wanted - len(trie.predicting))
        found["pair_token"].append(trie.pair_token[pairs])
        found["pair_weight"].append(trie.pair_weight[pairs].astype(np.float32))
    arrays = {"input_ids": rows.token, "order": rows.order, "end": rows.end, "depth": rows.depth}
    arrays |= {name: np.concatenate(parts) for name, parts in found.items()}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    return {**tensors, "wanted": rows.wanted}


def loss(model: Any, plan: AttentionPlan, batch: Mapping[str, Any], dtype: torch.dtype) -> torch.Tensor:
    """Negative log-likelihood per answer token (nats): mean over prefixes, then over the batch's chains."""
    wanted = batch["wanted"]
    seen = ancestors(batch["order"], batch["end"])
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=masks(plan, seen, batch["depth"], batch["depth"], dtype),
        position_ids=batch["depth"],
        use_cache=False,
        logits_to_keep=wanted,
    ).logits[:, -wanted:]
    kept = logits[batch["pair_row"], batch["pair_place"]].float()
    values = kept.log_softmax(-1).gather(-1, batch["pair_token"][:, None])[:, 0]
    return -(batch["pair_weight"] * values).sum() / len(batch["input_ids"])
