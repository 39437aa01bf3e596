"""The slow, obvious way to InfoGain, written without stepgauge: one full forward pass per prefix."""

from __future__ import annotations

import inspect
import math
from itertools import pairwise

import torch


def prefix_text(question: str, steps: list[str]) -> str:
    return question + "".join("\n" + step for step in steps)


def naive_log_likelihood(model, tokenizer, context: str, answer: str) -> tuple[float, int]:
    """Sum of log p over the tokens of `context + answer` whose characters overlap the answer, and their number."""
    text = context + answer
    encoded = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    offsets = encoded.pop("offset_mapping")[0].tolist()
    ids = encoded["input_ids"][0]
    scored = [j for j in range(1, len(ids)) if offsets[j][1] > len(context) and offsets[j][0] < len(text)]
    before = torch.tensor([j - 1 for j in scored], dtype=torch.long, device=model.device)
    # Over the vocabulary at those positions alone, where the model can: that is a fifth of a small model's work.
    some = "logits_to_keep" in inspect.signature(model.forward).parameters
    keep = {"logits_to_keep": before} if some else {}
    with torch.inference_mode():
        logits = model(input_ids=encoded["input_ids"].to(model.device), use_cache=False, **keep).logits[0]
    log_p = torch.log_softmax((logits if some else logits[before]).float().cpu(), dim=-1)
    return sum(log_p[row, ids[j]].item() for row, j in enumerate(scored)), len(scored)


def naive_chain(model, tokenizer, question: str, steps: list[str], answer: str) -> tuple[list[float], list[int]]:
    """t+1 log-likelihoods of the answer and its token counts, default template."""
    pairs = [
        naive_log_likelihood(model, tokenizer, prefix_text(question, steps[:i]) + "\nAnswer: ", answer)
        for i in range(len(steps) + 1)
    ]
    return [value for value, _ in pairs], [count for _, count in pairs]


def published_infogain(model, tokenizer, question: str, steps: list[str], answer: str) -> float:
    """The published algorithm as design describes it: whole-sequence perplexity per prefix, divided by t + 1."""
    perplexities = []
    for i in range(len(steps) + 1):
        ids = tokenizer(prefix_text(question, steps[:i]) + " Answer: " + answer, return_tensors="pt").input_ids
        with torch.inference_mode():
            log_p = torch.log_softmax(model(input_ids=ids.to(model.device)).logits[0, :-1].float().cpu(), dim=-1)
        picked = log_p.gather(-1, ids[0, 1:, None])[:, 0]
        perplexities.append(math.exp(-picked.mean().item()))
    return sum(a - b for a, b in pairwise(perplexities)) / len(perplexities)
