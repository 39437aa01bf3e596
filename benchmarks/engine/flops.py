"""Counts the floating-point operations of scoring token sequences, by formula, from the model's configuration.

Only matrix products count; a multiplication and an addition are two operations. A token shared by several sequences
counts once, attention only for pairs of tokens that see each other, the output layer only where a token is predicted.
This is the least work any exact method must do, so time spent beyond it (padding, masked pairs, recomputation) lowers
the utilisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .imports import TokenSpan


@dataclass(frozen=True)
class Work:
    """The work that some sequences require.

    Attributes:
        tokens: tokens that go through the layers, shared ones counted once.
        pairs: pairs of a token and a token it attends to, itself included.
        predicting: tokens whose next token is scored.
    """

    tokens: int = 0
    pairs: int = 0
    predicting: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.tokens + other.tokens, self.pairs + other.pairs, self.predicting + other.predicting)


def work_of(spans: Sequence[TokenSpan]) -> Work:
    """The work of one group of sequences. Last tokens are predicted but never fed in."""
    # Big-endian bytes sort in the order of the ids, so that sequences with a common prefix become neighbours.
    order = sorted(spans, key=lambda span: span.ids[:-1].astype(">u4").tobytes())
    tokens = pairs = 0
    predicting = [np.zeros(0, dtype=np.int64)]
    path = previous = np.zeros(0, dtype=np.int64)
    for span in order:
        fed = span.ids[:-1]
        shared = _common_prefix(previous, fed)
        new = len(fed) - shared
        path = np.concatenate([path[:shared], np.arange(tokens, tokens + new)])
        tokens += new
        pairs += new * (shared + len(fed) + 1) // 2
        predicting.append(path[span.start - 1 :])
        previous = fed
    return Work(tokens, pairs, len(np.unique(np.concatenate(predicting))))


def naive_work(spans: Sequence[TokenSpan]) -> Work:
    """The work of one causal forward pass per sequence with logits at every token, as in the published code."""
    lengths = [len(span.ids) for span in spans]
    return Work(sum(lengths), sum(n * (n + 1) // 2 for n in lengths), sum(lengths))


def layer_parameters(config: Any) -> int:
    """Weights in one decoder layer's matrices of a Llama-like model (Qwen2, Llama, Mistral)."""
    heads, kv_heads, head = _heads(config)
    attention = config.hidden_size * head * (2 * heads + 2 * kv_heads)
    return attention + 3 * config.hidden_size * config.intermediate_size


def flops(config: Any, work: Work) -> float:
    """Floating-point operations of `work` on a Llama-like model."""
    heads, _, head = _heads(config)
    linear = 2 * layer_parameters(config) * work.tokens
    attention = 4 * heads * head * work.pairs
    output = 2 * config.hidden_size * config.vocab_size * work.predicting
    return float(config.num_hidden_layers * (linear + attention) + output)


def kv_bytes(config: Any, tokens: int, itemsize: int) -> int:
    """Bytes of a KV cache that holds `tokens` tokens."""
    _, kv_heads, head = _heads(config)
    return 2 * config.num_hidden_layers * kv_heads * head * itemsize * tokens


def _heads(config: Any) -> tuple[int, int, int]:
    """Attention heads, KV heads, and the size of one."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return config.num_attention_heads, config.num_key_value_heads, head


def _common_prefix(left: np.ndarray, right: np.ndarray) -> int:
    length = min(len(left), len(right))
    different = np.flatnonzero(left[:length] != right[:length])
    return int(different[0]) if different.size else length
