"""Tokenizes texts that share beginnings, each shared part once, into exactly the tokens that each text has alone.

First the trunks, and texts of their own: they are sorted, so that neighbours share the most, and a text is cut at the
last safe place (see `split_points.py`) before the first character in which it differs from a text already tokenized.
Up to there its tokens are the other's, and the rest is tokenized on its own. Then what leaves a trunk: it is cut in the
same way, and what follows the cut, the end of a step with cue and answer, is tokenized once for all prefixes after
which it is the same. Together that is little more than the texts' trie of characters, while tokenizing each of the t+1
texts of a chain in full is quadratic in t.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..likelihood import Request, shared_characters
from .split_points import Cuts, cuts_of
from .token_span import NO_TOKENS, common_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Characters of one group that are tokenized again and again, for want of a place to cut.
_MOST_CHARACTERS = 1_000_000_000
# Those of them that are tokenized at once.
_AT_ONCE = 1_000_000
# Tokens that are compared with the trunk's once more, before each sequence keeps its own.
_LONG_TAIL = 64


class TooMuchText(Exception):
    """A tokenizer that cannot be cut would have to read a long chain over and over; the message says how much."""


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


@dataclass(frozen=True, slots=True)
class Rope:
    """The first `cut` ids of a trunk (None: all), and those of `tail`; `first` as in `Tokens`."""

    trunk: np.ndarray
    first: int | None
    cut: int | None = None
    tail: np.ndarray = field(default_factory=lambda: NO_TOKENS)

    def __len__(self) -> int:
        return (len(self.trunk) if self.cut is None else self.cut) + len(self.tail)


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
    tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], known: tuple[Request, Tokens] | None = None
) -> list[Rope]:
    """What `tokenize_full` gives, tokenizing what texts share once where the tokenizer allows it.

    All requests with the same `special_tokens`. Raises TooMuchText.

    `known`: one of the longest requests, tokenized already, with spans.
    """
    cuts = cuts_of(tokenizer) if len(requests) > 1 else None
    if cuts is None:
        return _in_full(tokenizer, requests, known[1].ids if known else None)
    own = [i for i, request in enumerate(requests) if request.cut is None]
    trunks: dict[int, list[int]] = {}
    for i, request in enumerate(requests):
        if request.cut is not None:
            trunks.setdefault(id(request.trunk), []).append(i)
    whole = [requests[i] for i in own]
    for branches in trunks.values():
        trunk = requests[branches[0]].trunk
        if known and known[0].trunk is trunk and known[0].cut == max(requests[i].cut or 0 for i in branches):
            # Up to where the last of them leaves it, what is known already reads as the trunk does.
            known = Request(known[0].text, known[0].start, known[0].special_tokens), known[1]
            whole.append(known[0])
        else:
            whole.append(Request(trunk, 0, requests[0].special_tokens))
    if known and not any(request is known[0] for request in whole):
        whole.append(Request(known[0].text, known[0].start, known[0].special_tokens))
        known = whole[-1], known[1]
    tokens = _with_relatives(tokenizer, cuts, whole, known)
    out = {i: Rope(found.ids, found.first) for i, found in zip(own, tokens, strict=False)}
    found = zip(whole[len(own) :], tokens[len(own) :], strict=True)
    for branches, (base, base_tokens) in zip(trunks.values(), found, strict=False):
        ropes = _branches(tokenizer, cuts, base.text, base_tokens, [requests[i] for i in branches])
        out.update(zip(branches, ropes, strict=True))
    return [out[i] for i in range(len(requests))]


def _with_relatives(
    tokenizer: PreTrainedTokenizerBase, cuts: Cuts, requests: Sequence[Request], known: tuple[Request, Tokens] | None
) -> list[Tokens]:
    """Texts of their own, each cut where it leaves an earlier one."""
    texts = [request.text for request in requests]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    if known is None:
        root = max(range(len(texts)), key=lambda i: len(texts[i]))
        done = {root: tokenize_full(tokenizer, [requests[root]], spans=True)[0]}
    else:
        root = next(i for i, request in enumerate(requests) if request is known[0])
        done = {root: known[1]}
    relatives = _relatives(texts, order, root)
    places = {}
    for i, (_, shared) in relatives.items():
        start = requests[i].start
        # Cut before the span, so that its first token is among those of the rest.
        places[i] = cuts.last(texts[i], min(shared, start) if start else shared)
    cut = [i for i in relatives if places[i]]
    rests = dict(zip(cut, _encode(tokenizer, [texts[i][places[i] :] for i in cut], False), strict=True))
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """What follows a cut: its text, where the span begins in it, and how many of the trunk's tokens come before."""

    text: str
    start: int
    before: int


