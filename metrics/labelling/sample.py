"""Draws the steps that a person labels: at random within strata of judge and label, more from large strata.

Of each stratum at least `LEAST` steps are drawn, as far as there are as many and n allows it, and the rest in
proportion to the strata's weights in KI. So what a judge seldom says is looked at, too, and what makes up KI most. The
order within a stratum is a hash of seed and key: a larger n begins with the same steps, and every machine draws alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from .units import Unit

LEAST = 10

Name = TypeVar("Name")


def allocate(sizes: Mapping[Name, int], weights: Mapping[Name, float], n: int) -> dict[Name, int]:
    """How many of each stratum; together n, or all there are."""
    n = min(n, sum(sizes.values()))
    least = min(LEAST, n // max(len(sizes), 1))
    out = {name: min(least, size) for name, size in sizes.items()}
    total = sum(weights.values()) or 1.0
    while (left := n - sum(out.values())) > 0:
        # One at a time, to the stratum that is furthest below its share: ties go to the first.
        room = [name for name in sizes if out[name] < sizes[name]]
        for _ in range(left):
            wanted = max(room, key=lambda name: n * weights[name] / total - out[name])
            out[wanted] += 1
            if out[wanted] == sizes[wanted]:
                break
    return out


def draw(units: Sequence[Unit], n: int, seed: int = 0) -> list[Unit]:
    """Steps to label, at most n, in an order that says nothing of their strata; equal chains' steps once."""
    strata: dict[tuple[str, str], dict[str, Unit]] = {}
    weights: dict[tuple[str, str], float] = {}
    for unit in (one for one in units if not one.settled):
        strata.setdefault(unit.stratum, {}).setdefault(unit.key, unit)
        weights[unit.stratum] = weights.get(unit.stratum, 0.0) + unit.weight
    # In a fixed order, so that the file's order does not matter.
    names = sorted(strata)
    numbers = allocate({name: len(strata[name]) for name in names}, {name: weights[name] for name in names}, n)
    chosen = []
    for name in names:
        own = sorted(strata[name], key=lambda key: _place(key, seed))
        chosen += [strata[name][key] for key in own[: numbers[name]]]
    return sorted(chosen, key=lambda unit: _place(f"row {unit.key}", seed))


def _place(key: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
