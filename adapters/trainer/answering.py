"""Lets a model in training answer prompts greedily, and leaves model and random numbers as they were."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...metrics.engine.greedy import Written, written_behind

# A text, or messages for the tokenizer's chat template.
Prompt = str | list[dict[str, Any]]


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
) -> list[Written]:
    """The greedy answer to each prompt, in order. The model must be in evaluation mode.

    Args:
        until: texts at the first of which an answer ends.
    """
    ids = [_encoded(prompt, tokenizer) for prompt in prompts]
    return written_behind(model, tokenizer, ids, [max_new_tokens] * len(ids), batch_size=batch_size, until=until)


def _encoded(prompt: Prompt, tokenizer: Any) -> list[int]:
    if isinstance(prompt, str):
        return tokenizer(prompt)["input_ids"]
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]