def _branches(
    tokenizer: PreTrainedTokenizerBase, cuts: Cuts, text: str, trunk: Tokens, requests: Sequence[Request]
) -> list[Rope]:
    """Requests on one trunk; `text` begins as all of them do up to their cuts, and `trunk` are its tokens."""
    if trunk.spans is None:
        return _in_full(tokenizer, requests, trunk.ids)
    # Which place comes before a limit, and which token begins there, is the same for all answers.
    places: dict[int, tuple[int, int | None]] = {}
    pieces: list[_Piece | None] = []
    for request in requests:
        assert request.cut is not None
        limit = request.cut + shared_characters(request.rest, text[request.cut : request.cut + len(request.rest)])
        if request.start:  # cut before the span, so that its first token is among those of the piece
            limit = min(limit, request.start)
        if limit not in places:
            place = cuts.last(text, limit)
            places[limit] = place, _tokens_before(trunk.spans, place) if place else None
        place, before = places[limit]
        after = text[place : request.cut] + request.rest[max(0, place - request.cut) :]
        pieces.append(None if before is None else _Piece(after, request.start - place, before))
    wanted: dict[str, dict[int, int | None]] = {}
    for piece in pieces:
        if piece is not None:
            wanted.setdefault(piece.text, {})[piece.start] = None
    _check(sum(map(len, wanted)))
    tails: dict[str, np.ndarray] = {}
    for (after, starts), encoding in zip(wanted.items(), _encoded(tokenizer, wanted, False), strict=True):
        tails[after] = _tokens(encoding, None, False).ids
        for start in starts:
            starts[start] = _first_token(encoding, start, len(after)) if start > 0 else None
    opening = np.flatnonzero(trunk.spans[:, 1] > trunk.spans[:, 0])
    out: list[Rope | None] = []
    for piece, request in zip(pieces, requests, strict=True):
        if piece is None or not len(tails[piece.text]):
            out.append(None)
        elif request.start:
            first = wanted[piece.text][piece.start]
            first = None if first is None else first + piece.before
            out.append(_rope(trunk.ids, piece.before, tails[piece.text], first))
        elif opening.size and opening[0] < piece.before:
            out.append(_rope(trunk.ids, piece.before, tails[piece.text], int(opening[0])))
        else:
            out.append(None)
    left = [i for i, rope in enumerate(out) if rope is None]
    alone = dict(zip(left, _in_full(tokenizer, [requests[i] for i in left], trunk.ids), strict=True))
    return [alone[i] if rope is None else rope for i, rope in enumerate(out)]


def _tokens_before(spans: np.ndarray, place: int) -> int | None:
    """How many tokens of a text end by `place`; None where its spans do not tell."""
    n = int(np.searchsorted(spans[:, 1], place, side="right"))
    if (n and spans[n - 1, 0] == place) or (n < len(spans) and spans[n, 0] < place):
        return None
    return n


def _rope(trunk: np.ndarray, cut: int, tail: np.ndarray, first: int | None) -> Rope:
    if len(tail) > _LONG_TAIL:  # little is shared by its text; perhaps more by its tokens
        more = common_prefix(trunk[cut:], tail)
        cut, tail = cut + more, tail[more:].copy()
    return Rope(trunk, first, cut, tail)


def _in_full(tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], trunk: np.ndarray | None) -> list[Rope]:
    """Each text in full; what it has in common with the trunk's tokens is not kept again."""
    _check(sum(request.length for request in requests))
    out = []
    special = requests[0].special_tokens if requests else False
    encodings = _encoded(tokenizer, (request.text for request in requests), special)
    for request, encoding in zip(requests, encodings, strict=True):
        found = _tokens(encoding, _first_token(encoding, request.start, request.length), False)
        out.append(Rope(found.ids, found.first) if trunk is None else _rope(trunk, 0, found.ids, found.first))
    return out


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


def _check(characters: int) -> None:
    if characters > _MOST_CHARACTERS:
        raise TooMuchText(
            f"{characters:,} characters are too many to tokenize, prefix by prefix, as its tokenizer needs"
        )


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], special_tokens: bool) -> Iterator[Any]:
    """Encodings, some at a time: one holds more than its text."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _AT_ONCE:
            yield from _encode(tokenizer, batch, special_tokens)
            batch, size = [], 0
    yield from _encode(tokenizer, batch, special_tokens)


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
