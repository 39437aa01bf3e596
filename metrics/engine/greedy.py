"""Generation that takes the likeliest token, whatever a checkpoint's own settings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig


@dataclass(frozen=True)
class Written:
    """What a model wrote, and whether a limit of new tokens cut it off."""

    text: str
    truncated: bool


def greedy(max_new_tokens: int, *, pad: Any, ends: list[int], stop: list[str] | None = None) -> GenerationConfig:
    """Without sampling and penalties: all are named, since a checkpoint's own fill what is left open.

    Args:
        pad: token of what stands before short prompts.
        ends: tokens that end a text; none: whoever asks ends it.
        stop: texts that do.
    """
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_p=1.0,
        top_k=50,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        renormalize_logits=False,
        pad_token_id=pad,
        eos_token_id=ends,
        stop_strings=stop,
    )


def written_behind(
    model: Any,
    tokenizer: Any,
    ids: Sequence[Sequence[int]],
    limits: Sequence[int],
    *,
    batch_size: int,
    until: Sequence[str] = (),
) -> list[Written]:
    """What a model in evaluation mode writes greedily behind each row of tokens, in order.

    Args:
        limits: new tokens at most, for each row.
        until: texts at the first of which it ends.
    """
    import torch

    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))  # alike lengths together: little padding
    ends = _ends(model, tokenizer)
    pad = next(token for token in (tokenizer.pad_token_id, *ends, 0) if token is not None)
    found: dict[int, Written] = {}
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        width = len(ids[batch[0]])
        tokens = torch.tensor([[pad] * (width - len(ids[i])) + list(ids[i]) for i in batch], device=model.device)
        mask = torch.tensor([[0] * (width - len(ids[i])) + [1] * len(ids[i]) for i in batch], device=model.device)
        most = max(limits[i] for i in batch)
        with torch.no_grad():
            rows = model.generate(
                input_ids=tokens,
                attention_mask=mask,
                generation_config=greedy(most, pad=pad, ends=ends, stop=list(until) or None),
                tokenizer=tokenizer if until else None,
            )
        for i, row in zip(batch, rows[:, width:].tolist(), strict=True):
            found[i] = _read(row[: limits[i]], tokenizer, ends, until)
    return [found[i] for i in range(len(ids))]


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a text: the model's own, of which a chat model may have several, and the tokenizer's."""
    own = getattr(model.generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    return [token for token in dict.fromkeys([*own, tokenizer.eos_token_id]) if token is not None]


def _read(row: Sequence[int], tokenizer: Any, ends: Sequence[int], until: Sequence[str]) -> Written:
    end = next((i for i, token in enumerate(row) if token in ends), None)
    text = tokenizer.decode(row[:end], skip_special_tokens=False)
    at = min((place for stop in until if (place := text.find(stop)) >= 0), default=None)
    return Written(text[:at], truncated=end is None and at is None)
