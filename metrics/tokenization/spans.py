"""Turns a text span into the token positions that are scored, exactly as tokenizing the whole text gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import ScorerError
from ..likelihood import Request, Unscored
from .shared_prefix import Rope, TooMuchText, tokenize_full, tokenize_shared
from .token_span import TokenSpan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["TokenSpan", "check_tokenizer", "encode", "scalar_text"]

_SURROGATE = re.compile("[\ud800-\udfff]")


def scalar_text(text: str) -> str:
    """`text` with lone surrogates, which no tokenizer takes, replaced one for one by U+FFFD: spans keep their place."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


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

    What the texts share is tokenized once where the tokenizer allows it, with the same result (`shared_prefix.py`).
    The longest text goes first: a chain far beyond the context is given up after one tokenization.
    """
    group = _scalar(group)
    longest = max(group, key=lambda request: request.length)
    tokens = tokenize_full(tokenizer, [longest], spans=len(group) > 1)[0]
    span = _span(Rope(tokens.ids, tokens.first), longest, max_tokens)
    if isinstance(span, Unscored):
        return span
    spans: dict[int, TokenSpan] = {}
    for special in {request.special_tokens for request in group}:
        indices = [i for i, request in enumerate(group) if request.special_tokens == special]
        requests = [group[i] for i in indices]
        known = (longest, tokens) if special == longest.special_tokens else None
        try:
            ropes = tokenize_shared(tokenizer, requests, known)
        except TooMuchText as error:
            return Unscored(str(error))
        for i, request, rope in zip(indices, requests, ropes, strict=True):
            span = _span(rope, request, max_tokens)
            if isinstance(span, Unscored):
                return span
            spans[i] = span
    return [spans[i] for i in range(len(group))]


def _scalar(group: Sequence[Request]) -> Sequence[Request]:
    trunks = {id(request.trunk): request.trunk for request in group}
    scalar = {key: scalar_text(trunk) for key, trunk in trunks.items()}
    if all(scalar[key] is trunk for key, trunk in trunks.items()) and all(r.rest.isascii() for r in group):
        return group
    return [replace(r, trunk=scalar[id(r.trunk)], rest=scalar_text(r.rest)) for r in group]


def _span(rope: Rope, request: Request, max_tokens: int | None) -> TokenSpan | Unscored:
    n, start = len(rope), rope.first
    if max_tokens is not None and n > max_tokens:
        return Unscored(f"{n} tokens are more than the scorer's context of {max_tokens}")
    if start is None or start >= n:
        return Unscored("the scorer's tokenizer has no token for the answer")
    if start == 0:
        if request.start > 0:
            return Unscored("the answer's first token also holds the start of the text: nothing to condition on")
        start = 1
    if start >= n:
        return Unscored("a single token has nothing before it to be predicted from")
    return TokenSpan(rope.trunk, start, None, rope.cut, rope.tail)
