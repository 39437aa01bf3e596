"""A sequence-classification checkpoint that reads (passage, claim) pairs, with long passages cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ...models.devices import pick_device
from .checkpoint import batched, load_model, load_tokenizer, padded, positions
from .special_tokens import without_marks

if TYPE_CHECKING:
    from tokenizers import Encoding

_WHO = "judge 'nli'"
# Where the checkpoint says nothing else, and what most NLI checkpoints were trained on.
_USUAL_LENGTH = 512
# Windows smaller than this cut a passage into pieces that decide nothing.
_LEAST_ROOM = 16
# Far more than any model here has room for; some tokenizers take quadratic time over one long word.
_MAX_CLAIM_CHARACTERS = 20_000


@dataclass(frozen=True)
class Pair:
    """The tokens of one window of a passage with the claim, special tokens included."""

    ids: Sequence[int]
    type_ids: Sequence[int]


class TooLong(Exception):
    """A claim leaves no room for evidence; the text gives the numbers."""


class NLIModel:
    """The checkpoint `source` with its tokenizer.

    Args:
        pair: "tokenizer" encodes passage and claim as the tokenizer encodes a pair; "joined" as one text with the
            end-of-sequence token between them, as MiniCheck's checkpoints were trained.
        max_length: tokens of a pair at most; None: 512, or what the checkpoint takes where that is less.
        overlap: tokens that neighbouring windows share, at most half a window.

    Raises:
        ValueError: the checkpoint or its tokenizer cannot be loaded, its weights are incomplete, or `max_length` is
            beyond its positions.
    """

    def __init__(
        self,
        source: str,
        *,
        revision: str | None,
        device: str,
        dtype: str,
        batch_size: int,
        max_length: int | None,
        overlap: int,
        pair: str,
    ) -> None:
        self._model, self._tokenizer = _load(source, revision, pick_device(device), dtype)
        self._backend = self._tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._between = self._separator(source) if pair == "joined" else None
        self._marks = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        self._batch_size = batch_size
        self._overlap = overlap
        self._max_length = _length(source, self._model, self._tokenizer, max_length)
        self._special = self._backend.num_special_tokens_to_add(self._between is None)
        if self._between is not None:
            self._special += len(self._between)

    def _separator(self, source: str) -> Encoding:
        token = self._tokenizer.eos_token or self._tokenizer.sep_token
        if token is None:
            raise ValueError(
                f"judge 'nli', model {source!r}: pair='joined' needs an end-of-sequence token; it has none"
            )
        return self._backend.encode(token, add_special_tokens=False)

    def pairs(self, passage: str, claim: str) -> list[Pair]:
        """One pair per window; a passage that fits makes one. Raises TooLong where the claim leaves no room."""
        if len(claim) > _MAX_CLAIM_CHARACTERS:
            raise TooLong(f"the claim has {len(claim)} characters, more than {_MAX_CLAIM_CHARACTERS}")
        hypothesis = self._plain(claim)
        room = self._max_length - self._special - len(hypothesis)
        if room < _LEAST_ROOM:
            raise TooLong(
                f"the claim has {len(hypothesis)} tokens, which leaves no room for evidence in {self._max_length}"
            )
        premise = self._plain(passage)
        premise.truncate(room, stride=min(self._overlap, room // 2))
        return [self._pair(window, hypothesis) for window in (premise, *premise.overflowing)]

    def _plain(self, text: str) -> Encoding:
        """The tokens of `text` without special tokens."""
        return without_marks(self._backend, self._marks, text)[1]

    def _pair(self, window: Encoding, hypothesis: Encoding) -> Pair:
        from tokenizers import Encoding

        if self._between is None:
            encoded = self._backend.post_process(window, hypothesis, True)
        else:
            joined = Encoding.merge([window, self._between, hypothesis], growing_offsets=True)
            encoded = self._backend.post_process(joined, None, True)
        return Pair(encoded.ids, encoded.type_ids)

    def probabilities(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """Probabilities of the outputs, pairs × outputs, float32 on the CPU. Rows may hold nan if the model does."""
        lengths = [len(pair.ids) for pair in pairs]
        batches = batched(
            "the NLI judge", lengths, self._batch_size, lambda batch: self._forward([pairs[i] for i in batch])
        )
        out: dict[int, torch.Tensor] = dict(batches)
        return torch.stack([out[i] for i in range(len(pairs))])

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[Pair]) -> torch.Tensor:
        longest = max(len(pair.ids) for pair in pairs)
        padding = self._tokenizer.pad_token_id
        padding = 0 if padding is None else padding
        fields = {
            "input_ids": [padded(pair.ids, longest, padding) for pair in pairs],
            "attention_mask": [padded([1] * len(pair.ids), longest, 0) for pair in pairs],
        }
        if "token_type_ids" in self._tokenizer.model_input_names:
            fields["token_type_ids"] = [padded(pair.type_ids, longest, 0) for pair in pairs]
        inputs = {name: torch.tensor(rows, device=self._model.device) for name, rows in fields.items()}
        return torch.softmax(self._model(**inputs).logits.float(), dim=-1).cpu()


def _load(source: str, revision: str | None, device: str, dtype: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification

    tokenizer = load_tokenizer(_WHO, source, revision=revision)
    expected = "a checkpoint that was trained for NLI or fact checking"
    auto = AutoModelForSequenceClassification
    return load_model(_WHO, auto, source, revision=revision, device=device, dtype=dtype, expected=expected), tokenizer


def _length(source: str, model: Any, tokenizer: Any, asked: int | None) -> int:
    most = positions(model)
    if asked is None:
        known = [n for n in (tokenizer.model_max_length, most) if isinstance(n, int) and n > 0]
        return min(_USUAL_LENGTH, *known)
    if most is not None and asked > most:
        raise ValueError(f"judge 'nli', option max_length {asked}: model {source!r} has {most} positions")
    return asked
