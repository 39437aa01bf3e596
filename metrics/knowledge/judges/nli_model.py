"""A sequence-classification checkpoint that reads (passage, claim) pairs, with long passages cut into windows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ...models.devices import pick_device
from ...models.from_pretrained import unused_weights
from ...models.loading import pick_dtype

if TYPE_CHECKING:
    from tokenizers import Encoding

log = logging.getLogger(__name__)

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
        """The tokens of `text`, with a space in place of each special token that it spells.

        Tokenizers read "</s>" in a claim as the end of the claim. Asking them not to is not enough: a SentencePiece
        vocabulary holds its marks as pieces, which plain text, once normalized, can still hit.
        """
        # Lone surrogates have no UTF-8, which the tokenizer needs.
        text = text.encode("utf-8", "replace").decode("utf-8")
        while True:
            encoded = self._backend.encode(text, add_special_tokens=False)
            spans = {encoded.offsets[i] for i, token in enumerate(encoded.ids) if token in self._marks}
            if not any(end > start for start, end in spans):
                return encoded
            kept, position = [], 0
            for start, end in sorted(spans):
                kept.append(text[position:start])
                position = end
            text = " ".join([*kept, text[position:]])

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
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i].ids))
        out: dict[int, torch.Tensor] = {}
        size, done = self._batch_size, 0
        while done < len(order):
            batch = order[done : done + size]
            try:
                rows = self._forward([pairs[i] for i in batch])
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                size = max(1, size // 2)
                log.warning("out of memory; the NLI judge goes on with batches of %d", size)
                torch.cuda.empty_cache()
                continue
            out.update(zip(batch, rows, strict=True))
            done += len(batch)
        return torch.stack([out[i] for i in range(len(pairs))])

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[Pair]) -> torch.Tensor:
        longest = max(len(pair.ids) for pair in pairs)
        padding = self._tokenizer.pad_token_id
        padding = 0 if padding is None else padding
        fields = {
            "input_ids": [_padded(pair.ids, longest, padding) for pair in pairs],
            "attention_mask": [_padded([1] * len(pair.ids), longest, 0) for pair in pairs],
        }
        if "token_type_ids" in self._tokenizer.model_input_names:
            fields["token_type_ids"] = [_padded(pair.type_ids, longest, 0) for pair in pairs]
        inputs = {name: torch.tensor(rows, device=self._model.device) for name, rows in fields.items()}
        return torch.softmax(self._model(**inputs).logits.float(), dim=-1).cpu()


def _padded(values: Sequence[int], length: int, padding: int) -> list[int]:
    return [*values, *[padding] * (length - len(values))]


def _load(source: str, revision: str | None, device: str, dtype: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            source,
            revision=revision,
            trust_remote_code=False,
            use_safetensors=True,  # a pickle can run whatever code its author likes
            dtype=pick_dtype(dtype, device),
            output_loading_info=True,
        )
        model.to(device).eval()
    except Exception as error:  # a damaged folder raises anything, down to TypeError and KeyError from its JSON
        raise ValueError(
            f"judge 'nli', model {source!r} could not be loaded: {type(error).__name__}: {error}"
        ) from error
    # transformers fills what a checkpoint lacks with random numbers, such as the whole classifier of a plain encoder.
    if absent := sorted(report["missing_keys"]):
        raise ValueError(
            f"judge 'nli', model {source!r}: its weights lack {len(absent)} tensors, the first is {absent[0]!r}; "
            "expected a checkpoint that was trained for NLI or fact checking"
        )
    if left_out := unused_weights(model, report["unexpected_keys"]):
        raise ValueError(
            f"judge 'nli', model {source!r}: {len(left_out)} tensors of its weights are left unused by its "
            f"configuration, the first is {left_out[0]!r}; expected a config.json that fits the weights"
        )
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(f"judge 'nli', model {source!r}: its tokenizer has no fast version, which is needed here")
    return model, tokenizer


def _length(source: str, model: Any, tokenizer: Any, asked: int | None) -> int:
    positions = _positions(model)
    if asked is None:
        known = [n for n in (tokenizer.model_max_length, positions) if isinstance(n, int) and n > 0]
        return min(_USUAL_LENGTH, *known)
    if positions is not None and asked > positions:
        raise ValueError(f"judge 'nli', option max_length {asked}: model {source!r} has {positions} positions")
    return asked


def _positions(model: Any) -> int | None:
    """Positions that the model has embeddings for; None for relative and rotary positions, which have no end."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, torch.nn.Embedding):
            # RoBERTa and its kin count from behind the padding index.
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None
