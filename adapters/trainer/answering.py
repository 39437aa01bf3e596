"""Lets a model in training answer prompts greedily, and leaves model and random numbers as they were."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...metrics.engine.greedy import greedy

# A text, or messages for the tokenizer's chat template.
Prompt = str | list[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and whether `max_new_tokens` cut it off."""

    text: str
    truncated: bool


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """Evaluation mode inside; behind it each module's mode and each random number generator is as it was."""
    import torch

    modes = [(module, module.training) for module in model.modules()]
    python, arrays = random.getstate(), np.random.get_state()
    accelerator = torch.accelerator.current_accelerator()
    # Metal has one generator, which `fork_rng` cannot name; nothing here draws from it.
    forked = accelerator if accelerator is not None and accelerator.type != "mps" else None
    devices = range(torch.accelerator.device_count()) if forked else ()
    try:
        with torch.random.fork_rng(devices, device_type=forked.type if forked else "cuda"):
            model.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(python)
        np.random.set_state(arrays)


def as_prompt(question: str, tokenizer: Any) -> Prompt:
    """A question as the user's message where the tokenizer has a chat template, else as it is."""
    return [{"role": "user", "content": question}] if tokenizer.chat_template else question


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int,
    batch_size: int,
    until: Sequence[str],
) -> list[Answer]:
    """The greedy answer to each prompt, in order. The model must be in evaluation mode.

    Args:
        until: texts at the first of which an answer ends.
    """
    import torch

    ids = [_encoded(prompt, tokenizer) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))  # alike lengths together: little padding
    ends = _ends(model, tokenizer)
    pad = next(token for token in (tokenizer.pad_token_id, *ends, 0) if token is not None)
    found: dict[int, Answer] = {}
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        width = len(ids[batch[0]])
        tokens = torch.tensor([[pad] * (width - len(ids[i])) + ids[i] for i in batch], device=model.device)
        mask = torch.tensor([[0] * (width - len(ids[i])) + [1] * len(ids[i]) for i in batch], device=model.device)
        with torch.no_grad():
            written = model.generate(
                input_ids=tokens,
                attention_mask=mask,
                generation_config=greedy(max_new_tokens, pad=pad, ends=ends, stop=list(until) or None),
                tokenizer=tokenizer if until else None,
            )
        for i, row in zip(batch, written[:, width:].tolist(), strict=True):
            found[i] = _read(row, tokenizer, ends, until)
    return [found[i] for i in range(len(ids))]


def _encoded(prompt: Prompt, tokenizer: Any) -> list[int]:
    if isinstance(prompt, str):
        return tokenizer(prompt)["input_ids"]
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the model's own, of which a chat model may have several, and the tokenizer's."""
    own = getattr(model.generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    return [token for token in dict.fromkeys([*own, tokenizer.eos_token_id]) if token is not None]


def _read(row: Sequence[int], tokenizer: Any, ends: Sequence[int], until: Sequence[str]) -> Answer:
    end = next((i for i, token in enumerate(row) if token in ends), None)
    text = tokenizer.decode(row[:end], skip_special_tokens=False)
    at = min((place for stop in until if (place := text.find(stop)) >= 0), default=None)
    return Answer(text[:at], truncated=end is None and at is None)
