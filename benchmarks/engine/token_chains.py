"""Chains as token counts: the shape of a real chain without its text, filled with random token ids.

The engine's work depends on lengths and on which tokens are shared, not on what the tokens mean. So a chain of a data
set can be reduced to counts, which can be taken to a machine without the data, and chains of any size can be built.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .imports import TokenSpan

# Tokens of "\nAnswer: ", which precedes every answer.
CUE = 4


@dataclass(frozen=True)
class ChainLengths:
    """Token counts of one chain.

    Attributes:
        question, steps, answer: tokens of each part.
        options: tokens of each option, the gold one first; empty if the question has none.
        final: indices of steps that only announce an answer; the chain is also scored without them.
    """

    question: int
    steps: tuple[int, ...]
    answer: int
    options: tuple[int, ...] = ()
    final: tuple[int, ...] = ()

    @property
    def context(self) -> int:
        """Tokens before the cue and the answer."""
        return self.question + sum(self.steps)


def token_spans(chain: ChainLengths, vocabulary: int, seed: int) -> list[TokenSpan]:
    """The sequences that a gauge scores for such a chain, made from random ids.

    The answer after each of the t+1 prefixes, every other option likewise, and the answer after the prefixes without
    the final steps. Equal sequences occur once.
    """
    random = np.random.default_rng(seed)
    question, *steps = (random.integers(0, vocabulary, size) for size in (chain.question, *chain.steps))
    cue = np.random.default_rng(0).integers(0, vocabulary, CUE)
    answers = [random.integers(0, vocabulary, size) for size in (chain.options or (chain.answer,))]
    kept = [step for i, step in enumerate(steps) if i not in chain.final]
    asked = [(steps[:i], answer) for i in range(len(steps) + 1) for answer in answers]
    asked += [(kept[:i], answers[0]) for i in range(len(kept) + 1)]
    spans: dict[tuple[bytes, int], TokenSpan] = {}
    for prefix, answer in asked:
        ids = np.concatenate([question, *prefix, cue, answer]).astype(np.int64)
        span = TokenSpan(ids, len(ids) - len(answer))
        spans.setdefault((ids.tobytes(), span.start), span)
    return list(spans.values())


def joined(chains: Iterable[ChainLengths], *, steps: int | None = None, tokens: int | None = None) -> ChainLengths:
    """One chain of `steps` steps, or at least `tokens` tokens, from the steps of several; the first gives the rest.

    Raises ValueError if there are not enough steps.
    """
    first, taken = None, []
    for chain in chains:
        first = first or chain
        for length in chain.steps:
            taken.append(length)
            enough = len(taken) == steps if steps is not None else first.question + sum(taken) >= (tokens or 0)
            if enough:
                return replace(first, steps=tuple(taken), final=())
    wanted = f"{steps} steps" if steps is not None else f"{tokens} tokens"
    raise ValueError(f"the chains hold {len(taken)} steps of {sum(taken)} tokens together, too few for {wanted}")


def even_chain(tokens: int, steps: int, answer: int = 6) -> ChainLengths:
    """A chain of exactly `tokens` tokens, the last answer included, in steps of about equal length.

    Raises ValueError if a step would have no token.
    """
    room = tokens - CUE - answer
    each = room // (steps + 1)
    if each < 1:
        raise ValueError(f"{tokens} tokens are too few for {steps} steps and an answer of {answer}")
    return ChainLengths(room - each * steps, (each,) * steps, answer)


def write_lengths(path: Path, sets: Mapping[str, Sequence[ChainLengths]]) -> None:
    """Write token counts as JSON; the file holds no text."""
    path.write_text(json.dumps({name: [asdict(chain) for chain in chains] for name, chains in sets.items()}) + "\n")


def read_lengths(path: Path) -> dict[str, list[ChainLengths]]:
    """Read a file of `write_lengths`. Raises ValueError naming the file and the malformed entry."""
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    out: dict[str, list[ChainLengths]] = {}
    for name, rows in content.items():
        out[name] = []
        for i, row in enumerate(rows):
            try:
                lists = {key: tuple(row[key]) for key in ("steps", "options", "final")}
                out[name].append(ChainLengths(question=row["question"], answer=row["answer"], **lists))
            except (KeyError, TypeError) as error:
                raise ValueError(f"{path}, {name}[{i}]: expected token counts of a chain, got {row!r:.80}") from error
    return out
