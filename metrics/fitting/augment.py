"""Altered copies of a chain's steps with the same gold answer, so that the scorer learns when steps carry nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

# Not the lines of the control `filler`: a fitted scorer must not be tested on the lines it was trained to ignore.
FILLER = (
    "This can be done with some patience.",
    "First of all the task should be read once more.",
    "Nothing new follows from this line.",
    "One thing after another leads to the end.",
    "There is no reason to rush here.",
    "What is asked for has to be kept in mind.",
    "The next line continues in the same manner.",
    "At this point it helps to take a breath.",
)


def drop(steps: Sequence[str], rng: random.Random) -> list[str]:
    """Leave out between one step and half of the steps; a single step is left out."""
    count = rng.randint(1, max(1, len(steps) // 2))
    gone = set(rng.sample(range(len(steps)), count))
    return [step for i, step in enumerate(steps) if i not in gone]


def shuffle(steps: Sequence[str], rng: random.Random) -> list[str]:
    return rng.sample(list(steps), len(steps))


def filler(steps: Sequence[str], rng: random.Random) -> list[str]:
    """Replace the steps by as many filler lines without content."""
    first = rng.randrange(len(FILLER))
    return [FILLER[(first + i) % len(FILLER)] for i in range(len(steps))]


_KINDS: dict[str, Callable[[Sequence[str], random.Random], list[str]]] = {
    "drop": drop,
    "shuffle": shuffle,
    "filler": filler,
}


def altered(steps: Sequence[str], kind: str, rng: random.Random) -> list[str]:
    """An altered copy of one or more steps; `kind` is one of `settings.AUGMENTATIONS`."""
    return _KINDS[kind](steps, rng)
