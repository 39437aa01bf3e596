"""Turns a text span into the token positions that are scored, exactly as tokenizing the whole text gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import ScorerError
from .likelihood import Request, Unscored

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TokenSpan:
    """Token ids up to the end of the scored span, and the index of the span's first token (at least 1).

    Attributes:
        weights: (len(ids) - start,) what each scored token's log-probability counts; None: 1 each.
    """

    ids: np.ndarray
    start: int
    weights: np.ndarray | None = None


def scalar_text(text: str) -> str:
    """`text` with lone surrogates, which no tokenizer takes, replaced one for one by U+FFFD: spans keep their place."""
    return _SURROGATE.sub("\ufffd", text)


def check_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises ScorerError for a tokenizer that cannot say which characters a token covers."""
    if not tokenizer.is_fast:
        raise ScorerError(
            f"tokenizer {type(tokenizer).__name__} cannot map tokens to characters; "
            "a fast tokenizer (tokenizer.json) is needed to find the answer's tokens"
        )


def encode(
    tokenizer: PreTrainedTokenizerBase, group: Sequence[Request], max_tokens: int | None
) -> list[TokenSpan] | Unscored:
    """Tokenize a group's texts; Unscored when one is longer than `max_tokens` or its span has no token to score.

    The longest text goes first: a chain far beyond the context is given up after one tokenization, not t+1.
    """
    longest = max(group, key=lambda request: len(request.text))
    first = _encode_batch(tokenizer, [longest], max_tokens)
    if isinstance(first, Unscored):
        return first
    spans: dict[int, TokenSpan] = {}
    for special in {request.special_tokens for request in group}:
        indices = [i for i, request in enumerate(group) if request.special_tokens == special]
        encoded = _encode_batch(tokenizer, [group[i] for i in indices], max_tokens)
        if isinstance(encoded, Unscored):
            return encoded
        spans.update(zip(indices, encoded, strict=True))
    return [spans[i] for i in range(len(group))]


def _encode_batch(
    tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], max_tokens: int | None
) -> list[TokenSpan] | Unscored:
    batch = tokenizer(
        [scalar_text(request.text) for request in requests],
        add_special_tokens=requests[0].special_tokens,
        verbose=False,
    )
    assert batch.encodings is not None
    spans = []
    for request, encoding in zip(requests, batch.encodings, strict=True):
        ids = np.asarray(encoding.ids, dtype=np.int64)
        # Special tokens that the tokenizer appends (EOS) come after the answer and are not part of it.
        own = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
        ids = ids[: own[-1] + 1] if own.size else ids[:0]
        if max_tokens is not None and len(ids) > max_tokens:
            return Unscored(f"{len(ids)} tokens are more than the scorer's context of {max_tokens}")
        start = _first_token(encoding, request)
        if start is None or start >= len(ids):
            return Unscored("the scorer's tokenizer has no token for the answer")
        if start == 0:
            if request.start > 0:
                return Unscored("the answer's first token also holds the start of the text: nothing to condition on")
            start = 1
        if start >= len(ids):
            return Unscored("a single token has nothing before it to be predicted from")
        spans.append(TokenSpan(ids, start))
    return spans


def _first_token(encoding, request: Request) -> int | None:
    # Tokenizers may drop characters (white space, normalisation): the first one that a token covers decides.
    for char in range(request.start, len(request.text)):
        token = encoding.char_to_token(char)
        if token is not None:
            return token
    return None
