"""Builds and counts the token sequences of likelihood requests without the engine that the benchmarks measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stepgauge.metrics.likelihood import Request
from stepgauge.metrics.tokenization.spans import TokenSpan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Counts:
    """Token counts of a chain's sequences.

    Attributes:
        sequences: number of sequences.
        all_tokens: tokens in all of them: what a method without sharing computes.
        unique: tokens that must go through the model if no prefix is computed twice, without the last tokens.
        predicting: those of them whose logits are needed.
    """

    sequences: int
    all_tokens: int
    unique: int
    predicting: int


def token_spans(tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request]) -> list[TokenSpan]:
    """Tokenize each text in full; the span begins at the first token that covers a character of the answer."""
    batch = tokenizer([request.text for request in requests], add_special_tokens=requests[0].special_tokens)
    spans = []
    for request, encoding in zip(requests, batch.encodings or (), strict=True):
        covering = (encoding.char_to_token(i) for i in range(request.start, len(request.text)))
        start = next((token for token in covering if token is not None), None)
        if not start:
            raise ValueError(f"the answer {request.text[request.start :]!r} has no token of its own to be predicted")
        # Special tokens appended by the tokenizer are not part of the answer.
        own = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
        spans.append(TokenSpan(np.asarray(encoding.ids, dtype=np.int64)[: own[-1] + 1], start))
    return spans


def in_depth_first_order(spans: Sequence[TokenSpan]) -> list[int]:
    """Indices in an order in which each sequence shares as long a prefix as possible with the one before it."""
    # Big-endian bytes sort in the order of the token ids.
    return sorted(range(len(spans)), key=lambda i: spans[i].ids[:-1].astype(">u4").tobytes())


def common_prefix(left: np.ndarray, right: np.ndarray) -> int:
    """The number of leading tokens that are the same in both."""
    length = min(len(left), len(right))
    different = np.flatnonzero(left[:length] != right[:length])
    return int(different[0]) if different.size else length


def count(spans: Sequence[TokenSpan]) -> Counts:
    """Count one chain's tokens."""
    unique, previous = 0, np.zeros(0, dtype=np.int64)
    for i in in_depth_first_order(spans):
        fed = spans[i].ids[:-1]
        unique += len(fed) - common_prefix(previous, fed)
        previous = fed
    predicting = {span.ids[:end].tobytes() for span in spans for end in range(span.start, len(span.ids))}
    return Counts(len(spans), sum(len(span.ids) for span in spans), unique, len(predicting))
