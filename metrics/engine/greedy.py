"""Generation that takes the likeliest token, whatever a checkpoint's own settings say."""

from __future__ import annotations

from typing import Any

from transformers import GenerationConfig


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
