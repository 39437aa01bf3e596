"""Tokenizes texts that share beginnings, each shared part once, into exactly the tokens that each text has alone.

The texts are sorted, so that neighbours share the most. A text is cut at the last safe place (see `split_points.py`)
before the first character in which it differs from a text already tokenized: up to there its tokens are the other's,
and the rest is tokenized on its own. Together the rests are little more than the texts' trie of characters, while
tokenizing each of the t+1 texts of a chain in full is quadratic in t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..likelihood import Request
from .split_points import cuts_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Tokens:
    """One text's n tokens, without special tokens that the tokenizer appends (EOS).

    Attributes:
        ids: (n,)
        first: the first token of the request's span; None when it has none.
        spans: (n, 2) characters of each token, in order; None when they are not, there are none, or nobody asked.
    """

    ids: np.ndarray
    first: int | None
    spans: np.ndarray | None


def tokenize_full(
    tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], *, spans: bool = False
) -> list[Tokens]:
    """Each request's text tokenized in full. All of them with the same `special_tokens`."""
    if not requests:
        return []
    encodings = _encode(tokenizer, [request.text for request in requests], requests[0].special_tokens)
    return [
        _tokens(encoding, _first_token(encoding, request.start, len(request.text)), spans)
        for request, encoding in zip(requests, encodings, strict=True)
    ]


def tokenize_shared(
    tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], longest: Tokens | None = None
) -> list[Tokens]:
    """What `tokenize_full` gives, tokenizing what texts share once where the tokenizer allows it.

    `longest`: the tokens, with spans, of the first of the longest requests, when it has been tokenized already.
    """
    cuts = cuts_of(tokenizer) if len(requests) > 1 else None
    if cuts is None:
        return tokenize_full(tokenizer, requests)
    texts = [request.text for request in requests]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    root = max(range(len(texts)), key=lambda i: len(texts[i]))
    relatives = _relatives(texts, order, root)
    places = {}
    for i, (_, shared) in relatives.items():
        start = requests[i].start
        # Cut before the span, so that its first token is among those of the rest.
        places[i] = cuts.last(texts[i], min(shared, start) if start else shared)
    cut = [i for i in relatives if places[i]]
    rests = dict(zip(cut, _encode(tokenizer, [texts[i][places[i] :] for i in cut], False), strict=True))
    done = {root: longest or tokenize_full(tokenizer, [requests[root]], spans=True)[0]}
    for i, (relative, _) in relatives.items():
        joined = _join(done[relative], rests[i], places[i], requests[i]) if i in rests else None
        done[i] = joined or tokenize_full(tokenizer, [requests[i]], spans=True)[0]
    return [done[i] for i in range(len(requests))]


def _relatives(texts: Sequence[str], order: Sequence[int], longest: int) -> dict[int, tuple[int, int]]:
    """Per text but the longest, in sorted order: an earlier text or the longest, whichever shares more, and how much.

    Of texts in sorted order the neighbours share the most, and two share what all neighbours between them do.
    """
    shared = [0, *(shared_characters(texts[a], texts[b]) for a, b in pairwise(order))]
    root = order.index(longest)
    with_longest = [0] * len(order)
    for k in range(root + 1, len(order)):
        with_longest[k] = min(shared[k], with_longest[k - 1]) if k > root + 1 else shared[k]
    for k in range(root - 1, -1, -1):
        with_longest[k] = min(shared[k + 1], with_longest[k + 1]) if k < root - 1 else shared[k + 1]
    out = {}
    for k, i in enumerate(order):
        if k != root:
            out[i] = (longest, with_longest[k]) if with_longest[k] >= shared[k] else (order[k - 1], shared[k])
    return out


def shared_characters(left: str, right: str) -> int:
    """Length of the longest common prefix, by bisection: comparing strings is much faster than walking them."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left.startswith(right[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def _join(relative: Tokens, rest: Any, place: int, request: Request) -> Tokens | None:
    """The relative's tokens before `place` and those of the rest; None when the relative's spans do not tell."""
    if relative.spans is None:
        return None
    n = int(np.searchsorted(relative.spans[:, 1], place, side="right"))
    before, after = relative.spans[:n], relative.spans[n:]
    if (n and before[-1, 0] == place) or (len(after) and after[0, 0] < place):
        return None
    tail = _tokens(rest, None, True)
    if not len(tail.ids):
        return None
    if request.start > place:
        first = _first_token(rest, request.start - place, len(request.text) - place)
        first = None if first is None else first + n
    else:
        covering = np.flatnonzero((before[:, 1] > request.start) & (before[:, 1] > before[:, 0]))
        if not covering.size:
            return None
        first = int(covering[0])
    spans = None if tail.spans is None else np.concatenate([before, tail.spans + np.int32(place)])
    return Tokens(np.concatenate([relative.ids[:n], tail.ids]), first, spans)


def _encode(tokenizer: PreTrainedTokenizerBase, texts: list[str], special_tokens: bool) -> Sequence[Any]:
    if not texts:
        return []
    encodings = tokenizer(texts, add_special_tokens=special_tokens, verbose=False).encodings
    assert encodings is not None
    return encodings


def _tokens(encoding: Any, first: int | None, spans: bool) -> Tokens:
    ids = np.asarray(encoding.ids, dtype=np.int64)
    # Special tokens that the tokenizer appends (EOS) come after the answer and are not part of it.
    own = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
    end = int(own[-1]) + 1 if own.size else 0
    # With no token of its own a text does not tell which special tokens stand before it.
    if not spans or not end:
        return Tokens(ids[:end], first, None)
    where = np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2)[:end]
    return Tokens(ids[:end], first, where if bool((np.diff(where, axis=0) >= 0).all()) else None)


def _first_token(encoding: Any, start: int, end: int) -> int | None:
    # Tokenizers may drop characters (white space, normalisation): the first one that a token covers decides.
    for char in range(start, end):
        token = encoding.char_to_token(char)
        if token is not None:
            return token
    return None
