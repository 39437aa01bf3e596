"""Keeps texts from models from spelling a tokenizer's special tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Encoding


def plain_text(text: str) -> str:
    """Lone surrogates have no UTF-8, which tokenizers need."""
    return text.encode("utf-8", "replace").decode("utf-8")


def without_marks(backend: Any, marks: set[int], text: str) -> tuple[str, Encoding]:
    """A text and its tokens, with a space in place of each special token that it spells.

    Tokenizers read "</s>" in a claim as the end of the claim. Asking them not to is not enough: a SentencePiece
    vocabulary holds its marks as pieces, which plain text, once normalized, can still hit.
    """
    text = plain_text(text)
    while True:
        encoded = backend.encode(text, add_special_tokens=False)
        spans = {encoded.offsets[i] for i, token in enumerate(encoded.ids) if token in marks}
        if not any(end > start for start, end in spans):
            return text, encoded
        kept, position = [], 0
        for start, end in sorted(spans):
            kept.append(text[position:start])
            position = end
        text = " ".join([*kept, text[position:]])
