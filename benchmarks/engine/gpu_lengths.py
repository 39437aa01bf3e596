"""Counts the tokens of real chains, part by part, for use on machines that have neither the chains nor a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from stepgauge.metrics import Trace
from stepgauge.metrics.models.loading import resolve
from stepgauge.metrics.segment import segment

from .token_chains import ChainLengths


def lengths_of(traces: Sequence[Trace], tokenizer: str) -> list[ChainLengths]:
    """One entry per chain. Each part is tokenized by itself, so a token that spans two parts is counted twice.

    Args:
        traces: chains with a gold answer.
        tokenizer: named like a gauge's scorer: "smollm2", a folder or a hub id.
    """
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(resolve(tokenizer))

    def count(text: str) -> int:
        return max(1, len(loaded(text, add_special_tokens=False, verbose=False)["input_ids"]))

    out = []
    for trace, segmentation in zip(traces, segment(traces), strict=True):
        steps = segmentation.steps
        gold = trace.answers[0].strip()
        others = [option.strip() for option in trace.choices or () if option.strip() != gold]
        out.append(
            ChainLengths(
                question=count(trace.question),
                steps=tuple(count("\n" + step.text) for step in steps),
                answer=count(gold),
                options=(count(gold), *map(count, others)) if trace.choices else (),
                final=tuple(i for i, step in enumerate(steps) if step.kind == "final_answer"),
            )
        )
    return out
